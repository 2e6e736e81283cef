using System.Runtime.CompilerServices;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Files;

namespace Shad.Data.Corpora;

/// <summary>
/// Streams already tokenized samples, one row at a time: <c>input_ids</c> and <c>labels</c> (unshifted, −100 where no loss is
/// taken), optionally <c>id</c>, <c>weight</c> (null where no target) and <c>role</c> (0, 1 or null). Other fields are passed over, so
/// annotation files are read as they are.
/// </summary>
/// <remarks>
/// Strict: the first row that is wrong ends the reading with its file and line. A row without <c>id</c> takes <c>FILE:LINE</c>. A label on
/// the first token is dropped: it has no context, so no loss exists for it.
/// </remarks>
public static class TokenizedSampleReader
{
    private static readonly HashSet<string> Columns = ["id", "input_ids", "labels", "weight", "role"];

    /// <summary>Reads a file: <c>.jsonl</c> or <c>.json</c>, also with <c>.gz</c> or <c>.zst</c>, or <c>.parquet</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabularySize">Token ids must be below it, where given.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ShadException">The file is missing, of unknown format or damaged, or a row is wrong.</exception>
    public static async IAsyncEnumerable<TokenizedSample> ReadAsync(
        string path, int? vocabularySize = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var parser = new TokenizedRowParser(vocabularySize);
        using var rows = JsonRowReader.Open(path, Columns);
        while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
            yield return parser.Read(rows.Row.Span, new RowSource(path, rows.Number));
    }
}
