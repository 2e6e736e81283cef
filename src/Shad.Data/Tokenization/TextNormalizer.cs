using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>What stands before a text.</summary>
internal enum TextPlace
{
    /// <summary>Nothing: the text begins a sequence.</summary>
    SequenceStart,

    /// <summary>An added token.</summary>
    AfterAddedToken,

    /// <summary>Other text.</summary>
    Continuation,
}

/// <summary>One step of rewriting text before it is split into words.</summary>
internal abstract class TextNormalizer
{
    /// <summary>Rewrites a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="place">What stands before it, so that a prefix is wanted or not.</param>
    public abstract NormalizedText Normalize(NormalizedText text, TextPlace place);
}

/// <summary>Puts a prefix in front of a text (<c>Prepend</c>, <c>Metaspace</c>, <c>add_prefix_space</c>).</summary>
/// <param name="prefix">The prefix, one character.</param>
/// <param name="onlyWhereAbsent">True: no prefix where the text begins with it already.</param>
/// <param name="onlyAtStart">True: in front of the text that begins a sequence; false: in front of every text after an added token too.</param>
internal sealed class PrefixNormalizer(string prefix, bool onlyWhereAbsent, bool onlyAtStart) : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, TextPlace place) =>
        place > (onlyAtStart ? TextPlace.SequenceStart : TextPlace.AfterAddedToken) || text.Text.Length == 0
        || (onlyWhereAbsent && text.Text.StartsWith(prefix, StringComparison.Ordinal))
            ? text
            : text.Prepend(prefix);
}

/// <summary>Replaces a literal string (<c>Replace</c> with a <c>String</c> pattern).</summary>
/// <param name="pattern">What is replaced, not empty.</param>
/// <param name="content">What it becomes.</param>
internal sealed class LiteralReplacement(string pattern, string content) : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, TextPlace place)
    {
        if (pattern.Length == 1 && content.Length == 1) return text.Replace(pattern[0], content[0]);
        if (!text.Text.Contains(pattern, StringComparison.Ordinal)) return text;
        var matches = new List<(int Start, int End)>();
        for (var at = text.Text.IndexOf(pattern, StringComparison.Ordinal); at >= 0;
             at = text.Text.IndexOf(pattern, at + pattern.Length, StringComparison.Ordinal))
        {
            matches.Add((at, at + pattern.Length));
        }

        return Rewriting.ReplaceAll(text, matches, content);
    }
}

/// <summary>Replaces what a regular expression matches (<c>Replace</c> with a <c>Regex</c> pattern).</summary>
/// <param name="pattern">What is replaced.</param>
/// <param name="content">What it becomes, literally.</param>
internal sealed class PatternReplacement(UnicodePattern pattern, string content) : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, TextPlace place)
    {
        var matches = new List<(int Start, int End)>();
        pattern.FindAll(text.Text, matches);
        return matches.Count == 0 ? text : Rewriting.ReplaceAll(text, matches, content);
    }
}

/// <summary>A Unicode normalization form (<c>NFC</c>, <c>NFD</c>, <c>NFKC</c>, <c>NFKD</c>).</summary>
internal sealed class FormNormalizer(UnicodeForm form) : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, TextPlace place) => UnicodeNormalization.Normalize(text, form);
}

/// <summary>Small letters for capitals (<c>Lowercase</c>), by Unicode's default mapping without regard to context.</summary>
internal sealed class LowercaseNormalizer : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, TextPlace place)
    {
        if (!text.Text.AsSpan().ContainsAnyInRange('A', 'Z') && Ascii.IsValid(text.Text)) return text;
        return Rewriting.EachRune(text, static rune => rune.Value == 0x130 ? "i\u0307" : Rune.ToLowerInvariant(rune).ToString());
    }
}

/// <summary>Drops marks (<c>StripAccents</c>); letters lose theirs where form D comes before.</summary>
internal sealed class AccentRemoval : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, TextPlace place) =>
        Ascii.IsValid(text.Text)
            ? text
            : Rewriting.EachRune(text, static rune => Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark
                or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark ? "" : rune.ToString());
}

/// <summary>Drops white space at the ends (<c>Strip</c>).</summary>
internal sealed class SpaceRemoval(bool left, bool right) : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, TextPlace place)
    {
        var start = 0;
        var end = text.Text.Length;
        while (left && start < end && char.IsWhiteSpace(text.Text[start])) start++;
        while (right && end > start && char.IsWhiteSpace(text.Text[end - 1])) end--;
        return text.Slice(start, end);
    }
}

/// <summary>Rewriting that keeps track of where each character came from.</summary>
internal static class Rewriting
{
    /// <summary>Replaces each code point by a string, empty to drop it; half of a surrogate pair stays.</summary>
    public static NormalizedText EachRune(NormalizedText text, Func<Rune, string> replace)
    {
        var characters = new StringBuilder(text.Text.Length);
        var from = new List<int>(text.Text.Length);
        var to = new List<int>(text.Text.Length);
        for (var at = 0; at < text.Text.Length;)
        {
            var isWhole = Rune.DecodeFromUtf16(text.Text.AsSpan(at), out var rune, out var length) == OperationStatus.Done;
            var replaced = isWhole ? replace(rune) : text.Text.Substring(at, length);
            characters.Append(replaced);
            for (var i = 0; i < replaced.Length; i++)
            {
                from.Add(at);
                to.Add(at + length);
            }

            at += length;
        }

        var rewritten = characters.ToString();
        return string.Equals(rewritten, text.Text, StringComparison.Ordinal)
            ? text
            : text.Rewrite(rewritten, CollectionsMarshal.AsSpan(from), CollectionsMarshal.AsSpan(to));
    }

    /// <summary>Replaces ranges of a text; every character of the replacement carries the span of the whole range.</summary>
    /// <param name="text">The text.</param>
    /// <param name="ranges">The ranges, ascending and apart.</param>
    /// <param name="content">What each becomes.</param>
    public static NormalizedText ReplaceAll(NormalizedText text, List<(int Start, int End)> ranges, string content)
    {
        var length = text.Text.Length;
        foreach (var (start, end) in ranges) length += content.Length - (end - start);
        var characters = new char[length];
        var from = new int[length];
        var to = new int[length];
        var count = 0;
        var read = 0;
        foreach (var (start, end) in ranges)
        {
            CopyUntil(start);
            foreach (var character in content)
            {
                characters[count] = character;
                from[count] = start;
                to[count++] = end;
            }

            read = end;
        }

        CopyUntil(text.Text.Length);
        return text.Rewrite(new string(characters), from, to);

        void CopyUntil(int limit)
        {
            for (; read < limit; read++)
            {
                characters[count] = text.Text[read];
                from[count] = read;
                to[count++] = read + 1;
            }
        }
    }
}
