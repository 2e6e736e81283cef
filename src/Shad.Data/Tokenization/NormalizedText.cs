namespace Shad.Data.Tokenization;

/// <summary>A text after rewriting, with the span of the original text behind each of its characters.</summary>
/// <remarks>Most texts are not rewritten, or get a prefix only; then the spans are computed and not stored.</remarks>
internal sealed class NormalizedText
{
    private readonly int _origin;
    private readonly int _prefix;
    private readonly int[]? _starts;
    private readonly int[]? _ends;

    private NormalizedText(string text, int origin, int prefix, int[]? starts, int[]? ends)
    {
        Text = text;
        _origin = origin;
        _prefix = prefix;
        _starts = starts;
        _ends = ends;
    }

    /// <summary>The rewritten text.</summary>
    public string Text { get; }

    /// <summary>A piece of the original text, not rewritten.</summary>
    /// <param name="text">The piece.</param>
    /// <param name="origin">Where it begins in the original text.</param>
    public static NormalizedText Of(string text, int origin) => new(text, origin, 0, null, null);

    /// <summary>Where the character at an index begins in the original text.</summary>
    public int OriginalStart(int index) => _starts is null ? _origin + Math.Max(0, index - _prefix) : _starts[index];

    /// <summary>Where the character at an index ends in the original text.</summary>
    public int OriginalEnd(int index) => _ends is null ? _origin + Math.Max(0, index + 1 - _prefix) : _ends[index];

    /// <summary>Puts characters in front that are not in the original text: their span is empty.</summary>
    public NormalizedText Prepend(string prefix)
    {
        if (_starts is null) return new NormalizedText(prefix + Text, _origin, _prefix + prefix.Length, null, null);
        var starts = new int[_starts.Length + prefix.Length];
        var ends = new int[starts.Length];
        starts.AsSpan(0, prefix.Length).Fill(_starts.Length == 0 ? _origin : _starts[0]);
        ends.AsSpan(0, prefix.Length).Fill(_starts.Length == 0 ? _origin : _starts[0]);
        _starts.CopyTo(starts, prefix.Length);
        _ends!.CopyTo(ends, prefix.Length);
        return new NormalizedText(prefix + Text, _origin, 0, starts, ends);
    }

    /// <summary>Replaces one character by another wherever it occurs.</summary>
    public NormalizedText Replace(char from, char to) =>
        Text.Contains(from, StringComparison.Ordinal) ? new NormalizedText(Text.Replace(from, to), _origin, _prefix, _starts, _ends) : this;

    /// <summary>Another text, each of whose characters comes from a range of characters of this one.</summary>
    /// <param name="text">The rewritten text.</param>
    /// <param name="from">First character of this text behind each character of <paramref name="text"/>.</param>
    /// <param name="to">One past the last character of this text behind each character; equal to <paramref name="from"/> where
    /// there is none.</param>
    public NormalizedText Rewrite(string text, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        var starts = new int[text.Length];
        var ends = new int[text.Length];
        for (var i = 0; i < starts.Length; i++)
        {
            starts[i] = from[i] < Text.Length ? OriginalStart(from[i]) : Text.Length == 0 ? _origin : OriginalEnd(Text.Length - 1);
            ends[i] = to[i] > from[i] ? OriginalEnd(to[i] - 1) : starts[i];
        }

        return new NormalizedText(text, _origin, 0, starts, ends);
    }

    /// <summary>A part of this text.</summary>
    public NormalizedText Slice(int start, int end)
    {
        if (start == 0 && end == Text.Length) return this;
        return _starts is null
            ? new NormalizedText(Text[start..end], _origin + Math.Max(0, start - _prefix), Math.Max(0, _prefix - start), null, null)
            : new NormalizedText(Text[start..end], _origin, 0, _starts[start..end], _ends![start..end]);
    }
}
