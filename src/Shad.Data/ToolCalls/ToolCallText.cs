using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shad.Data.Corpora;

namespace Shad.Data.ToolCalls;

/// <summary>
/// Reads tool calls from the text of a response, in the formats that models and corpora write them in. What it cannot read is no
/// call.
/// </summary>
/// <remarks>
/// <list type="table">
/// <item><term>JSON</term><description>one call or a list of calls, alone or one after another, bare, in a code fence, between
/// <c>&lt;tool_call&gt;</c> tags (Hermes, Qwen) or behind <c>[TOOL_CALLS]</c> (Mistral). A call is an object with the tool's name
/// (<c>name</c>, <c>function</c>, <c>tool</c>, <c>selected_function</c>) and its arguments (<c>arguments</c>, <c>parameters</c>,
/// <c>filled_slots</c>: an object, or a string that holds one), or with such an object as its <c>function</c>.</description></item>
/// <item><term>ReAct</term><description>lines <c>Next step: "NAME"</c> and <c>Given values: "A" = "X"; "B" = "Y"</c>; also
/// <c>Action: NAME</c> and <c>Action Input: {JSON}</c>.</description></item>
/// <item><term>XML</term><description><c>&lt;use function="NAME"&gt;</c> with <c>&lt;slot label="A"&gt;X&lt;/slot&gt;</c>.</description></item>
/// <item><term>prose</term><description><c>The function that suits this is "NAME", which I will run with "A" set to "X", "B" set to
/// "Y".</c></description></item>
/// </list>
/// </remarks>
public static partial class ToolCallText
{
    private const int MaximumDepth = 64;

