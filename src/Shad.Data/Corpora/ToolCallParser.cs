using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat;

namespace Shad.Data.Corpora;

/// <summary>Calls of tools, as OpenAI, xLAM and others write them, and the text Shad writes them as.</summary>
internal static class ToolCallParser
{
    private const string Expected = "{\"function\":{\"name\":…,\"arguments\":…}} or {\"name\":…,\"arguments\":…}";

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = CorpusRowParser.MaximumDepth };

    /// <summary>The field <c>tool_calls</c> of a message (a list, or a string that holds one), or the older <c>function_call</c>.</summary>
    /// <exception cref="ShadException">The field holds no calls.</exception>
    internal static List<ToolCall> OfMessage(JsonElement message, string field, RowSource source)
    {
        if (message.TryGetProperty("tool_calls", out var list) && list.ValueKind != JsonValueKind.Null) return OfList(list, $"{field}.tool_calls", source);
        if (!message.TryGetProperty("function_call", out var call) || call.ValueKind == JsonValueKind.Null) return [];
        return [Of(call) ?? throw CorpusErrors.WrongType(source, $"{field}.function_call", "no tool call", Expected)];
    }

    /// <summary>A list of calls, or a string that holds one.</summary>
    /// <exception cref="ShadException">It holds something else.</exception>
    internal static List<ToolCall> OfList(JsonElement list, string field, RowSource source)
    {
        if (list.ValueKind == JsonValueKind.String)
        {
            string text = list.GetString()!;
            if (string.IsNullOrWhiteSpace(text)) return [];
            try
            {
                using var document = JsonDocument.Parse(text, Options);
                return OfList(document.RootElement, field, source);
            }
            catch (JsonException)
            {
                throw CorpusErrors.WrongType(source, field, "a string that is no JSON", "a list of tool calls");
            }
        }

        if (list.ValueKind != JsonValueKind.Array)
            throw CorpusErrors.WrongType(source, field, CorpusErrors.Describe(list.ValueKind), "a list of tool calls");
        var calls = new List<ToolCall>(list.GetArrayLength());
        foreach (var call in list.EnumerateArray())
            calls.Add(Of(call) ?? throw CorpusErrors.WrongType(source, $"{field}[{calls.Count}]", "no tool call", Expected));
        return calls;
    }

    /// <summary>The calls of a text that is one call, or a list of them, as JSON; null where it is anything else.</summary>
    internal static List<ToolCall>? InText(string text)
    {
        if (text.AsSpan().TrimStart() is not ['{' or '[', ..]) return null;
        try
        {
            using var document = JsonDocument.Parse(text, Options);
            JsonElement[] items = document.RootElement.ValueKind == JsonValueKind.Array ? [.. document.RootElement.EnumerateArray()] : [document.RootElement];
            ToolCall?[] calls = [.. items.Select(Of)];
            return Array.Exists(calls, static call => call is null) ? null : [.. calls.OfType<ToolCall>()];
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A text and, on the line behind it, the calls as <c>[{"name":…,"arguments":…}]</c>: what a call looks like where no template
    /// writes it. Ids are left out, since nothing decides them.</summary>
    internal static string Written(string? text, IReadOnlyList<ToolCall> calls)
    {
        string written = CompactJson.Write(json =>
        {
            json.WriteStartArray();
            foreach (ToolCall call in calls)
            {
                json.WriteStartObject();
                json.WriteString("name"u8, call.Name);
                json.WritePropertyName("arguments"u8);
                json.WriteRawValue(call.Arguments);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
        return string.IsNullOrEmpty(text) ? written : $"{text}\n{written}";
    }

    private static ToolCall? Of(JsonElement call)
    {
        if (call.ValueKind != JsonValueKind.Object) return null;
        var function = call.TryGetProperty("function", out var inner) && inner.ValueKind == JsonValueKind.Object ? inner : call;
        if (!function.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String) return null;
        string? id = call.TryGetProperty("id", out var given) && given.ValueKind == JsonValueKind.String ? given.GetString() : null;
        return new ToolCall(name.GetString()!, ArgumentsOf(function), id);
    }

    /// <summary>OpenAI gives arguments as JSON in a string, others as the object itself, some under the name <c>parameters</c>.</summary>
    private static string ArgumentsOf(JsonElement function)
    {
        if (!function.TryGetProperty("arguments", out var arguments) && !function.TryGetProperty("parameters", out arguments)) return "{}";
        if (arguments.ValueKind == JsonValueKind.String)
        {
            try
            {
                using var parsed = JsonDocument.Parse(arguments.GetString()!, Options);
                return CompactJson.Of(parsed.RootElement);
            }
            catch (JsonException)
            {
                // A string that is no JSON is an argument by itself.
            }
        }

        return arguments.ValueKind == JsonValueKind.Null ? "{}" : CompactJson.Of(arguments);
    }
}
