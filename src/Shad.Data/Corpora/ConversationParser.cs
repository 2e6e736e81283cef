using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat;

namespace Shad.Data.Corpora;

/// <summary>Lists of messages, as OpenAI and as ShareGPT write them.</summary>
internal static class ConversationParser
{
    private const string KnownRoles = "system, developer, user, assistant, tool or function";
    private const string KnownSpeakers = "human, gpt, system, tool, observation, function_call or a role (" + KnownRoles + ")";

    /// <summary>The field <c>messages</c>.</summary>
    /// <exception cref="ShadException">It is no list of messages.</exception>
    internal static List<ChatMessage> Messages(JsonElement list, RowSource source) => Read(list, "messages", source, static (message, field, source) =>
    {
        var role = RoleOf(message, "role", field, source, OpenAiRole, KnownRoles);
        return new ChatMessage(role, ContentOf(message, "content", field, role, source));
    });

    /// <summary>The field <c>conversations</c>.</summary>
    /// <exception cref="ShadException">It is no list of messages.</exception>
    internal static List<ChatMessage> ShareGpt(JsonElement list, RowSource source) => Read(list, "conversations", source, static (message, field, source) =>
    {
        bool named = message.TryGetProperty("from", out _) || !message.TryGetProperty("role", out _);
        var role = RoleOf(message, named ? "from" : "role", field, source, ShareGptRole, KnownSpeakers);
        return new ChatMessage(role, ContentOf(message, named ? "value" : "content", field, role, source));
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
        "gpt" or "function_call" => ChatRole.Assistant,
        "observation" => ChatRole.Tool,
        _ => OpenAiRole(name),
    };

    private static string ContentOf(JsonElement message, string key, string field, ChatRole role, RowSource source)
    {
        string? calls = role == ChatRole.Assistant
            && message.TryGetProperty("tool_calls", out var list)
            && list.ValueKind != JsonValueKind.Null
            && !(list.ValueKind == JsonValueKind.Array && list.GetArrayLength() == 0)
                ? ToolCalls(list, $"{field}.tool_calls", source)
                : null;
        bool present = message.TryGetProperty(key, out var content) && content.ValueKind != JsonValueKind.Null;
        if (!present && calls is not null) return calls;
        if (!present || content.ValueKind != JsonValueKind.String)
        {
            throw CorpusErrors.WrongType(
                source, $"{field}.{key}", present ? CorpusErrors.Describe(content.ValueKind) : "missing or null",
                "text (or null beside an assistant's tool_calls)");
        }

        string text = content.GetString()!;
        if (calls is null) return text;
        return text.Length == 0 ? calls : $"{text}\n{calls}";
    }

    private static string ToolCalls(JsonElement list, string field, RowSource source)
    {
        if (list.ValueKind != JsonValueKind.Array)
            throw CorpusErrors.WrongType(source, field, CorpusErrors.Describe(list.ValueKind), "a list of tool calls");
        return CompactJson.Write(json =>
        {
            json.WriteStartArray();
            int index = 0;
            foreach (var call in list.EnumerateArray())
            {
                string name = $"{field}[{index++}]";
                var function = call.ValueKind == JsonValueKind.Object && call.TryGetProperty("function", out var inner) ? inner : call;
                if (function.ValueKind != JsonValueKind.Object
                    || !function.TryGetProperty("name", out var functionName)
                    || functionName.ValueKind != JsonValueKind.String)
                    throw CorpusErrors.WrongType(source, name, "no tool call", "{\"function\":{\"name\":…,\"arguments\":…}}");
                json.WriteStartObject();
                json.WriteString("name"u8, functionName.GetString());
                json.WritePropertyName("arguments"u8);
                if (function.TryGetProperty("arguments", out var arguments)) WriteArguments(json, arguments);
                else json.WriteRawValue("{}"u8);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    /// <summary>OpenAI gives arguments as JSON in a string, others as the object itself.</summary>
    private static void WriteArguments(Utf8JsonWriter json, JsonElement arguments)
    {
        if (arguments.ValueKind == JsonValueKind.String)
        {
            try
            {
                using var parsed = JsonDocument.Parse(arguments.GetString()!);
                parsed.RootElement.WriteTo(json);
                return;
            }
            catch (JsonException)
            {
                // A string that is no JSON is an argument by itself.
            }
        }

        arguments.WriteTo(json);
    }
}
