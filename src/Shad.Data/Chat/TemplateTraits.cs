using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat.Templates;
using Shad.Data.Corpora;

namespace Shad.Data.Chat;

/// <summary>What a template can write and in which form, found out by trial.</summary>
internal sealed record TemplateTraits
{
    private const string Probe = "probe_text";
    private const string ProbeName = "probe_name";
    private const string ProbeKey = "probe_key";
    private const string ProbeTool = """{"type":"function","function":{"name":"tool","description":"","parameters":{"type":"object","properties":{},"required":[]}}}""";

    /// <summary>It writes tool calls; else they are part of the text.</summary>
    internal bool WritesToolCalls { get; init; }

    /// <summary>It writes tools; else they stand in the system message.</summary>
    internal bool WritesTools { get; init; }

    /// <summary>It takes a system message; else that stands at the head of the next user message.</summary>
    internal bool TakesSystem { get; init; } = true;

    /// <summary>It takes a tool's result; else that is a user message.</summary>
    internal bool TakesToolResults { get; init; } = true;

    /// <summary>Arguments of calls are JSON as text, not objects.</summary>
    internal bool ArgumentsAreText { get; init; }

    /// <summary>The content of a message of calls only is an empty text, not null.</summary>
    internal bool ContentIsNeverNull { get; init; }

    /// <summary>Ids of calls are nine letters and digits.</summary>
    internal bool HasShortIds { get; init; }

    /// <summary>What the template puts before a response to a lone user message; null where it does not say.</summary>
    internal string? GenerationPrompt { get; init; }

    /// <summary>What it writes behind the text of a last response; null where that is not found.</summary>
    internal string? AfterAnswer { get; init; }

    internal static TemplateTraits Of(JinjaTemplate template, IReadOnlyDictionary<string, string> tokens, DateTime now)
    {
        var traits = new TemplateTraits { WritesTools = template.Names("tools") };
        ChatMessage user = new(ChatRole.User, "probe_user"), answer = new(ChatRole.Assistant, "probe_answer");
        traits = traits with { TakesSystem = Renders(traits, [new(ChatRole.System, Probe), user, answer], Probe) || !Renders(traits, [user, answer], "probe_user") };
        if (template.Names("tool_calls")) traits = FindCallForm(traits);
        ChatMessage result = new(ChatRole.Tool, Probe) { Fields = $$"""{"name":"{{ProbeName}}","tool_call_id":"call_1"}""" };
        ChatMessage call = Call(traits.WritesToolCalls ? null : "probe_call");
        traits = traits with { TakesToolResults = Renders(traits, [user, call, result, answer], Probe) };
        string? prompt = Render(traits, [user], true), plain = Render(traits, [user], false), answered = Render(traits, [user, answer], false);
        return traits with
        {
            AfterAnswer = answered?.LastIndexOf(answer.Content, StringComparison.Ordinal) is { } at and >= 0 ? answered[(at + answer.Content.Length)..] : null,
            GenerationPrompt = prompt is not null && plain is not null && prompt.StartsWith(plain, StringComparison.Ordinal) ? prompt[plain.Length..] : null,
        };

        TemplateTraits FindCallForm(TemplateTraits without)
        {
            ChatMessage result = new(ChatRole.Tool, Probe) { Fields = $$"""{"name":"{{ProbeName}}","tool_call_id":"call_1"}""" };
            bool[] both = [false, true];
            var forms = from hasShortIds in both
                        from areText in both
                        from neverNull in both
                        select without with { WritesToolCalls = true, ArgumentsAreText = areText, ContentIsNeverNull = neverNull, HasShortIds = hasShortIds };
            foreach (ChatMessage[] messages in (ChatMessage[][])[[user, Call(null), result, answer], [user, Call(null)]])
            {
                if (forms.FirstOrDefault(form => Render(form, messages, false) is { } text && WritesCall(text)) is { } found) return found;
            }

            return without;
        }

        // Arguments given as text where objects are wanted come out with their quotes escaped.
        static bool WritesCall(string text) => text.Contains(ProbeName, StringComparison.Ordinal) && text.Contains(ProbeKey, StringComparison.Ordinal)
            && !text.Contains($"\\\"{ProbeKey}", StringComparison.Ordinal) && !text.Contains("None", StringComparison.Ordinal);

        bool Renders(TemplateTraits form, ChatMessage[] messages, string text) =>
            Render(form, messages, false)?.Contains(text, StringComparison.Ordinal) == true;

        string? Render(TemplateTraits form, ChatMessage[] messages, bool addGenerationPrompt)
        {
            foreach (string[] tools in (string[][])[[], [ProbeTool]])
            {
                var row = new ConversationRow("", new RowSource("", 0), messages, tools);
                if (new TemplateChat(template, form, tokens, row, now).TryRender(messages.Length, addGenerationPrompt) is { } text) return text.Value;
                if (!template.Names("tools")) break;
            }

            return null;
        }

        static ChatMessage Call(string? text) => text is not null
            ? new ChatMessage(ChatRole.Assistant, text)
            : new ChatMessage(ChatRole.Assistant, ProbeName) { Text = null, ToolCalls = [new ToolCall(ProbeName, $$"""{"{{ProbeKey}}":"value"}""", "call_1")] };
    }
}

