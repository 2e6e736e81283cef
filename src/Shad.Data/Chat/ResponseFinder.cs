using Shad.Core.Errors;
using Shad.Data.Chat.Templates;
using Shad.Data.Corpora;

namespace Shad.Data.Chat;

/// <summary>Finds the responses in a conversation that a template has rendered, by the rules that <see cref="ChatTemplate"/> documents.</summary>
internal sealed class ResponseFinder
{
    private readonly TemplateChat _chat;
    private readonly IReadOnlyList<string> _specialTokens;
    private readonly ConversationRow _row;
    private readonly string _source;
    private readonly int _count;
    private readonly TextValue _rendered;

    /// <exception cref="ShadException">The template fails.</exception>
    internal ResponseFinder(TemplateChat chat, IReadOnlyList<string> specialTokens)
    {
        _chat = chat;
        _specialTokens = specialTokens;
        _row = chat.Row;
        _source = _row.Source.ToString();
        _count = _row.Messages.Count;
        while (_count > 0 && _row.Messages[_count - 1].Role != ChatRole.Assistant) _count--;
        _rendered = chat.Render(_count, addGenerationPrompt: false);
    }

    private string Text => _rendered.Value;

    /// <summary>The conversation as segments, up to the last response.</summary>
    /// <exception cref="ShadException">A response is left out by the template, or its bounds are not clear.</exception>
    internal TextSample ToSample()
    {
        for (int i = 0; i < _count; i++)
        {
            if (_row.Messages[i].Role == ChatRole.Assistant) CheckWritten(i);
        }

        List<(int Start, int End)> responses = _chat.MarksGeneration ? Marked() : [];
        if (!_chat.MarksGeneration)
        {
            for (int i = 0; i < _count; i++)
            {
                if (_row.Messages[i].Role != ChatRole.Assistant) continue;
                (int start, int end) = Find(i);
                if (responses.Count > 0 && start < responses[^1].End) throw ChatErrors.UnclearSpans(_source, i, "it overlaps the response before it");
                if (start < end) responses.Add((start, end));
            }
        }

        if (responses.Count == 0) throw CorpusErrors.NoResponseText(_source);
        var segments = new List<TextSegment>();
        int position = 0;
        foreach ((int start, int end) in responses)
        {
            if (start > position) segments.Add(new TextSegment(Text[position..start], IsResponse: false));
            segments.Add(new TextSegment(Text[start..end], IsResponse: true));
            position = end;
        }

        return new TextSample(_row.Id, segments, _source) { IsWholeSequence = true, KnownReasoning = KnownReasoning() };
    }

    /// <summary>Refuses a template that silently drops what a response says.</summary>
    private void CheckWritten(int message)
    {
        ChatMessage turn = _row.Messages[message];
        var fields = SpansOf(message, TextOrigin.Field);
        if (_chat.WritesCallsOf(turn))
        {
            foreach (ToolCall call in turn.ToolCalls)
            {
                if (!fields.Any(span => Text.AsSpan(span.Start, span.Length).Contains(call.Name, StringComparison.Ordinal)))
                    throw ChatErrors.TextLost(_source, message, $"the call of '{call.Name}'");
            }

            return; // a text beside calls is the template's to write or not
        }

        if (fields.Count == 0 && !string.IsNullOrWhiteSpace(turn.Content)) throw ChatErrors.TextLost(_source, message, "the text");
    }

    private List<TextSpan> SpansOf(int message, TextOrigin origin) =>
        [.. _rendered.Spans.Where(span => span.Message == message && span.Origin == origin)];

    /// <summary>What stands in <c>{% generation %}</c>, pieces that touch joined.</summary>
    private List<(int Start, int End)> Marked()
    {
        var marked = new List<(int Start, int End)>();
        foreach (TextSpan span in _rendered.Spans.Where(static span => span.Origin == TextOrigin.Generation).OrderBy(static span => span.Start))
        {
            if (marked.Count > 0 && span.Start <= marked[^1].End) marked[^1] = (marked[^1].Start, Math.Max(span.End, marked[^1].End));
            else marked.Add((span.Start, span.End));
        }

        return marked;
    }

    private (int Start, int End) Find(int message)
    {
        (int Start, int End, bool IsCut)? turn = TurnOf(message);
        List<TextSpan> fields = SpansOf(message, TextOrigin.Field);

        // A call's name may be written again with its result, in another turn.
        if (turn is { } within) fields = fields.FindAll(span => span.Start >= within.Start && span.End <= within.End);
        else if (fields.Count == 0) throw ChatErrors.TextLost(_source, message, "the turn");
        int? first = fields.Count > 0 ? fields.Min(static span => span.Start) : null;
        int start = Math.Min(StartOf(message, turn), first ?? int.MaxValue);
        int last = fields.Count > 0 ? fields.Max(static span => span.End) : start;
        return (start, EndOf(message, last, turn));
    }

