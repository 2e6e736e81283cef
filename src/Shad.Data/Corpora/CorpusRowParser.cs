using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat;

namespace Shad.Data.Corpora;

/// <summary>One JSON object → one <see cref="CorpusRow"/>, by the rules that <see cref="CorpusReader"/> documents.</summary>
internal sealed class CorpusRowParser(int? vocabularySize)
{
    /// <summary>Deepest nesting of lists and objects; schemas of tools go deeper than the reader's default of 64.</summary>
    internal const int MaximumDepth = 256;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaximumDepth };

    private readonly TokenizedRowParser _tokenized = new(vocabularySize);

    /// <summary>Every field that means something, by which Parquet columns are chosen.</summary>
    internal static IReadOnlySet<string> Columns { get; } = new HashSet<string>
    {
        "id", "input_ids", "labels", "weight", "role", "messages", "conversations", "prompt", "response", "completion",
        "instruction", "input", "output", "query", "answers", "tools", "system", "reasoning_spans",
    };

    /// <exception cref="ShadException">The row is bad; the message says where and why.</exception>
    internal CorpusRow Parse(ReadOnlyMemory<byte> json, RowSource source)
    {
        try
        {
            if (HasField(json.Span, "input_ids"u8, source))
            {
                var tokens = _tokenized.Read(json.Span, source);
                return new TokenizedRow(tokens.Id, source, tokens);
            }

            using var document = JsonDocument.Parse(json, Options);
            return ParseConversation(document.RootElement, source);
        }
        catch (JsonException e)
        {
            throw CorpusErrors.NotJson(source, e);
        }
        catch (InvalidOperationException e)
        {
            // What System.Text.Json throws for an escaped half of a surrogate pair and for bytes that are not UTF-8.
            throw CorpusErrors.NotText(source, e);
        }
    }

    /// <summary>True where the object has the field at its top and it is not null.</summary>
    /// <exception cref="ShadException">The row is no object.</exception>
    private static bool HasField(ReadOnlySpan<byte> json, ReadOnlySpan<byte> field, RowSource source)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaximumDepth });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw CorpusErrors.NotObject(source, reader.TokenType);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool found = reader.ValueTextEquals(field);
            reader.Read();
            if (found && reader.TokenType != JsonTokenType.Null) return true;
            reader.Skip();
        }

        return false;
    }

    private static ConversationRow ParseConversation(JsonElement row, RowSource source)
    {
        List<ChatMessage> messages;
        bool indexed = false;
        if (Field(row, "messages") is { } list)
        {
            messages = ConversationParser.Messages(list, "messages", source);
            indexed = true;
        }
        else if (Field(row, "conversations") is { } conversation)
        {
            messages = ConversationParser.ShareGpt(conversation, source);
            indexed = true;
        }
        else if (Field(row, "query") is not null && Field(row, "answers") is { } answers)
        {
            messages = [new(ChatRole.User, Text(row, "query", source)!), Answer(answers, source)];
        }
        else if (Field(row, "prompt") is { ValueKind: JsonValueKind.Array } turns)
        {
            string field = Field(row, "response") is not null ? "response" : "completion";
            messages = ConversationParser.Messages(turns, "prompt", source);
            messages.AddRange(Field(row, field) is { } completion ? ConversationParser.Messages(completion, field, source) : throw CorpusErrors.NoResponse(source));
            indexed = true;
        }
        else if (Field(row, "prompt") is not null)
        {
            string field = Field(row, "response") is not null ? "response" : "completion";
            messages = Pair(Text(row, "prompt", source)!, Text(row, field, source), source);
        }
        else if (Field(row, "instruction") is not null)
        {
            string prompt = Text(row, "instruction", source)!;
            string? input = Text(row, "input", source);
            messages = Pair(string.IsNullOrEmpty(input) ? prompt : $"{prompt}\n\n{input}", Text(row, "output", source), source);
        }
        else
        {
            throw CorpusErrors.UnknownFormat(source, row.EnumerateObject().Select(static field => field.Name));
        }

        var tools = Field(row, "tools") is { } given ? ToolsParser.Parse(given, source) : [];
        var spans = Field(row, "reasoning_spans") is { } reasoning
            ? ReasoningSpansParser.Parse(reasoning, messages, indexed, source)
            : null;
        if (Text(row, "system", source) is { Length: > 0 } system)
        {
            if (Field(row, "messages") is not null) throw CorpusErrors.SystemBesideMessages(source);
            messages.Insert(0, new ChatMessage(ChatRole.System, system));
            spans = spans?.ConvertAll(static span => span with { Message = span.Message + 1 });
        }

        CheckResponses(messages, tools, source);
        return new ConversationRow(Id(row, source), source, messages, tools) { KnownReasoning = spans };
    }

    /// <summary>xLAM's <c>answers</c>: calls, as a list or as JSON in a string; a string that is none is the answer itself.</summary>
    private static ChatMessage Answer(JsonElement answers, RowSource source)
    {
        List<ToolCall>? calls = answers.ValueKind == JsonValueKind.String
            ? ToolCallParser.InText(answers.GetString()!)
            : ToolCallParser.OfList(answers, "answers", source);
        if (calls is { Count: > 0 }) return new ChatMessage(ChatRole.Assistant, ToolCallParser.Written(null, calls)) { Text = null, ToolCalls = calls };
        return new ChatMessage(ChatRole.Assistant, answers.ValueKind == JsonValueKind.String ? answers.GetString()! : "[]");
    }

    private static List<ChatMessage> Pair(string prompt, string? response, RowSource source)
    {
        if (response is null) throw CorpusErrors.NoResponse(source);
        if (response.Length == 0) throw CorpusErrors.EmptyResponse(source, "the response");
        if (prompt.Length == 0) throw CorpusErrors.NothingBefore(source.ToString());
        return [new(ChatRole.User, prompt), new(ChatRole.Assistant, response)];
    }

    private static void CheckResponses(List<ChatMessage> messages, List<string> tools, RowSource source)
    {
        int first = messages.FindIndex(static message => message.Role == ChatRole.Assistant);
        if (first < 0) throw CorpusErrors.NoResponse(source);
        if (tools.Count == 0 && messages.Take(first).All(static message => message.Content.Length == 0))
            throw CorpusErrors.NothingBefore(source.ToString());
        int empty = messages.FindIndex(static message => message is { Role: ChatRole.Assistant, Content: "" });
        if (empty >= 0) throw CorpusErrors.EmptyResponse(source, $"the assistant's message {empty}");
    }

    private static string Id(JsonElement row, RowSource source) => Field(row, "id") is not { } id
        ? source.DefaultId
        : id.ValueKind switch
        {
            JsonValueKind.String => id.GetString()!,
            JsonValueKind.Number => id.GetRawText(),
            _ => throw CorpusErrors.WrongType(source, "id", CorpusErrors.Describe(id.ValueKind), "a string or a number"),
        };

    private static JsonElement? Field(JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string? Text(JsonElement row, string name, RowSource source)
    {
        if (Field(row, name) is not { } value) return null;
        return value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : throw CorpusErrors.WrongType(source, name, CorpusErrors.Describe(value.ValueKind), "text");
    }
}
