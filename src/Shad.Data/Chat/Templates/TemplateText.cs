using System.Text;

namespace Shad.Data.Chat.Templates;

/// <summary>What is known of a piece of rendered text.</summary>
internal enum TextOrigin
{
    /// <summary>It comes from a field of a message of the conversation.</summary>
    Field,

    /// <summary>It was written in the turn of a loop over the messages that belongs to this message.</summary>
    Turn,

    /// <summary>It was written between <c>{% generation %}</c> and <c>{% endgeneration %}</c>.</summary>
    Generation,
}

/// <summary>A piece of a text with its origin.</summary>
/// <param name="Start">First character, UTF-16 units.</param>
/// <param name="End">One past the last character.</param>
/// <param name="Origin">What is known of it.</param>
/// <param name="Message">Index of the message; −1 for <see cref="TextOrigin.Generation"/>.</param>
/// <param name="SourceStart">First character of what it stands for in the message's content; −1 where it comes from another field.</param>
/// <param name="SourceEnd">One past the last character of that. Where source and piece are equally long, their characters stand for each
/// other one by one; else the piece as a whole stands for the source as a whole.</param>
internal readonly record struct TextSpan(int Start, int End, TextOrigin Origin, int Message, int SourceStart, int SourceEnd)
{
    internal int Length => End - Start;

    private bool IsExact => SourceStart >= 0 && SourceEnd - SourceStart == Length;

    /// <summary>The part within <c>[start, end)</c>, shifted by <paramref name="shift"/>; false where there is none.</summary>
    internal bool TryClip(int start, int end, int shift, out TextSpan clipped)
    {
        int from = Math.Max(Start, start);
        int to = Math.Min(End, end);
        clipped = this with { Start = from + shift, End = to + shift };
        if (IsExact) clipped = clipped with { SourceStart = SourceStart + from - Start, SourceEnd = SourceEnd - (End - to) };
        return from < to;
    }

    /// <summary>The part of the piece that stands for <c>[start, end)</c> of the content; false where there is none.</summary>
    internal bool TryFind(int start, int end, out int pieceStart, out int pieceEnd)
    {
        (pieceStart, pieceEnd) = (Start, End);
        if (SourceStart < 0 || SourceStart >= end || SourceEnd <= start) return false;
        if (IsExact) (pieceStart, pieceEnd) = (Start + Math.Max(0, start - SourceStart), End - Math.Max(0, SourceEnd - end));
        return pieceStart < pieceEnd;
    }
}

/// <summary>Collects text and the origins of its pieces, up to a bound.</summary>
internal sealed class TextBuilder(int maximumLength = TextBuilder.DefaultMaximum)
{
    /// <summary>Longest text a template may make, UTF-16 units.</summary>
    internal const int DefaultMaximum = 1 << 24;

    private readonly StringBuilder _text = new();
    private List<TextSpan>? _spans;

    internal int Length => _text.Length;

    internal TextBuilder Append(string text)
    {
        _text.Append(text);
        return Check();
    }

    internal TextBuilder Append(char c)
    {
        _text.Append(c);
        return this;
    }

    internal TextBuilder Append(TextValue text) => Append(text, 0, text.Value.Length);

    /// <summary>Appends <c>[start, end)</c> of a text.</summary>
    internal TextBuilder Append(TextValue text, int start, int end)
    {
        int shift = _text.Length - start;
        _text.Append(text.Value, start, end - start);
        foreach (TextSpan span in text.Spans)
        {
            if (span.TryClip(start, end, shift, out TextSpan clipped)) (_spans ??= []).Add(clipped);
        }

        return Check();
    }

    /// <summary>Appends a text that stands for <c>[start, end)</c> of another, of whose origin it is.</summary>
    internal TextBuilder AppendFor(string text, TextValue source, int start, int end)
    {
        int at = _text.Length;
        _text.Append(text);
        if (text.Length == 0) return this;
        foreach (TextSpan span in source.Spans)
        {
            if (span.TryClip(start, end, 0, out TextSpan clipped))
                (_spans ??= []).Add(clipped with { Start = at, End = at + text.Length });
        }

        return Check();
    }

    /// <summary>Notes the origin of what was written from <paramref name="start"/> on.</summary>
    internal void Mark(int start, TextOrigin origin, int message)
    {
        if (_text.Length > start) (_spans ??= []).Add(new TextSpan(start, _text.Length, origin, message, -1, -1));
    }

    internal TextValue ToText() => new(_text.ToString(), _spans?.ToArray() ?? []);

    private TextBuilder Check() => _text.Length <= maximumLength
        ? this
        : throw new TemplateFault($"the text grows beyond {maximumLength:N0} characters");
}

/// <summary>Python's rules of text that differ from .NET's.</summary>
internal static class PythonText
{
    /// <summary>What <c>str.isspace</c> says: .NET's white space and the four separators U+001C to U+001F.</summary>
    internal static bool IsWhiteSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>Characters as Python counts them: a surrogate pair is one.</summary>
    internal static int Count(string text)
    {
        int pairs = 0;
        for (int i = 0; i + 1 < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && char.IsLowSurrogate(text[i + 1])) pairs++;
        }

        return text.Length - pairs;
    }

    /// <summary>The UTF-16 index of each character and the end, as Python counts them, <c>[characters + 1]</c>; null where they are the same.</summary>
    internal static int[]? Places(string text)
    {
        int count = Count(text);
        if (count == text.Length) return null;
        var places = new int[count + 1];
        for (int i = 0, at = 0; i < count; i++)
        {
            places[i] = at;
            at += at + 1 < text.Length && char.IsHighSurrogate(text[at]) && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;
        }

        places[count] = text.Length;
        return places;
    }
}
