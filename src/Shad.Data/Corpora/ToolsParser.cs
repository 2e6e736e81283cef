using System.Text.Json;
using Shad.Core.Errors;

namespace Shad.Data.Corpora;

/// <summary>The field <c>tools</c>: a list of JSON objects, of strings that hold one each, or a string that holds the list.</summary>
internal static class ToolsParser
{
    /// <summary>Each tool as compact JSON on one line.</summary>
    /// <exception cref="ShadException">The field is nothing of these.</exception>
    internal static List<string> Parse(JsonElement tools, RowSource source)
    {
        if (tools.ValueKind != JsonValueKind.String) return ParseList(tools, source);
        if (string.IsNullOrWhiteSpace(tools.GetString())) return [];
        using var document = Inner(tools, "tools", source);
        return ParseList(document.RootElement, source);
    }

    private static List<string> ParseList(JsonElement list, RowSource source)
    {
        if (list.ValueKind != JsonValueKind.Array)
            throw CorpusErrors.WrongType(source, "tools", CorpusErrors.Describe(list.ValueKind), "a list of JSON objects");
        var lines = new List<string>(list.GetArrayLength());
        foreach (var tool in list.EnumerateArray())
        {
            string field = $"tools[{lines.Count}]";
            if (tool.ValueKind == JsonValueKind.String)
            {
                using var document = Inner(tool, field, source);
                lines.Add(Line(document.RootElement, field, source));
            }
            else
            {
                lines.Add(Line(tool, field, source));
            }
        }

        return lines;
    }

    private static string Line(JsonElement tool, string field, RowSource source) => tool.ValueKind == JsonValueKind.Object
        ? CompactJson.Of(tool)
        : throw CorpusErrors.WrongType(source, field, CorpusErrors.Describe(tool.ValueKind), "a JSON object");

    private static JsonDocument Inner(JsonElement text, string field, RowSource source)
    {
        try
        {
            return JsonDocument.Parse(text.GetString()!, new JsonDocumentOptions { MaxDepth = CorpusRowParser.MaximumDepth });
        }
        catch (JsonException)
        {
            throw CorpusErrors.WrongType(source, field, "a string that is no JSON", "JSON");
        }
    }
}
