namespace Shad.Data.Tokenization;

/// <summary>One step of rewriting text before it is split into words.</summary>
internal abstract class TextNormalizer
{
    /// <summary>Rewrites a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="isSequenceStart">True where the text begins a sequence, so that a prefix is wanted.</param>
    public abstract NormalizedText Normalize(NormalizedText text, bool isSequenceStart);
}

/// <summary>Puts a prefix in front of the text that begins a sequence (<c>Prepend</c>, <c>Metaspace</c>, <c>add_prefix_space</c>).</summary>
/// <param name="prefix">The prefix, one character.</param>
/// <param name="onlyWhereAbsent">True: no prefix where the text begins with it already.</param>
internal sealed class PrefixNormalizer(string prefix, bool onlyWhereAbsent) : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, bool isSequenceStart) =>
        !isSequenceStart || text.Text.Length == 0 || (onlyWhereAbsent && text.Text.StartsWith(prefix, StringComparison.Ordinal))
            ? text
            : text.Prepend(prefix);
}

/// <summary>Replaces a literal string (<c>Replace</c> with a <c>String</c> pattern).</summary>
/// <param name="pattern">What is replaced, not empty.</param>
/// <param name="content">What it becomes.</param>
internal sealed class LiteralReplacement(string pattern, string content) : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, bool isSequenceStart)
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
    public override NormalizedText Normalize(NormalizedText text, bool isSequenceStart)
    {
        var matches = new List<(int Start, int End)>();
        pattern.FindAll(text.Text, matches);
        return matches.Count == 0 ? text : Rewriting.ReplaceAll(text, matches, content);
    }
}

/// <summary>Unicode normalization form C (<c>NFC</c>).</summary>
internal sealed class CanonicalNormalizer : TextNormalizer
{
    public override NormalizedText Normalize(NormalizedText text, bool isSequenceStart) => CanonicalComposition.Compose(text);
}

/// <summary>Rewriting that keeps track of where each character came from.</summary>
internal static class Rewriting
{
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
