using System.Buffers;
using System.Globalization;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>A token that stands beside the vocabulary and is found in text before anything else.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">True for tokens that steer a model (begin, end, turn), false for mere words.</param>
/// <param name="TakesLeftSpace">Its match takes in the white space before it (<c>lstrip</c>).</param>
/// <param name="TakesRightSpace">Its match takes in the white space after it (<c>rstrip</c>).</param>
/// <param name="IsWholeWord">It matches between characters that are not of words only (<c>single_word</c>).</param>
/// <param name="IsNormalized">It is looked for in the normalized text instead of the original text.</param>
internal sealed record AddedToken(
    int Id, string Content, bool IsSpecial, bool TakesLeftSpace, bool TakesRightSpace, bool IsWholeWord, bool IsNormalized);

/// <summary>Finds added tokens in text: the leftmost first, of several at one place the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<string>? _contents;
    private readonly Dictionary<char, (string Text, AddedToken Token)[]> _byFirst;

    /// <summary>Creates a matcher.</summary>
    /// <param name="tokens">Each token with the text it is found by, not empty.</param>
    public AddedTokenMatcher(IReadOnlyCollection<(string Text, AddedToken Token)> tokens)
    {
        _contents = tokens.Count == 0 ? null : SearchValues.Create([.. tokens.Select(t => t.Text)], StringComparison.Ordinal);
        _byFirst = tokens.GroupBy(t => t.Text[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(t => t.Text.Length).ToArray());
    }

    /// <summary>True where there is nothing to find.</summary>
    public bool IsEmpty => _contents is null;

    /// <summary>Adds the matches in a text, in order and apart, white space that they take in included.</summary>
    public void FindAll(ReadOnlySpan<char> text, List<(int Start, int End, AddedToken Token)> matches)
    {
        if (_contents is null) return;
        var taken = 0; // end of the last match
        for (var at = 0; at < text.Length;)
        {
            var next = text[at..].IndexOfAny(_contents);
            if (next < 0) return;
            var start = at + next;
            var (literal, token) = LongestAt(text, start);
            var end = start + literal.Length;
            at = end;
            if (token.IsWholeWord && (EndsInWord(text[..start]) || BeginsWithWord(text[end..]))) continue;
            if (token.TakesLeftSpace)
            {
                while (start > taken && char.IsWhiteSpace(text[start - 1])) start--;
            }

            if (token.TakesRightSpace)
            {
                while (end < text.Length && char.IsWhiteSpace(text[end])) end++;
            }

            matches.Add((start, end, token));
            taken = end;
            at = end;
        }
    }

    private (string Text, AddedToken Token) LongestAt(ReadOnlySpan<char> text, int start)
    {
        foreach (var candidate in _byFirst[text[start]])
        {
            if (text[start..].StartsWith(candidate.Text, StringComparison.Ordinal)) return candidate;
        }

        throw new InvalidOperationException("The search found a string that is not among the added tokens.");
    }

    private static bool EndsInWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var last, out _) == OperationStatus.Done && IsOfWord(last);

    private static bool BeginsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var first, out _) == OperationStatus.Done && IsOfWord(first);

    private static bool IsOfWord(Rune rune) => rune.Value is '\u200C' or '\u200D' || Rune.GetUnicodeCategory(rune) is // joiners
        <= UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
        or UnicodeCategory.EnclosingMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
        or UnicodeCategory.ConnectorPunctuation;
}
