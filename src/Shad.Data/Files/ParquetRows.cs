using System.Buffers;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using ParquetSharp;
using ParquetSharp.Arrow;
using Shad.Core.Errors;

namespace Shad.Data.Files;

/// <summary>
/// The rows of a Parquet file as JSON objects. Nulls are left out of objects (a struct column holds a value for every field of
/// every row; what a row does not have is null there), and kept in lists. A number that JSON cannot write is null.
/// </summary>
internal sealed class ParquetRows : JsonRowReader
{
    private const int RowsPerBatch = 256;

    private readonly FileReader _file;
    private readonly IArrowArrayStream? _batches;
    private readonly ArrayBufferWriter<byte> _buffer = new(1 << 14);
    private readonly Utf8JsonWriter _json;
    private RecordBatch? _batch;
    private int _rowInBatch;

    /// <exception cref="ShadException">The file cannot be read or is no Parquet file.</exception>
    internal ParquetRows(string path, IReadOnlySet<string> columns)
        : base(path)
    {
        _json = new Utf8JsonWriter(
            _buffer,
            new JsonWriterOptions { Encoder = MinimalJsonEncoder.Instance, SkipValidation = true });
        try
        {
            // Buffered streams and no read-ahead of whole row groups: memory stays that of a batch, however large the groups are.
            using var readerProperties = ReaderProperties.GetDefaultReaderProperties();
            readerProperties.EnableBufferedStream();
            using var arrowProperties = ArrowReaderProperties.GetDefault();
            arrowProperties.BatchSize = RowsPerBatch;
            arrowProperties.PreBuffer = false;
            arrowProperties.UseThreads = false;
            _file = new FileReader(path, readerProperties, arrowProperties);
            int[] leaves = LeavesOf(_file, columns);
            if (leaves.Length > 0) _batches = _file.GetRecordBatchReader(columns: leaves);
        }
        catch (ParquetException e)
        {
            _file?.Dispose();
            _json.Dispose();
            throw FileErrors.Damaged(path, e);
        }
    }

    /// <summary>The number of rows of a file, from its metadata.</summary>
    /// <exception cref="ShadException">The file cannot be read or is no Parquet file.</exception>
    internal static long Count(string path)
    {
        InputFile.CheckExists(path);
        try
        {
            using var file = new ParquetFileReader(path);
            return file.FileMetaData.NumRows;
        }
        catch (ParquetException e)
        {
            throw FileErrors.Damaged(path, e);
        }
    }

    internal override async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        while (_batch is null || _rowInBatch == _batch.Length)
        {
            _batch?.Dispose();
            _batch = null;
            if (_batches is null) return false;
            try
            {
                _batch = await _batches.ReadNextRecordBatchAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // Damage shows as ParquetException or as a plain exception of the Arrow stream, depending on where it lies.
                throw FileErrors.Damaged($"{Path}:{Number + 1}", e);
            }

            if (_batch is null) return false;
            _rowInBatch = 0;
        }

        _buffer.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
        for (int i = 0; i < _batch.ColumnCount; i++)
        {
            var column = _batch.Column(i);
            if (column.IsNull(_rowInBatch)) continue;
            string name = _batch.Schema.GetFieldByIndex(i).Name;
            _json.WritePropertyName(name);
            WriteValue(column, _rowInBatch, name);
        }

        _json.WriteEndObject();
        _json.Flush();
        Row = _buffer.WrittenMemory;
        _rowInBatch++;
        Number++;
        return true;
    }

    public override void Dispose()
    {
        _batch?.Dispose();
        _batches?.Dispose();
        _file.Dispose();
        _json.Dispose();
    }

    private static int[] LeavesOf(FileReader file, IReadOnlySet<string> columns)
    {
        var leaves = new List<int>();
        foreach (var field in file.SchemaManifest.SchemaFields)
        {
            if (columns.Contains(field.Field.Name)) AddLeaves(field, leaves);
        }

        return [.. leaves];
    }

    private static void AddLeaves(SchemaField field, List<int> leaves)
    {
        if (field.ColumnIndex >= 0) leaves.Add(field.ColumnIndex);
        foreach (var child in field.Children) AddLeaves(child, leaves);
    }

    private void WriteValue(IArrowArray array, int index, string column)
    {
        if (array.IsNull(index))
        {
            _json.WriteNullValue();
            return;
        }

        switch (array)
        {
            case StringArray text: _json.WriteStringValue(text.GetBytes(index, out _)); break;
            case LargeStringArray text: _json.WriteStringValue(text.GetString(index)); break;
            case StringViewArray text: _json.WriteStringValue(text.GetBytes(index, out _)); break;
            case Int32Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case Int64Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case Int16Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case Int8Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case UInt8Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case UInt16Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case UInt32Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case UInt64Array numbers: _json.WriteNumberValue(numbers.Values[index]); break;
            case FloatArray numbers: WriteNumber(numbers.Values[index]); break;
            case DoubleArray numbers: WriteNumber(numbers.Values[index]); break;
            case HalfFloatArray numbers: WriteNumber((float)numbers.Values[index]); break;
            case BooleanArray flags: _json.WriteBooleanValue(flags.GetValue(index) == true); break;
            case LargeListArray list:
                WriteList(list.Values, checked((int)list.ValueOffsets[index]), list.GetValueLength(index), column);
                break;
            case ListArray list: WriteList(list.Values, list.ValueOffsets[index], list.GetValueLength(index), column); break;
            case FixedSizeListArray list:
                int size = ((Apache.Arrow.Types.FixedSizeListType)list.Data.DataType).ListSize;
                WriteList(list.Values, (list.Offset + index) * size, size, column);
                break;
            case DictionaryArray dictionary: WriteDictionaryValue(dictionary, index, column); break;
            case StructArray structure: WriteStruct(structure, index, column); break;
            default: throw FileErrors.UnsupportedColumn(Path, column, array.Data.DataType.Name);
        }
    }

    private void WriteNumber(float value)
    {
        if (float.IsFinite(value)) _json.WriteNumberValue(value);
        else _json.WriteNullValue();
    }

    private void WriteNumber(double value)
    {
        if (double.IsFinite(value)) _json.WriteNumberValue(value);
        else _json.WriteNullValue();
    }

    private void WriteList(IArrowArray values, int start, int length, string column)
    {
        _json.WriteStartArray();
        for (int i = start; i < start + length; i++) WriteValue(values, i, column);
        _json.WriteEndArray();
    }

    private void WriteDictionaryValue(DictionaryArray dictionary, int index, string column)
    {
        int key = dictionary.Indices switch
        {
            Int32Array keys => keys.Values[index],
            Int16Array keys => keys.Values[index],
            Int8Array keys => keys.Values[index],
            Int64Array keys => checked((int)keys.Values[index]),
            _ => throw FileErrors.UnsupportedColumn(Path, column, "dictionary with keys of type " + dictionary.Indices.Data.DataType.Name),
        };
        WriteValue(dictionary.Dictionary, key, column);
    }

    private void WriteStruct(StructArray structure, int index, string column)
    {
        var type = (Apache.Arrow.Types.StructType)structure.Data.DataType;
        _json.WriteStartObject();
        for (int i = 0; i < structure.Fields.Count; i++)
        {
            var field = structure.Fields[i];
            if (field.IsNull(index)) continue;
            _json.WritePropertyName(type.Fields[i].Name);
            WriteValue(field, index, column);
        }

        _json.WriteEndObject();
    }
}
