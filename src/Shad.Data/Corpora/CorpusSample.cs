using Shad.Core.Samples;

namespace Shad.Data.Corpora;

/// <summary>A piece of a sample's text, either what the model is given or what it is to say.</summary>
/// <param name="Text">The text.</param>
/// <param name="IsResponse">True for what the model is to say (loss is taken there).</param>
public sealed record TextSegment(string Text, bool IsResponse);

/// <summary>A sample as text: the segments of one sequence, in order, with the place it came from.</summary>
/// <param name="Id">The sample's name, unique in the corpus.</param>
/// <param name="Segments">Prompt and response segments in turn.</param>
/// <param name="Source">File and line or row, for messages: <c>corpus.jsonl:17</c>.</param>
public sealed record TextSample(string Id, IReadOnlyList<TextSegment> Segments, string Source)
{
    /// <summary>True where the text is the whole sequence, the beginning-of-sequence token included where the model wants one, as a
    /// model's own template writes it: no token is put before it.</summary>
    public bool IsWholeSequence { get; init; }

    /// <summary>Spans of the concatenated text that are known to be reasoning (specific to the sample), UTF-16 units; null where
    /// the roles are not known. Read from the corpus field <c>reasoning_spans</c> of generated corpora.</summary>
    public IReadOnlyList<(int Start, int End)>? KnownReasoning { get; init; }
}

/// <summary>A sample as tokens with, where it came from text, the text and each token's place in it.</summary>
/// <param name="Tokens">The token sequence and its targets.</param>
/// <param name="Text">The concatenated text of all segments; null for rows that were already tokenized.</param>
/// <param name="OffsetStart">First character of each token in <paramref name="Text"/>, UTF-16 units, <c>[S]</c>.</param>
/// <param name="OffsetEnd">One past the last character of each token, <c>[S]</c>.</param>
public sealed record EncodedSample(TokenizedSample Tokens, string? Text, int[]? OffsetStart, int[]? OffsetEnd)
{
    /// <summary>The known role of each response token, <c>[S]</c>; null where the corpus does not know them. A token is reasoning
    /// where any of its characters is.</summary>
    public TokenRole?[]? KnownRoles { get; init; }

    /// <summary>True where the prompt was cut from the left to fit the context.</summary>
    public bool Truncated { get; init; }
}
