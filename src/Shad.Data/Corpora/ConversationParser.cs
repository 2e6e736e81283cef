using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat;

namespace Shad.Data.Corpora;

/// <summary>Lists of messages, as OpenAI and as ShareGPT write them.</summary>
internal static class ConversationParser
{
    private const string KnownRoles = "system, developer, user, assistant, tool or function";
    private const string KnownSpeakers = "human, gpt, system, tool, observation, function_call or a role (" + KnownRoles + ")";

    /// <summary>A list of messages with <c>role</c> and <c>content</c>.</summary>
    /// <param name="list">The list.</param>
    /// <param name="field">The field it stands in.</param>
    /// <param name="source">Where the row stands.</param>
    /// <exception cref="ShadException">It is no list of messages.</exception>
    internal static List<ChatMessage> Messages(JsonElement list, string field, RowSource source) => Read(list, field, source, static (message, field, source) =>
    {
        var role = RoleOf(message, "role", field, source, OpenAiRole, KnownRoles);
        return MessageOf(message, role, "role", "content", field, source);
    });

    /// <summary>The field <c>conversations</c>.</summary>
    /// <exception cref="ShadException">It is no list of messages.</exception>
    internal static List<ChatMessage> ShareGpt(JsonElement list, RowSource source) => Read(list, "conversations", source, static (message, field, source) =>
    {
        bool named = message.TryGetProperty("from", out var speaker) || !message.TryGetProperty("role", out speaker);
        var role = RoleOf(message, named ? "from" : "role", field, source, ShareGptRole, KnownSpeakers);
        var read = MessageOf(message, role, named ? "from" : "role", named ? "value" : "content", field, source);

        // A turn of the speaker function_call is the call itself as JSON; its text stays as it was written.
        return read.ToolCalls.Count == 0 && speaker.GetString() is "function_call" or "tool_call" && ToolCallParser.InText(read.Content) is { Count: > 0 } calls
            ? read with { Text = null, ToolCalls = calls }
            : read;
    });

    private static List<ChatMessage> Read(
        JsonElement list, string field, RowSource source, Func<JsonElement, string, RowSource, ChatMessage> read)
    {
        if (list.ValueKind != JsonValueKind.Array)
            throw CorpusErrors.WrongType(source, field, CorpusErrors.Describe(list.ValueKind), "a list of messages");
        var messages = new List<ChatMessage>(list.GetArrayLength());
        foreach (var message in list.EnumerateArray())
        {
            string name = $"{field}[{messages.Count}]";
            if (message.ValueKind != JsonValueKind.Object)
                throw CorpusErrors.WrongType(source, name, CorpusErrors.Describe(message.ValueKind), "a message");
            messages.Add(read(message, name, source));
        }

        return messages;
    }

    private static ChatRole RoleOf(
        JsonElement message, string key, string field, RowSource source, Func<string, ChatRole?> roles, string known)
    {
        if (!message.TryGetProperty(key, out var value) || value.ValueKind != JsonValueKind.String)
        {
            string found = value.ValueKind == JsonValueKind.Undefined ? "missing" : CorpusErrors.Describe(value.ValueKind);
            throw CorpusErrors.UnknownRole(source, $"{field}.{key}", found, known);
        }

        string name = value.GetString()!;
        return roles(name) ?? throw CorpusErrors.UnknownRole(source, $"{field}.{key}", $"'{name}'", known);
    }

    private static ChatRole? OpenAiRole(string name) => name switch
    {
        "system" or "developer" => ChatRole.System,
        "user" => ChatRole.User,
        "assistant" => ChatRole.Assistant,
        "tool" or "function" => ChatRole.Tool,
        _ => null,
    };

    private static ChatRole? ShareGptRole(string name) => name switch
    {
        "human" => ChatRole.User,
        "gpt" or "chatgpt" or "model" or "function_call" or "tool_call" => ChatRole.Assistant,
        "observation" or "function_response" or "tool_response" => ChatRole.Tool,
        _ => OpenAiRole(name),
    };

    private static ChatMessage MessageOf(
        JsonElement message, ChatRole role, string roleKey, string contentKey, string field, RowSource source)
    {
        List<ToolCall> calls = role == ChatRole.Assistant ? ToolCallParser.OfMessage(message, field, source) : [];
        string? text = TextOf(message, contentKey, field, mayBeNull: calls.Count > 0, source);
        string content = calls.Count == 0 ? text! : ToolCallParser.Written(text, calls);
        return new ChatMessage(role, content)
        {
            Text = calls.Count > 0 && string.IsNullOrEmpty(text) ? null : text,
            ToolCalls = calls.Count == 0 ? (IReadOnlyList<ToolCall>)[] : calls,
            Fields = FieldsOf(message, roleKey, contentKey),
        };
    }

    private static string? TextOf(JsonElement message, string key, string field, bool mayBeNull, RowSource source)
    {
        bool present = message.TryGetProperty(key, out var content) && content.ValueKind != JsonValueKind.Null;
        if (!present && mayBeNull) return null;
        if (present && content.ValueKind == JsonValueKind.String) return content.GetString();
        if (present && content.ValueKind == JsonValueKind.Array) return JoinedParts(content, $"{field}.{key}", source);
        throw CorpusErrors.WrongType(
            source, $"{field}.{key}", present ? CorpusErrors.Describe(content.ValueKind) : "missing or null",
            "text, a list of text parts (or null beside an assistant's tool_calls)");
    }

    /// <summary>The texts of <c>[{"type":"text","text":…},…]</c>, each on lines of its own.</summary>
    private static string JoinedParts(JsonElement parts, string field, RowSource source) => string.Join('\n', parts.EnumerateArray().Select((part, i) =>
    {
        if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String) return text.GetString();
        string kind = part.ValueKind == JsonValueKind.Object && part.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String
            ? $"a part of type '{type.GetString()}'"
            : CorpusErrors.Describe(part.ValueKind);
        throw CorpusErrors.WrongType(source, $"{field}[{i}]", kind, "a part of text, {\"type\":\"text\",\"text\":…}");
    }));

    /// <summary>The fields that stand for nothing here but may mean something to a template.</summary>
    private static string? FieldsOf(JsonElement message, string roleKey, string contentKey)
    {
        bool IsOther(JsonProperty field) => field.Name != roleKey && field.Name != contentKey && field.Name is not ("tool_calls" or "function_call")
            && field.Value.ValueKind != JsonValueKind.Null;
        bool any = false;
        foreach (var field in message.EnumerateObject()) any |= IsOther(field);
        if (!any) return null;
        return CompactJson.Write(json =>
        {
            json.WriteStartObject();
            foreach (var field in message.EnumerateObject())
            {
                if (IsOther(field)) field.WriteTo(json);
            }

            json.WriteEndObject();
        });
    }
}
