using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat;

namespace Shad.Data.Corpora;

/// <summary>The field <c>reasoning_spans</c>, as <see cref="CorpusReader"/> documents it.</summary>
internal static class ReasoningSpansParser
{
    /// <param name="spans">The field's value.</param>
    /// <param name="messages">The row's messages, by whose contents the spans are checked.</param>
    /// <param name="indexed">True where the row has a list of messages, so that triples mean something.</param>
    /// <param name="source">Where the row stands.</param>
    /// <exception cref="ShadException">A span is none, or lies outside its message.</exception>
    internal static List<ReasoningSpan> Parse(
        JsonElement spans, List<ChatMessage> messages, bool indexed, RowSource source)
    {
        if (spans.ValueKind != JsonValueKind.Array)
            throw CorpusErrors.BadSpan(source, "reasoning_spans", CorpusErrors.Describe(spans.ValueKind));
        int last = messages.FindLastIndex(static message => message.Role == ChatRole.Assistant);
        var parsed = new List<ReasoningSpan>(spans.GetArrayLength());
        Span<int> numbers = stackalloc int[3];
        foreach (var span in spans.EnumerateArray())
        {
            string field = $"reasoning_spans[{parsed.Count}]";
            int count = 0;
            if (span.ValueKind == JsonValueKind.Array)
            {
                foreach (var number in span.EnumerateArray())
                {
                    if (count == 3 || number.ValueKind != JsonValueKind.Number || !number.TryGetInt32(out numbers[count]))
                        throw CorpusErrors.BadSpan(source, field, span.GetRawText());
                    count++;
                }
            }

            if (count != 2 && !(count == 3 && indexed)) throw CorpusErrors.BadSpan(source, field, span.GetRawText());
            int message = count == 3 ? numbers[0] : last;
            int start = numbers[count - 2];
            int end = numbers[count - 1];
            if (message < 0 || message >= messages.Count || messages[message].Role != ChatRole.Assistant)
                throw CorpusErrors.SpanOfNoResponse(source, field, message);
            int length = messages[message].Content.Length;
            if (start < 0 || end <= start || end > length) throw CorpusErrors.SpanOutside(source, field, start, end, length);
            parsed.Add(new ReasoningSpan(message, start, end));
        }

        return parsed;
    }
}