    private static readonly string[] NameKeys = ["name", "function", "tool", "tool_name", "selected_function"];
    private static readonly string[] ArgumentKeys = ["arguments", "parameters", "args", "filled_slots"];
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaximumDepth };

    /// <summary>The calls of a response; null where it holds none, or something in it that is meant as a call cannot be read.</summary>
    public static IReadOnlyList<CalledTool>? Read(string response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return OfJson(response) ?? OfReact(response) ?? OfXml(response) ?? OfProse(response);
    }

    /// <summary>True where a response is one JSON value, or several, in any of the wrappings <see cref="Read"/> takes.</summary>
    public static bool IsJson(string response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return JsonValues(response, static _ => { });
    }

    private static List<CalledTool>? OfJson(string response)
    {
        var calls = new List<CalledTool>();
        bool all = true;
        if (!JsonValues(response, value =>
        {
            if (value.ValueKind == JsonValueKind.Array)
                foreach (var item in value.EnumerateArray()) Add(item);
            else Add(value);
        }))
            return null;
        return all && calls.Count > 0 ? calls : null;

        void Add(JsonElement value)
        {
            if (CallOf(value) is { } call) calls.Add(call);
            else all = false;
        }
    }

    /// <summary>Passes every JSON value of a response on; false where it is anything but JSON.</summary>
    private static bool JsonValues(string response, Action<JsonElement> take)
    {
        var tagged = TaggedCalls().Matches(response);
        if (tagged.Count > 0)
        {
            foreach (Match match in tagged)
                if (!Values(match.Groups["json"].Value)) return false;
            return true;
        }

        string text = response.Trim();
        if (Fence().Match(text) is { Success: true } fenced) text = fenced.Groups["json"].Value;
        else if (text.StartsWith("[TOOL_CALLS]", StringComparison.Ordinal)) text = text["[TOOL_CALLS]".Length..];
        return Values(text);

        bool Values(string json)
        {
            if (json.AsSpan().TrimStart() is not ['{' or '[', ..]) return false;
            byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(json);
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = MaximumDepth });
            try
            {
                while (reader.Read())
                {
                    using var value = JsonDocument.ParseValue(ref reader);
                    take(value.RootElement);
                }

                return true;
            }
            catch (JsonException)
            {
                return false;
            }
        }
    }

    private static CalledTool? CallOf(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object) return null;
        if (value.TryGetProperty("function", out var inner) && inner.ValueKind == JsonValueKind.Object) return CallOf(inner);
        foreach (string key in NameKeys)
        {
            if (!value.TryGetProperty(key, out var name) || name.ValueKind != JsonValueKind.String) continue;
            return ArgumentsOf(value) is { } arguments ? new CalledTool(name.GetString()!, arguments) : null;
        }

        return null;
    }

    private static Dictionary<string, CalledValue>? ArgumentsOf(JsonElement call)
    {
        foreach (string key in ArgumentKeys)
        {
            if (!call.TryGetProperty(key, out var arguments)) continue;
            return arguments.ValueKind switch
            {
                JsonValueKind.Object => OfObject(arguments),
                JsonValueKind.String => OfObjectText(arguments.GetString()!),
                JsonValueKind.Null => [],
                _ => null,
            };
        }

        // A tool without arguments may be called without naming any.
        return [];
    }

    private static Dictionary<string, CalledValue>? OfObjectText(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, Options);
            return document.RootElement.ValueKind == JsonValueKind.Object ? OfObject(document.RootElement) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Dictionary<string, CalledValue> OfObject(JsonElement arguments)
    {
        var values = new Dictionary<string, CalledValue>(StringComparer.Ordinal);
        foreach (var argument in arguments.EnumerateObject()) values[argument.Name] = CalledValue.OfJson(argument.Value);
        return values;
    }

    private static List<CalledTool>? OfReact(string response)
    {
        var calls = new List<CalledTool>();
        foreach (Match step in ReactSteps().Matches(response))
        {
            string input = step.Groups["input"].Value.Trim();
            var arguments = input.StartsWith('{') ? OfObjectText(input) : Pairs(input, ReactPair(), "; ");
            if (arguments is null) return null;
            calls.Add(new CalledTool(step.Groups["name"].Value, arguments));
        }

        return calls.Count > 0 ? calls : null;
    }

    private static List<CalledTool>? OfXml(string response)
    {
        var calls = new List<CalledTool>();
        foreach (Match use in XmlUses().Matches(response))
        {
            var arguments = new Dictionary<string, CalledValue>(StringComparer.Ordinal);
            string slots = use.Groups["slots"].Value;
            if (XmlSlot().Replace(slots, "").Trim().Length > 0) return null;
            foreach (Match slot in XmlSlot().Matches(slots))
            {
                string name = WebUtility.HtmlDecode(slot.Groups["name"].Value);
                if (!arguments.TryAdd(name, CalledValue.OfText(WebUtility.HtmlDecode(slot.Groups["value"].Value)))) return null;
            }

            calls.Add(new CalledTool(WebUtility.HtmlDecode(use.Groups["name"].Value), arguments));
        }

        return calls.Count > 0 ? calls : null;
    }

    private static List<CalledTool>? OfProse(string response)
    {
        var calls = new List<CalledTool>();
        foreach (Match call in ProseCalls().Matches(response))
        {
            if (Pairs(call.Groups["input"].Value, ProsePair(), ", ") is not { } arguments) return null;
            calls.Add(new CalledTool(call.Groups["name"].Value, arguments));
        }

        return calls.Count > 0 ? calls : null;
    }

    /// <summary>Arguments in quotes, one behind another; null where anything but them and the separators stands there.</summary>
    private static Dictionary<string, CalledValue>? Pairs(string text, Regex pair, string separator)
    {
        var values = new Dictionary<string, CalledValue>(StringComparer.Ordinal);
        int at = 0;
        while (true)
        {
            Match match = pair.Match(text, at);
            if (!match.Success || match.Index != at) return null;
            if (!values.TryAdd(match.Groups["name"].Value, CalledValue.OfText(match.Groups["value"].Value))) return null;
            at += match.Length;
            if (at == text.Length) return values;
            if (string.CompareOrdinal(text, at, separator, 0, separator.Length) != 0) return null;
            at += separator.Length;
        }
    }

    [GeneratedRegex("""<tool_call>(?<json>.*?)</tool_call>""", RegexOptions.Singleline)]
    private static partial Regex TaggedCalls();

    [GeneratedRegex("""\A```[a-z]*\n(?<json>.*)```\z""", RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("""^(?:Next step|Action): *"?(?<name>[^"\n]+?)"? *\n(?:Given values|Action Input): *(?<input>[^\n]*)""", RegexOptions.Multiline)]
    private static partial Regex ReactSteps();

    [GeneratedRegex("\"(?<name>[^\"]+)\" = \"(?<value>[^\"]*)\"")]
    private static partial Regex ReactPair();

    [GeneratedRegex("""<use function="(?<name>[^"]+)">(?<slots>.*?)</use>""", RegexOptions.Singleline)]
    private static partial Regex XmlUses();

    [GeneratedRegex("""<slot label="(?<name>[^"]+)">(?<value>[^<]*)</slot>""")]
    private static partial Regex XmlSlot();

    [GeneratedRegex("""The function that suits this is "(?<name>[^"]+)", which I will run with (?<input>"[^"]*" set to "[^"]*"(?:, "[^"]*" set to "[^"]*")*)""")]
    private static partial Regex ProseCalls();

    [GeneratedRegex("\"(?<name>[^\"]+)\" set to \"(?<value>[^\"]*)\"")]
    private static partial Regex ProsePair();
}
