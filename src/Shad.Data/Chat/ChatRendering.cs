using System.Text;
using Shad.Data.Corpora;

namespace Shad.Data.Chat;

/// <summary>One rendering of a conversation by a layout: collects the segments and the places of the contents.</summary>
internal sealed class ChatRendering(ChatLayout layout, string endOfSequence)
{
    private readonly List<TextSegment> _segments = [];
    private readonly StringBuilder _segment = new();
    private bool _isResponse;
    private int _length;
    private bool _anyTurn;

    internal TextSample Render(ConversationRow conversation)
    {
        var messages = conversation.Messages;
        int last = LastAssistant(messages);
        var contentStarts = new int[messages.Count];
        string tools = ToolsBlock(conversation.Tools);

        // Where the layout has no system turns, their texts wait here for the next user turn.
        string waiting = "";
        if (tools.Length > 0 && (messages.Count == 0 || messages[0].Role != ChatRole.System))
            waiting = RenderSystem(tools, waiting, out _);

        for (int i = 0; i <= last; i++)
        {
            var message = messages[i];
            switch (message.Role)
            {
                case ChatRole.System:
                    string text = i == 0 && tools.Length > 0 ? $"{message.Content}\n\n{tools}" : message.Content;
                    waiting = RenderSystem(text, waiting, out contentStarts[i]);
                    break;
                case ChatRole.User:
                    contentStarts[i] = RenderTurn(layout.User, message.Content, head: waiting);
                    waiting = "";
                    break;
                case ChatRole.Tool:
                    contentStarts[i] = RenderTurn(layout.Tool, message.Content, head: "");
                    break;
                case ChatRole.Assistant:
                    if (waiting.Length > 0) RenderTurn(layout.User, waiting[..^2], head: "");
                    waiting = "";
                    contentStarts[i] = RenderResponse(message.Content);
                    break;
            }
        }

        EndSegment();
        return new TextSample(conversation.Id, _segments, conversation.Source.ToString())
        {
            KnownReasoning = conversation.KnownReasoning is { } spans
                ? [.. spans.Select(s => (contentStarts[s.Message] + s.Start, contentStarts[s.Message] + s.End)).Order()]
                : null,
        };
    }

    private static int LastAssistant(IReadOnlyList<ChatMessage> messages)
    {
        int last = messages.Count - 1;
        while (last >= 0 && messages[last].Role != ChatRole.Assistant) last--;
        return last;
    }

    private string ToolsBlock(IReadOnlyList<string> tools) =>
        tools.Count == 0 ? "" : layout.ToolsHeader + string.Join('\n', tools);

    private string RenderSystem(string text, string waiting, out int contentStart)
    {
        contentStart = _length;
        if (layout.System is null) return $"{waiting}{text}\n\n";
        contentStart = RenderTurn(layout.System, text, head: "");
        return "";
    }

    private int RenderTurn(TurnFormat format, string content, string head)
    {
        StartTurn();
        Append(format.Prefix, isResponse: false);
        Append(head, isResponse: false, literal: true);
        int start = _length;
        Append(content, isResponse: false, literal: true);
        Append(format.Suffix, isResponse: false);
        return start;
    }

    private int RenderResponse(string content)
    {
        StartTurn();
        Append(layout.Assistant.Prefix, isResponse: false);
        Append(layout.ResponseStart, isResponse: true);
        int start = _length;
        Append(content, isResponse: true, literal: true);
        Append(layout.Assistant.Suffix, isResponse: true);
        return start;
    }

    private void StartTurn()
    {
        if (_anyTurn) Append(layout.Separator, isResponse: false);
        _anyTurn = true;
    }

    private void Append(string text, bool isResponse, bool literal = false)
    {
        if (!literal) text = text.Replace(ChatLayout.EndOfSequencePlaceholder, endOfSequence, StringComparison.Ordinal);
        if (text.Length == 0) return;
        if (isResponse != _isResponse) EndSegment();
        _isResponse = isResponse;
        _segment.Append(text);
        _length += text.Length;
    }

    private void EndSegment()
    {
        if (_segment.Length == 0) return;
        _segments.Add(new TextSegment(_segment.ToString(), _isResponse));
        _segment.Clear();
    }
}