/// <summary>A conversation in the form a template takes, every text of it marked with the message it comes from.</summary>
internal sealed class TemplateChat
{
    private readonly JinjaTemplate _template;
    private readonly TemplateTraits _traits;
    private readonly IReadOnlyDictionary<string, string> _tokens;
    private readonly DateTime _now;
    private readonly List<DictValue> _messages = [];
    private readonly List<int> _indices = []; // of each, in the row; −1 for one that the row does not have
    private readonly TemplateValue _tools;

    internal TemplateChat(
        JinjaTemplate template, TemplateTraits traits, IReadOnlyDictionary<string, string> tokens, ConversationRow row, DateTime now)
    {
        _template = template;
        _traits = traits;
        _tokens = tokens;
        _now = now;
        Row = row;
        _tools = traits.WritesTools && row.Tools.Count > 0
            ? new ListValue([.. row.Tools.Select(static tool => ToolOf(tool))])
            : NoneValue.Instance;
        Build();
    }

    internal ConversationRow Row { get; }

    internal bool MarksGeneration => _template.MarksGeneration;

    internal string? GenerationPrompt => _traits.GenerationPrompt;

    internal string? AfterAnswer => _traits.AfterAnswer;

    /// <summary>True where the calls of a message are written by the template and not part of its text.</summary>
    internal bool WritesCallsOf(ChatMessage message) => _traits.WritesToolCalls && message.ToolCalls.Count > 0;

    /// <summary>The rendering of the row's first messages.</summary>
    /// <param name="count">How many of the row's messages.</param>
    /// <param name="addGenerationPrompt">The variable of that name.</param>
    /// <exception cref="ShadException">The template fails.</exception>
    internal TextValue Render(int count, bool addGenerationPrompt)
    {
        var variables = new Dictionary<string, TemplateValue>(StringComparer.Ordinal);
        foreach ((string name, string text) in _tokens) variables[name] = TextValue.Of(text);
        variables["messages"] = new ListValue([.. _messages.Where((_, i) => _indices[i] < count)]);
        variables["tools"] = _tools;
        variables["documents"] = NoneValue.Instance;
        variables["add_generation_prompt"] = BooleanValue.Of(addGenerationPrompt);
        return _template.Render(variables, _now);
    }

    /// <summary>As <see cref="Render"/>; null where the template fails.</summary>
    internal TextValue? TryRender(int count, bool addGenerationPrompt)
    {
        try
        {
            return Render(count, addGenerationPrompt);
        }
        catch (ShadException)
        {
            return null;
        }
    }

    /// <summary>A tool as transformers gives it to templates; one that is the function alone (xLAM) is put in its place.</summary>
    private static TemplateValue ToolOf(string json)
    {
        TemplateValue tool = Parse(json);
        if (tool is not DictValue dict || dict.Find("function") is not null || dict.Find("name") is null) return tool;
        var whole = new DictValue();
        whole.Set("type", TextValue.Of("function"));
        whole.Set("function", tool);
        return whole;
    }

