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
    /// <summary>Reads a <c>.jsonl</c> file, also as <c>.jsonl.gz</c> or <c>.jsonl.zst</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabularySize">Token ids must be below it, where given.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ShadException">The file is missing, of unknown format or damaged, or a row is wrong.</exception>
    public static async IAsyncEnumerable<TokenizedSample> ReadAsync(
        string path, int? vocabularySize = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (InputFile.FormatOf(path) != InputFormat.JsonLines)
            throw FileErrors.UnknownEnding(path, ".jsonl, also with .gz or .zst");
        var row = new TokenizedRowBuilder(vocabularySize);
        using var lines = new LineReader(path);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false))
            yield return row.Read(lines.Line.Span, new RowSource(path, lines.LineNumber));
    }
}
