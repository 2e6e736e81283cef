using Apache.Arrow;
using Apache.Arrow.Types;
using ParquetSharp;
using ParquetSharp.Arrow;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Files;

namespace Shad.Data.Annotations;

/// <summary>Annotations as Parquet. Rows are gathered up to <see cref="TokensPerRowGroup"/> and written as one row group.</summary>
internal sealed class ParquetAnnotationWriter : AnnotationWriter
{
    /// <summary>Tokens after which a row group is written: at most 12 lists of 4 bytes, about 50 MB in memory.</summary>
    internal const int TokensPerRowGroup = 1 << 20;

    private const long TextPerRowGroup = 1 << 26;

    private readonly AtomicFile _file;
    private readonly FileWriter _writer;
    private readonly Schema _schema;
    private readonly Column[] _columns;
    private long _tokens;
    private long _text;
    private int _rows;

    internal ParquetAnnotationWriter(string path, AnnotationColumns columns)
        : base(columns)
    {
        Column?[] all =
        [
            Column.Text("id", static row => row.Id),
            Column.Integers("input_ids", static row => row.InputIds),
            Column.Integers("labels", static row => row.Labels),
            Column.Numbers("base_loss", static row => row.BaseLoss),
            Has(AnnotationColumns.ProbeLoss) ? Column.Numbers("probe_loss", static row => row.ProbeLoss) : null,
            Has(AnnotationColumns.ControlLoss) ? Column.Numbers("control_loss", static row => row.ControlLoss) : null,
            Has(AnnotationColumns.LossDifference) ? Column.Numbers("loss_difference", static row => row.LossDifference) : null,
            Has(AnnotationColumns.Role) ? Column.Roles("role", static row => row.Roles) : null,
            Has(AnnotationColumns.KnownRole) ? Column.Roles("known_role", static row => row.KnownRoles) : null,
            Has(AnnotationColumns.Weight) ? Column.Numbers("weight", static row => row.Weights) : null,
            Column.Integers("offset_start", static row => row.OffsetStart),
            Column.Integers("offset_end", static row => row.OffsetEnd),
            Column.Text("text", static row => row.Text),
        ];
        _columns = [.. all.OfType<Column>()];
        _schema = new Schema(_columns.Select(static column => column.Field), metadata: null);
        _file = AtomicFile.Create(path);
        try
        {
            using var builder = new WriterPropertiesBuilder();
            builder.Compression(Compression.Zstd).CompressionLevel(3).MaxRowGroupLength(int.MaxValue);

            // Losses hardly repeat: a dictionary of them is built, found useless and thrown away.
            foreach (string name in (string[])["base_loss", "probe_loss", "control_loss", "loss_difference"])
                builder.DisableDictionary($"{name}.list.element");
            using var properties = builder.Build();
            _writer = new FileWriter(_file.Stream, _schema, properties, leaveOpen: true);
        }
        catch (Exception e) when (e is IOException or ParquetException)
        {
            throw _file.CannotWrite(e);
        }
    }

    public override void Complete()
    {
        if (_rows > 0) WriteRowGroup();
        try
        {
            _writer.Close();
        }
        catch (Exception e) when (e is IOException or ParquetException)
        {
            throw _file.CannotWrite(e);
        }

        _file.Complete();
    }

    private protected override void WriteRow(AnnotationRow row)
    {
        foreach (var column in _columns) column.Append(row);
        _rows++;
        _tokens += row.InputIds.Length;
        _text += row.Text?.Length ?? 0;
        if (_tokens >= TokensPerRowGroup || _text >= TextPerRowGroup) WriteRowGroup();
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        try
        {
            _writer.Dispose();
        }
        catch (Exception e) when (e is IOException or ParquetException or ObjectDisposedException)
        {
            // The file is given up; its footer is not missed.
        }

        _file.Dispose();
    }

    private void WriteRowGroup()
    {
        try
        {
            using var batch = new RecordBatch(_schema, _columns.Select(static column => column.Build()), _rows);
            _writer.WriteRecordBatch(batch, chunkSize: _rows);
        }
        catch (Exception e) when (e is IOException or ParquetException)
        {
            throw _file.CannotWrite(e);
        }

        _rows = 0;
        _tokens = _text = 0;
    }

    /// <summary>One column and the values gathered for the current row group.</summary>
    private sealed class Column
    {
        private readonly Action<AnnotationRow> _append;
        private readonly Func<IArrowArray> _build;

        private Column(Field field, Action<AnnotationRow> append, Func<IArrowArray> build)
        {
            Field = field;
            _append = append;
            _build = build;
        }

        internal Field Field { get; }

        internal void Append(AnnotationRow row) => _append(row);

        /// <summary>The gathered values; the column is empty again after.</summary>
        internal IArrowArray Build() => _build();

        internal static Column Text(string name, Func<AnnotationRow, string?> value)
        {
            var builder = new StringArray.Builder();
            return new Column(new Field(name, StringType.Default, nullable: true), row => builder.Append(value(row)), Build);

            StringArray Build()
            {
                var array = builder.Build();
                builder = new StringArray.Builder();
                return array;
            }
        }

        internal static Column Integers(string name, Func<AnnotationRow, int[]?> values) => List<Int32Array.Builder>(
            name, Int32Type.Default, (row, builder) => values(row) is { } list ? () => builder.Append(list.AsSpan()) : null);

        internal static Column Numbers(string name, Func<AnnotationRow, float[]?> values) => List<FloatArray.Builder>(
            name,
            FloatType.Default,
            (row, builder) => values(row) is not { } list ? null : () =>
            {
                foreach (float value in list)
                {
                    if (float.IsNaN(value)) builder.AppendNull();
                    else builder.Append(value);
                }
            });

        internal static Column Roles(string name, Func<AnnotationRow, TokenRole?[]?> values) => List<Int8Array.Builder>(
            name,
            Int8Type.Default,
            (row, builder) => values(row) is not { } list ? null : () =>
            {
                foreach (var value in list)
                {
                    if (value is { } role) builder.Append((sbyte)role);
                    else builder.AppendNull();
                }
            });

        /// <param name="name">Name of the column.</param>
        /// <param name="type">Type of the elements.</param>
        /// <param name="fill">How a row's elements go into the builder; null where the row has no list.</param>
        private static Column List<TBuilder>(string name, IArrowType type, Func<AnnotationRow, TBuilder, Action?> fill)
            where TBuilder : IArrowArrayBuilder
        {
            var element = new Field("element", type, nullable: true);
            var builder = new ListArray.Builder(element);
            return new Column(new Field(name, new ListType(element), nullable: true), Append, Build);

            void Append(AnnotationRow row)
            {
                if (fill(row, (TBuilder)builder.ValueBuilder) is { } append)
                {
                    builder.Append();
                    append();
                }
                else
                {
                    builder.AppendNull();
                }
            }

            ListArray Build()
            {
                var array = builder.Build();
                builder = new ListArray.Builder(element);
                return array;
            }
        }
    }
}
