using System.Globalization;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>What becomes of a delimiter that a <see cref="WordSplitter"/> finds.</summary>
internal enum DelimiterBehavior
{
    /// <summary>It is dropped.</summary>
    Removed,

    /// <summary>It is a word of its own.</summary>
    Isolated,

    /// <summary>It is the end of the word before it.</summary>
    MergedWithPrevious,

    /// <summary>It is the beginning of the word after it.</summary>
    MergedWithNext,

    /// <summary>Delimiters that follow each other are one word.</summary>
    Contiguous,
}

/// <summary>A pre-tokenizer: cuts a text into words, across which no merge goes.</summary>
internal abstract class WordSplitter
{
    /// <summary>Adds the words of a text, in order.</summary>
    public abstract void Split(ReadOnlySpan<char> text, List<(int Start, int End)> words);
}

/// <summary>The whole text as one word.</summary>
internal sealed class NoSplitter : WordSplitter
{
    public override void Split(ReadOnlySpan<char> text, List<(int Start, int End)> words) => words.Add((0, text.Length));
}

/// <summary>
/// Cuts where no merge reaches across, which changes no token: between two characters of which no merge has the one at the end of its
/// left part and the other at the beginning of its right part. Without a pre-tokenizer the whole text is one word; cut so, words are
/// short and met again.
/// </summary>
internal sealed class MergeBoundarySplitter : WordSplitter
{
    private const int Ascii = 0x80;

    private readonly bool[] _joinsAscii = new bool[Ascii * Ascii];
    private readonly HashSet<ulong> _joins = [];

    /// <summary>Creates a splitter.</summary>
    /// <param name="merges">The merges.</param>
    /// <param name="tokens">The string of each token, by id.</param>
    public MergeBoundarySplitter(IEnumerable<TokenMerge> merges, string?[] tokens)
    {
        foreach (var merge in merges)
        {
            Rune.DecodeLastFromUtf16(tokens[merge.Left], out var left, out _);
            Rune.DecodeFromUtf16(tokens[merge.Right], out var right, out _);
            if (left.Value < Ascii && right.Value < Ascii) _joinsAscii[(left.Value * Ascii) + right.Value] = true;
            else _joins.Add(Pair(left.Value, right.Value));
        }
    }

    public override void Split(ReadOnlySpan<char> text, List<(int Start, int End)> words)
    {
        var start = 0;
        var previous = -1;
        for (var at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
            if (previous >= 0 && !Joins(previous, rune.Value))
            {
                words.Add((start, at));
                start = at;
            }

            previous = rune.Value;
            at += length;
        }

        if (start < text.Length) words.Add((start, text.Length));
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private bool Joins(int left, int right) =>
        left < Ascii && right < Ascii ? _joinsAscii[(left * Ascii) + right] : _joins.Contains(Pair(left, right));
}

/// <summary>Cuts at delimiters.</summary>
/// <param name="behavior">What becomes of them.</param>
/// <param name="invert">True: the delimiters are what is between the matches.</param>
internal abstract class DelimiterSplitter(DelimiterBehavior behavior, bool invert) : WordSplitter
{
    [ThreadStatic]
    private static List<(int Start, int End)>? _matches;

    public override void Split(ReadOnlySpan<char> text, List<(int Start, int End)> words)
    {
        var matches = _matches ?? [];
        _matches = null;
        matches.Clear();
        FindMatches(text, matches);

        // As the pieces come, alternating between what matched and what is between:
        var first = words.Count;
        var lastWasDelimiter = false;
        var read = 0;
        if (behavior != DelimiterBehavior.MergedWithNext)
        {
            foreach (var (start, end) in matches)
            {
                if (start > read) Add(read, start, invert);
                Add(start, end, !invert);
                read = end;
            }

            if (text.Length > read) Add(read, text.Length, invert);
        }
        else
        {
            // The mirror image of MergedWithPrevious, from the end.
            read = text.Length;
            for (var i = matches.Count - 1; i >= 0; i--)
            {
                var (start, end) = matches[i];
                if (end < read) AddBefore(end, read, invert);
                AddBefore(start, end, !invert);
                read = start;
            }

            if (read > 0) AddBefore(0, read, invert);
            words.Reverse(first, words.Count - first);
        }

        _matches = matches;

        void Add(int start, int end, bool isDelimiter)
        {
            var joins = words.Count > first && behavior switch
            {
                DelimiterBehavior.Contiguous => isDelimiter == lastWasDelimiter,
                DelimiterBehavior.MergedWithPrevious => isDelimiter && !lastWasDelimiter,
                _ => false,
            };
            lastWasDelimiter = isDelimiter;
            if (joins) words[^1] = (words[^1].Start, end);
            else if (end > start && !(isDelimiter && behavior == DelimiterBehavior.Removed)) words.Add((start, end));
        }

        void AddBefore(int start, int end, bool isDelimiter)
        {
            var joins = words.Count > first && isDelimiter && !lastWasDelimiter;
            lastWasDelimiter = isDelimiter;
            if (joins) words[^1] = (start, words[^1].End);
            else if (end > start) words.Add((start, end));
        }
    }

