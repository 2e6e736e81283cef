using ParquetSharp;
using ParquetSharp.IO;
using ParquetSharp.Schema;
using Shad.Data.Files;

namespace Shad.Data.Annotations;

/// <summary>Annotations as Parquet. Rows are gathered up to <see cref="TokensPerRowGroup"/> and written as one row group.</summary>
internal sealed class ParquetAnnotationWriter : AnnotationWriter
{
    /// <summary>Tokens after which a row group is written: at most 12 lists of 8 bytes, about 50 MB in memory.</summary>
    internal const int TokensPerRowGroup = 1 << 19;

    private const long TextPerRowGroup = 1 << 25;

    private readonly AtomicFile _file;
    private readonly ManagedOutputStream _output;
    private readonly ParquetFileWriter _writer;
    private readonly ParquetColumn[] _columns;
    private long _tokens;
    private long _text;
    private int _rows;

    internal ParquetAnnotationWriter(string path, AnnotationColumns columns)
        : base(columns)
    {
        ParquetColumn?[] all =
        [
            ParquetColumn.Text("id", static row => row.Id),
            ParquetColumn.Integers("input_ids", static row => row.InputIds),
            ParquetColumn.Integers("labels", static row => row.Labels),
            ParquetColumn.Numbers("base_loss", static row => row.BaseLoss),
            Has(AnnotationColumns.ProbeLoss) ? ParquetColumn.Numbers("probe_loss", static row => row.ProbeLoss) : null,
            Has(AnnotationColumns.ControlLoss) ? ParquetColumn.Numbers("control_loss", static row => row.ControlLoss) : null,
            Has(AnnotationColumns.LossDifference) ? ParquetColumn.Numbers("loss_difference", static row => row.LossDifference) : null,
            Has(AnnotationColumns.Role) ? ParquetColumn.Roles("role", static row => row.Roles) : null,
            Has(AnnotationColumns.KnownRole) ? ParquetColumn.Roles("known_role", static row => row.KnownRoles) : null,
            Has(AnnotationColumns.Weight) ? ParquetColumn.Numbers("weight", static row => row.Weights) : null,
            ParquetColumn.Integers("offset_start", static row => row.OffsetStart),
            ParquetColumn.Integers("offset_end", static row => row.OffsetEnd),
            ParquetColumn.Text("text", static row => row.Text),
        ];
        _columns = [.. all.OfType<ParquetColumn>()];
        _file = AtomicFile.Create(path);
        try
        {
            using var builder = new WriterPropertiesBuilder();
            builder.Compression(Compression.Zstd).CompressionLevel(3).MaxRowGroupLength(int.MaxValue);

            // Losses hardly repeat: a dictionary of them is built, found useless and thrown away.
            foreach (string name in (string[])["base_loss", "probe_loss", "control_loss", "loss_difference"])
                builder.DisableDictionary($"{name}.list.element");
            using var properties = builder.Build();
            Node[] nodes = [.. _columns.Select(static column => column.CreateNode())];
            using var schema = new GroupNode("schema", Repetition.Required, nodes);
            foreach (Node node in nodes) node.Dispose();
            _output = new ManagedOutputStream(_file.Stream, leaveOpen: true);
            _writer = new ParquetFileWriter(_output, schema, properties);
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

        _output.Dispose();
        _file.Dispose();
    }

    private void WriteRowGroup()
    {
        try
        {
            using RowGroupWriter group = _writer.AppendRowGroup();
            foreach (var column in _columns)
            {
                using ColumnWriter writer = group.NextColumn();
                column.WriteTo(writer);
            }

            group.Close();
        }
        catch (Exception e) when (e is IOException or ParquetException)
        {
            throw _file.CannotWrite(e);
        }

        _rows = 0;
        _tokens = _text = 0;
    }
}