    private static TemplateValue Parse(string json, int message = -1)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 256 });
        return TemplateValue.Of(document.RootElement, message);
    }

    private void Build()
    {
        string tools = _traits.WritesTools || Row.Tools.Count == 0 ? "" : ChatLayout.Plain.ToolsHeader + string.Join('\n', Row.Tools);
        string waiting = ""; // what the next user message begins with
        if (tools.Length > 0 && (Row.Messages.Count == 0 || Row.Messages[0].Role != ChatRole.System)) AddSystem(tools, -1);
        var openCalls = new Queue<string>();
        for (int i = 0; i < Row.Messages.Count; i++)
        {
            ChatMessage message = Row.Messages[i];
            switch (message.Role)
            {
                case ChatRole.System:
                    AddSystem(i == 0 && tools.Length > 0 ? $"{message.Content}\n\n{tools}" : message.Content, i);
                    break;
                case ChatRole.Assistant:
                    FlushWaiting(i);
                    Add(i, "assistant", AssistantContent(message, i), dict => AddCalls(dict, message, i, openCalls));
                    break;
                case ChatRole.Tool when _traits.TakesToolResults:
                    FlushWaiting(i);
                    Add(i, "tool", TextValue.Content(message.Content, i), dict => AddCallId(dict, openCalls));
                    break;
                default:
                    Add(i, "user", TextOperations.Concatenate(TextValue.Of(waiting), TextValue.Content(message.Content, i)), null);
                    waiting = "";
                    break;
            }
        }

        void AddSystem(string text, int index)
        {
            if (_traits.TakesSystem) Add(index, "system", TextValue.Of(text), null);
            else waiting += text + "\n\n";
        }

        void FlushWaiting(int before)
        {
            if (waiting.Length == 0) return;
            Add(before - 1, "user", TextValue.Of(waiting[..^2]), null);
            waiting = "";
        }
    }

    private TemplateValue AssistantContent(ChatMessage message, int index)
    {
        if (!WritesCallsOf(message)) return TextValue.Content(message.Content, index);
        if (message.Text is { } text) return TextValue.Content(text, index);
        return _traits.ContentIsNeverNull ? TextValue.Empty : NoneValue.Instance;
    }

    private void Add(int index, string role, TemplateValue content, Action<DictValue>? more)
    {
        var dict = new DictValue { Message = index, IsMessage = index >= 0 };
        dict.Set("role", TextValue.Of(role));
        dict.Set("content", content);
        if (index >= 0 && Row.Messages[index].Fields is { } fields)
        {
            using var document = JsonDocument.Parse(fields, new JsonDocumentOptions { MaxDepth = 256 });
            foreach (JsonProperty field in document.RootElement.EnumerateObject())
            {
                // A name or an id belongs to the turn's head, not to what is said.
                dict.Set(field.Name, TemplateValue.Of(field.Value, field.Name is "name" or "tool_call_id" ? -1 : index));
            }
        }

        more?.Invoke(dict);
        _messages.Add(dict);
        _indices.Add(index);
    }

    private void AddCalls(DictValue dict, ChatMessage message, int index, Queue<string> open)
    {
        if (!WritesCallsOf(message)) return;
        open.Clear();
        var calls = new List<TemplateValue>();
        foreach (ToolCall call in message.ToolCalls)
        {
            var function = new DictValue { Message = index };
            function.Set("name", TextValue.From(call.Name, index));
            function.Set("arguments", _traits.ArgumentsAreText ? TextValue.From(call.Arguments, index) : Parse(call.Arguments, index));
            var value = new DictValue { Message = index };
            string? id = _traits.HasShortIds ? ShortId(call.Id ?? $"{index}/{calls.Count}") : call.Id;
            if (id is not null)
            {
                value.Set("id", TextValue.From(id, index));
                open.Enqueue(id);
            }

            value.Set("type", TextValue.Of("function"));
            value.Set("function", function);
            calls.Add(value);
        }

        dict.Set("tool_calls", new ListValue(calls));
    }

    private void AddCallId(DictValue dict, Queue<string> open)
    {
        open.TryDequeue(out string? next);
        if (_traits.HasShortIds && dict.Find("tool_call_id") is TextValue given) dict.Set("tool_call_id", TextValue.Of(ShortId(given.Value)));
        else if (dict.Find("tool_call_id") is null && next is not null) dict.Set("tool_call_id", TextValue.Of(next));
    }

    /// <summary>Nine letters and digits: an id that is such already, or else a hash of it.</summary>
    private static string ShortId(string id)
    {
        const string digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        if (id.Length == 9 && id.All(char.IsAsciiLetterOrDigit)) return id;
        ulong hash = 14695981039346656037;
        foreach (char unit in id) hash = (hash ^ unit) * 1099511628211;
        return string.Create(9, hash, static (text, hash) =>
        {
            for (int i = 0; i < text.Length; i++)
            {
                text[i] = digits[(int)(hash % (ulong)digits.Length)];
                hash /= (ulong)digits.Length;
            }
        });
    }
}