    /// <summary>Adds the matches, in order and apart.</summary>
    protected abstract void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches);
}

/// <summary>Cuts at what a regular expression matches (<c>Split</c> with a <c>Regex</c>, <c>ByteLevel</c> with <c>use_regex</c>).</summary>
internal sealed class PatternSplitter(UnicodePattern pattern, DelimiterBehavior behavior, bool invert) : DelimiterSplitter(behavior, invert)
{
    /// <summary>The words of GPT-2 (Radford et al. 2019), which <c>ByteLevel</c> uses where no other pattern is given.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    protected override void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches) => pattern.FindAll(text, matches);
}

/// <summary>Cuts at a literal string (<c>Split</c> with a <c>String</c>, <c>Metaspace</c>).</summary>
internal sealed class LiteralSplitter(string literal, DelimiterBehavior behavior, bool invert) : DelimiterSplitter(behavior, invert)
{
    protected override void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        for (var at = 0; at < text.Length;)
        {
            var next = text[at..].IndexOf(literal, StringComparison.Ordinal);
            if (next < 0) return;
            matches.Add((at + next, at + next + literal.Length));
            at += next + literal.Length;
        }
    }
}

/// <summary>Cuts at numbers (<c>Digits</c>): characters of the categories Nd, Nl and No.</summary>
/// <param name="individually">True: each is a word; false: those that follow each other are one word.</param>
internal sealed class DigitSplitter(bool individually)
    : DelimiterSplitter(individually ? DelimiterBehavior.Isolated : DelimiterBehavior.Contiguous, invert: false)
{
    protected override void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        for (var at = 0; at < text.Length;)
        {
            if (text[at] < 0x80)
            {
                if (char.IsAsciiDigit(text[at])) matches.Add((at, at + 1));
                at++;
                continue;
            }

            Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
            if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
                or UnicodeCategory.OtherNumber)
            {
                matches.Add((at, at + length));
            }

            at += length;
        }
    }
}

/// <summary>Cuts at punctuation (<c>Punctuation</c>): characters of the categories P, and the symbols of ASCII.</summary>
internal sealed class PunctuationSplitter(DelimiterBehavior behavior) : DelimiterSplitter(behavior, invert: false)
{
    protected override void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        for (var at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
            if (rune.IsAscii ? char.IsPunctuation((char)rune.Value) || char.IsSymbol((char)rune.Value) : Rune.IsPunctuation(rune))
                matches.Add((at, at + length));
            at += length;
        }
    }
}

/// <summary>Splitters one after the other, each cutting the words of the one before (<c>Sequence</c>).</summary>
internal sealed class SplitterSequence(IReadOnlyList<WordSplitter> splitters) : WordSplitter
{
    public override void Split(ReadOnlySpan<char> text, List<(int Start, int End)> words)
    {
        List<(int Start, int End)> current = [(0, text.Length)];
        List<(int Start, int End)> parts = [];
        foreach (var splitter in splitters)
        {
            List<(int Start, int End)> next = [];
            foreach (var (start, end) in current)
            {
                parts.Clear();
                splitter.Split(text[start..end], parts);
                foreach (var part in parts) next.Add((start + part.Start, start + part.End));
            }

            current = next;
        }

        words.AddRange(current);
    }
}
