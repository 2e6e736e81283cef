using CsCheck;
using Shad.Data.Chat;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Chat;

/// <summary>Random conversations that a corpus may hold, with known reasoning.</summary>
internal static class Conversations
{
    private static readonly Gen<string> Text = Gen.OneOf("a", "b ", "\n", "ü", "😀", "xyz", "{eos}", ", ").Array[1, 12].Select(string.Concat);

    private static readonly Gen<ChatMessage> Other =
        Gen.Select(Gen.OneOf(ChatRole.System, ChatRole.User, ChatRole.Tool), Text).Select((role, text) => new ChatMessage(role, text));

    private static readonly Gen<ChatMessage[]> Turn =
        Gen.Select(Other.Array[1, 3], Text).Select((before, text) => (ChatMessage[])[.. before, new(ChatRole.Assistant, text)]);

    internal static readonly Gen<ConversationRow> Generate =
        from turns in Turn.Array[1, 3]
        from trailing in Other.Array[0, 1]
        from tools in Gen.Const("""{"name":"f"}""").Array[0, 2]
        let messages = turns.SelectMany(t => t).Concat(trailing).ToArray()
        from spans in Gen.Select(Gen.Int[0, turns.Length - 1], Gen.Double[0, 1], Gen.Double[0, 1]).Array[0, 4]
        select new ConversationRow("x", new RowSource("a.jsonl", 1), messages, tools)
        {
            KnownReasoning = [.. spans.Select(s => Span(messages, s.Item1, s.Item2, s.Item3))],
        };

    private static ReasoningSpan Span(ChatMessage[] messages, int turn, double from, double share)
    {
        int message = messages.Index().Where(m => m.Item.Role == ChatRole.Assistant).ElementAt(turn).Index;
        int length = messages[message].Content.Length;
        int start = Math.Min((int)(from * length), length - 1);
        return new ReasoningSpan(message, start, Math.Min(length, start + 1 + (int)(share * (length - start))));
    }
}