    /// <summary>Where the template writes a message: its turn of the loop, without what is written there of later messages, such as the
    /// results of its calls. Null where there is no such turn.</summary>
    private (int Start, int End, bool IsCut)? TurnOf(int message)
    {
        var turns = SpansOf(message, TextOrigin.Turn);
        if (turns.Count == 0) return null;
        int start = turns.Min(static span => span.Start);
        int end = turns.Max(static span => span.End);
        bool isCut = _rendered.Spans.Any(span => span.Origin == TextOrigin.Field && span.Message > message && span.Start >= start && span.End <= end);
        if (isCut)
        {
            string alone = _chat.TryRender(message + 1, addGenerationPrompt: false)?.Value ?? "";
            end = Math.Min(end, Text.AsSpan().CommonPrefixLength(alone));
            if (end <= start) throw ChatErrors.UnclearSpans(_source, message, "later messages are written in its turn, and change what is before it");
        }

        return (start, end, isCut);
    }

    private int StartOf(int message, (int Start, int End, bool IsCut)? turn)
    {
        string? prompt = _chat.TryRender(message, addGenerationPrompt: true)?.Value;
        if (prompt is not null && Text.StartsWith(prompt, StringComparison.Ordinal)) return Math.Max(prompt.Length, turn?.Start ?? 0);
        if (turn is not { } place) throw ChatErrors.UnclearSpans(_source, message, "its turn is no turn of a loop, and does not go on from the prompt");

        // The turn is not written as the prompt promises, or earlier turns are written otherwise once there are later ones: what turn and
        // generation prompt begin with is prompt.
        string? header = prompt is null ? _chat.GenerationPrompt : HeaderOf(message, prompt, place.Start);
        if (header is null) throw ChatErrors.UnclearSpans(_source, message, "the template has no generation prompt there");
        int common = WholePieces(header, Text.AsSpan(place.Start, place.End - place.Start).CommonPrefixLength(header));
        return common > 0 || header.Length == 0
            ? place.Start + common
            : throw ChatErrors.UnclearSpans(_source, message, $"its turn does not begin with the generation prompt '{header}'");
    }

    private string? HeaderOf(int message, string prompt, int turnStart)
    {
        if (prompt.AsSpan().StartsWith(Text.AsSpan(0, turnStart))) return prompt[turnStart..];
        string? without = _chat.TryRender(message, addGenerationPrompt: false)?.Value;
        return without is not null && prompt.StartsWith(without, StringComparison.Ordinal) ? prompt[without.Length..] : null;
    }

    /// <summary>How much of the first <paramref name="length"/> characters of a header ends where a special token or a line ends: a marker such
    /// as <c>&lt;think&gt;</c> is not cut in two.</summary>
    private int WholePieces(string header, int length)
    {
        if (length == header.Length) return length;
        ReadOnlySpan<char> common = header.AsSpan(0, length);
        return Math.Max(common.LastIndexOf('\n') + 1, EndOfLastToken(common, out _));
    }

    private int EndOf(int message, int from, (int Start, int End, bool IsCut)? turn)
    {
        int limit;
        if (turn is { } place)
        {
            limit = place.End;
        }
        else
        {
            string? whole = message + 1 == _count ? Text : _chat.TryRender(message + 1, addGenerationPrompt: false)?.Value;
            if (whole is null || !Text.StartsWith(whole, StringComparison.Ordinal))
                throw ChatErrors.UnclearSpans(_source, message, "its turn is no turn of a loop, and ends otherwise than alone");
            limit = whole.Length;
        }

        ReadOnlySpan<char> tail = Text.AsSpan(from, limit - from);
        int end = EndOfLastToken(tail, out string? last);

        // Where the turn goes on with later messages, their head follows the end of the turn: that ends as an answer does.
        if (turn is { IsCut: true } && _chat.AfterAnswer is { } after && EndOfLastToken(after, out string? closing) > 0 && closing != last
            && tail.LastIndexOf(closing, StringComparison.Ordinal) is var at and >= 0)
            end = at + closing!.Length;
        return end > 0 ? from + end : limit;
    }

    /// <summary>Where the last special token of a text ends; 0 where there is none.</summary>
    private int EndOfLastToken(ReadOnlySpan<char> text, out string? last)
    {
        int end = 0;
        last = null;
        foreach (string token in _specialTokens)
        {
            int at = text.LastIndexOf(token, StringComparison.Ordinal);
            if (at < 0 || at + token.Length <= end) continue;
            end = at + token.Length;
            last = token;
        }

        return end;
    }

    private List<(int Start, int End)>? KnownReasoning()
    {
        if (_row.KnownReasoning is not { } known) return null;
        var places = new List<(int Start, int End)>();
        foreach (ReasoningSpan span in known)
        {
            ChatMessage message = _row.Messages[span.Message];
            if (_chat.WritesCallsOf(message) && span.End > (message.Text?.Length ?? 0)) throw ChatErrors.SpanInCalls(_source, span.Message);
            foreach (TextSpan piece in SpansOf(span.Message, TextOrigin.Field))
            {
                if (piece.TryFind(span.Start, span.End, out int start, out int end)) places.Add((start, end));
            }
        }

        places.Sort();
        return places;
    }
}
