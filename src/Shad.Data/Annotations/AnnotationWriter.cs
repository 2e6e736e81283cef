using Shad.Core.Errors;

namespace Shad.Data.Annotations;

/// <summary>
/// Writes annotations, one row a sample, in constant memory. The file appears under its name on <see cref="Complete"/>; disposed before
/// that, nothing of it remains and a file that had the name stays.
/// </summary>
/// <remarks>
/// Columns: <c>id</c> (text), <c>input_ids</c>, <c>labels</c> (lists of int32), <c>base_loss</c> (list of float32), those of
/// <see cref="AnnotationColumns"/>, <c>offset_start</c>, <c>offset_end</c> (lists of int32, Unicode code points) and <c>text</c>. Lists are aligned with
/// <c>input_ids</c>; an element is null where the token is no target, a list where the row has none. Parquet is zstd-compressed, with
/// standard three-level lists, which pyarrow, pandas, DuckDB and Hugging Face <c>datasets</c> load as they are.
/// </remarks>
public abstract class AnnotationWriter : IDisposable
{
    private protected AnnotationWriter(AnnotationColumns columns) => Columns = columns;

    /// <summary>The optional columns the file has.</summary>
    public AnnotationColumns Columns { get; }

    /// <summary>Rows written so far.</summary>
    public long Count { get; private set; }

    /// <summary>Opens a writer of the format the ending says: <c>.parquet</c> or <c>.jsonl</c>.</summary>
    /// <exception cref="ShadException">The ending says neither, or the file cannot be created.</exception>
    public static AnnotationWriter Create(string path, AnnotationColumns columns = AnnotationColumns.Annotated)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".PARQUET" => new ParquetAnnotationWriter(path, columns),
            ".JSONL" => new JsonAnnotationWriter(path, columns),
            _ => throw AnnotationErrors.UnknownEnding(path),
        };
    }

    /// <summary>Writes one row.</summary>
    /// <exception cref="ArgumentException">A list is not aligned with the tokens, an offset lies outside the text, or the row has losses
    /// or roles that the file has no column for (<c>known_role</c> and <c>weight</c> are left out without a column).</exception>
    /// <exception cref="ShadException">The file cannot be written, as on a full disk; nothing of it remains.</exception>
    public void Write(AnnotationRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        Check(row);
        if (row is { Text: { } text, OffsetStart: { } starts, OffsetEnd: { } ends })
        {
            row = row with
            {
                OffsetStart = CodePoints.FromUtf16(text, starts, areEnds: false),
                OffsetEnd = CodePoints.FromUtf16(text, ends, areEnds: true),
            };
        }

        WriteRow(row);
        Count++;
    }

    /// <summary>Finishes the file and gives it its name.</summary>
    /// <exception cref="ShadException">That failed, as on a full disk; nothing of it remains.</exception>
    public abstract void Complete();

    /// <summary>Releases the file; gives it up unless it is complete.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes one row whose lists are checked and whose offsets are code points.</summary>
    private protected abstract void WriteRow(AnnotationRow row);

    /// <inheritdoc cref="Dispose()"/>
    protected abstract void Dispose(bool disposing);

    private protected bool Has(AnnotationColumns column) => (Columns & column) != 0;

    private void Check(AnnotationRow row)
    {
        int length = row.InputIds.Length;
        CheckLength(row.Labels, "labels");
        CheckLength(row.BaseLoss, "base_loss");
        CheckColumn(row.ProbeLoss, "probe_loss", AnnotationColumns.ProbeLoss);
        CheckColumn(row.LossDifference, "loss_difference", AnnotationColumns.LossDifference);
        CheckColumn(row.ControlLoss, "control_loss", AnnotationColumns.ControlLoss);
        CheckColumn(row.Roles, "role", AnnotationColumns.Role);
        CheckLength(row.KnownRoles, "known_role");
        CheckLength(row.Weights, "weight");
        CheckLength(row.OffsetStart, "offset_start");
        CheckLength(row.OffsetEnd, "offset_end");
        if (row.OffsetStart is null != row.OffsetEnd is null || (row.OffsetStart is not null && row.Text is null))
            throw new ArgumentException($"Row '{row.Id}' needs offset_start, offset_end and text, or none of the offsets.", nameof(row));
        for (int i = 0; i < row.OffsetStart?.Length; i++)
        {
            int start = row.OffsetStart[i], end = row.OffsetEnd![i];
            if (start < 0 || end < start || end > row.Text!.Length)
                throw new ArgumentException($"Row '{row.Id}': token {i} spans [{start},{end}) of {row.Text!.Length} units.", nameof(row));
        }

        void CheckColumn(Array? list, string name, AnnotationColumns column)
        {
            CheckLength(list, name);
            if (list is not null && !Has(column))
                throw new ArgumentException($"Row '{row.Id}' has {name}; the file has no such column.", nameof(row));
        }

        void CheckLength(Array? list, string name)
        {
            if (list is not null && list.Length != length)
                throw new ArgumentException($"Row '{row.Id}' has {list.Length} {name} and {length} input_ids.", nameof(row));
        }
    }
}
