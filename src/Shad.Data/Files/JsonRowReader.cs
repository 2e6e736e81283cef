using Shad.Core.Errors;

namespace Shad.Data.Files;

/// <summary>
/// The rows of an input file as JSON objects, one at a time, whatever the file's format: JSON Lines, a JSON array or Parquet. So
/// that a row means the same in each of them, one parser reads them all.
/// </summary>
internal abstract class JsonRowReader(string path) : IDisposable
{
    internal string Path { get; } = path;

    /// <summary>The current row, UTF-8; valid until the next call of <see cref="ReadAsync"/>.</summary>
    internal ReadOnlyMemory<byte> Row { get; private protected set; }

    /// <summary>1-based number of the current line (JSON Lines, blank lines counted) or row (JSON array, Parquet).</summary>
    internal long Number { get; private protected set; }

    /// <summary>Opens a file by its ending. A <c>.json</c> file whose first character is not <c>[</c> is read as JSON Lines.</summary>
    /// <param name="path">The file.</param>
    /// <param name="columns">Parquet columns to read, where the file has them; the others are left alone.</param>
    /// <exception cref="ShadException">The file is missing, of unknown format, or cannot be opened.</exception>
    internal static JsonRowReader Open(string path, IReadOnlySet<string> columns)
    {
        var format = InputFile.FormatOf(path);
        InputFile.CheckExists(path);
        return format switch
        {
            InputFormat.Parquet => new ParquetRows(path, columns),
            InputFormat.JsonArray when JsonArrayRows.IsArray(path) => new JsonArrayRows(path),
            _ => new JsonLineRows(path),
        };
    }

    /// <summary>The number of rows of a file.</summary>
    /// <exception cref="ShadException">The file is missing, of unknown format, cannot be read or is damaged.</exception>
    internal static async ValueTask<long> CountAsync(string path, CancellationToken cancellationToken)
    {
        if (InputFile.FormatOf(path) == InputFormat.Parquet) return ParquetRows.Count(path);
        long count = 0;
        using var rows = Open(path, new HashSet<string>());
        while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false)) count++;
        return count;
    }

    /// <summary>Moves to the next row.</summary>
    /// <returns>False at the end of the file.</returns>
    /// <exception cref="ShadException">The file cannot be read or is damaged.</exception>
    internal abstract ValueTask<bool> ReadAsync(CancellationToken cancellationToken);

    public abstract void Dispose();
}
