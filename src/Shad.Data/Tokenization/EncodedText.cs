namespace Shad.Data.Tokenization;

/// <summary>A text as tokens, with the place of each token in the text.</summary>
/// <param name="Ids">Token ids, <c>[S]</c>.</param>
/// <param name="OffsetStart">First character of each token in the text, UTF-16 units, <c>[S]</c>. Tokens that each hold a part of
/// one character's bytes all carry that character's span; a token without text (a beginning-of-sequence token) has an empty
/// span.</param>
/// <param name="OffsetEnd">One past the last character of each token, UTF-16 units, <c>[S]</c>.</param>
public sealed record EncodedText(int[] Ids, int[] OffsetStart, int[] OffsetEnd)
{
    /// <summary>No tokens.</summary>
    public static EncodedText Empty { get; } = new([], [], []);
}
