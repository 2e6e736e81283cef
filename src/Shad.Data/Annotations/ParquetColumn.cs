using System.Buffers;
using ParquetSharp;
using ParquetSharp.Schema;
using Shad.Core.Samples;

namespace Shad.Data.Annotations;

/// <summary>
/// One column of annotations and the values gathered for the current row group. What is gathered lies in arrays that the next row group
/// uses again: a column written for hours asks the system for no more memory after its first row groups.
/// </summary>
/// <remarks>Levels as in the Parquet format's "Nested Encoding" (after Dremel): a definition level says how much of the path to a value is
/// there, a repetition level of 0 begins a row.</remarks>
internal abstract class ParquetColumn
{
    private protected ParquetColumn(string name) => Name = name;

    private protected string Name { get; }

    /// <summary>The column's place in the schema.</summary>
    internal abstract Node CreateNode();

    internal abstract void Append(AnnotationRow row);

    /// <summary>Writes what was gathered as a column chunk; the column is empty after.</summary>
    internal abstract void WriteTo(ColumnWriter writer);

    internal static ParquetColumn Text(string name, Func<AnnotationRow, string?> value) => new TextColumn(name, value);

    internal static ParquetColumn Integers(string name, Func<AnnotationRow, int[]?> values) =>
        new ListColumn<int, int, Itself>(name, PhysicalType.Int32, LogicalType.None, values);

    /// <summary>A column of lists of numbers, null where a number is NaN.</summary>
    internal static ParquetColumn Numbers(string name, Func<AnnotationRow, float[]?> values) =>
        new ListColumn<float, float, NumberOrNull>(name, PhysicalType.Float, LogicalType.None, values);

    internal static ParquetColumn Roles(string name, Func<AnnotationRow, TokenRole?[]?> values) =>
        new ListColumn<TokenRole?, int, RoleNumber>(name, PhysicalType.Int32, static () => LogicalType.Int(8, isSigned: true), values);

    private static void Grow<T>(ref T[] array, int count)
    {
        if (array.Length < count) Array.Resize(ref array, Math.Max(count, 2 * array.Length));
    }

    private sealed class TextColumn(string name, Func<AnnotationRow, string?> value) : ParquetColumn(name)
    {
        private byte[] _bytes = [];
        private int[] _lengths = []; // of the texts that are there
        private short[] _isThere = [];
        private int _byteCount;
        private int _textCount;
        private int _rows;

        internal override Node CreateNode()
        {
            using LogicalType text = LogicalType.String();
            return new PrimitiveNode(Name, Repetition.Optional, text, PhysicalType.ByteArray);
        }

        internal override void Append(AnnotationRow row)
        {
            Grow(ref _isThere, _rows + 1);
            string? text = value(row);
            _isThere[_rows++] = (short)(text is null ? 0 : 1);
            if (text is null) return;
            Grow(ref _bytes, checked(_byteCount + System.Text.Encoding.UTF8.GetMaxByteCount(text.Length)));
            Grow(ref _lengths, _textCount + 1);
            int length = System.Text.Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_byteCount));
            _lengths[_textCount++] = length;
            _byteCount += length;
        }

        internal override void WriteTo(ColumnWriter writer)
        {
            var texts = new ByteArray[_textCount];
            using (MemoryHandle pinned = _bytes.AsMemory().Pin())
            {
                for (int i = 0, start = 0; i < _textCount; start += _lengths[i++])
                    texts[i] = new ByteArray(Address(pinned) + start, _lengths[i]);
                ((ColumnWriter<ByteArray>)writer).WriteBatch(_rows, _isThere.AsSpan(0, _rows), [], texts);
            }

            _byteCount = _textCount = _rows = 0;
        }

        private static unsafe nint Address(MemoryHandle pinned) => (nint)pinned.Pointer;
    }

    /// <summary>What is stored of an element.</summary>
    private interface IStoring<TElement, TStored>
    {
        /// <returns>False where the element is null.</returns>
        static abstract bool Store(TElement element, out TStored stored);
    }

    private readonly struct Itself : IStoring<int, int>
    {
        public static bool Store(int element, out int stored)
        {
            stored = element;
            return true;
        }
    }

    private readonly struct NumberOrNull : IStoring<float, float>
    {
        public static bool Store(float element, out float stored)
        {
            stored = element;
            return !float.IsNaN(element);
        }
    }

    private readonly struct RoleNumber : IStoring<TokenRole?, int>
    {
        public static bool Store(TokenRole? element, out int stored)
        {
            stored = (int)element.GetValueOrDefault();
            return element is not null;
        }
    }

    /// <summary>A column of lists, in the standard three levels: an optional list, its elements, each of which may be null.</summary>
    private sealed class ListColumn<TElement, TStored, TStoring>(
        string name, PhysicalType type, Func<LogicalType> logicalType, Func<AnnotationRow, TElement[]?> values)
        : ParquetColumn(name)
        where TStored : unmanaged
        where TStoring : IStoring<TElement, TStored>
    {
        private const short NoList = 0, EmptyList = 1, NullElement = 2, Element = 3;

        private TStored[] _values = [];
        private short[] _definition = [];
        private short[] _repetition = [];
        private int _valueCount;
        private int _levelCount;

        internal override Node CreateNode()
        {
            using LogicalType elementType = logicalType(), listType = LogicalType.List();
            using var element = new PrimitiveNode("element", Repetition.Optional, elementType, type);
            using var list = new GroupNode("list", Repetition.Repeated, [element]);
            return new GroupNode(Name, Repetition.Optional, [list], listType);
        }

        internal override void Append(AnnotationRow row)
        {
            TElement[]? list = values(row);
            int levels = Math.Max(1, list?.Length ?? 0);
            Grow(ref _definition, _levelCount + levels);
            Grow(ref _repetition, _levelCount + levels);
            Span<short> definition = _definition.AsSpan(_levelCount, levels), repetition = _repetition.AsSpan(_levelCount, levels);
            _levelCount += levels;
            repetition.Fill(1);
            repetition[0] = 0;
            if (list is null or [])
            {
                definition[0] = list is null ? NoList : EmptyList;
                return;
            }

            Grow(ref _values, _valueCount + list.Length);
            Span<TStored> stored = _values.AsSpan(_valueCount, list.Length);
            int count = 0;
            for (int i = 0; i < list.Length; i++)
            {
                bool isThere = TStoring.Store(list[i], out stored[count]);
                definition[i] = isThere ? Element : NullElement;
                if (isThere) count++;
            }

            _valueCount += count;
        }

        internal override void WriteTo(ColumnWriter writer)
        {
            ((ColumnWriter<TStored>)writer).WriteBatch(
                _levelCount, _definition.AsSpan(0, _levelCount), _repetition.AsSpan(0, _levelCount), _values.AsSpan(0, _valueCount));
            _valueCount = _levelCount = 0;
        }
    }
}
