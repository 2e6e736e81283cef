using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shad.Core.Samples;

namespace Shad.Data.Corpora;

/// <summary>What a piece of a JSON response is.</summary>
public enum StructuralPart
{
    /// <summary>Brackets, quotes, commas, colons, white space and the property names that every response has: <c>[{"name": "</c>.</summary>
    Scaffold,

    /// <summary>Name of an argument of a call: given by the tool's definition, so neither format nor an answer of its own.</summary>
    ArgumentName,

    /// <summary>A value: a number, a literal, the content of a string; so also the name of a called function.</summary>
    Value,
}

/// <summary>A piece of a JSON response.</summary>
/// <param name="Start">First character, UTF-16 units.</param>
/// <param name="End">One past the last character.</param>
/// <param name="Part">What it is.</param>
public readonly record struct StructuralSpan(int Start, int End, StructuralPart Part);

/// <summary>
/// Roles that the structure of JSON responses suggests: values are reasoning, scaffolding is boilerplate, argument names are left
/// undecided. A yardstick for corpora whose true roles nobody knows; no part of the method.
/// </summary>
public static partial class StructuralRoles
{
    private static readonly JsonReaderOptions Options = new() { AllowMultipleValues = true, MaxDepth = 256 };

    /// <summary>The pieces of a response that is one JSON array or object, in order and without gaps.</summary>
    /// <param name="response">The response. An end-of-turn mark such as <c>&lt;|im_end|&gt;</c> may follow the JSON; it counts as
    /// scaffolding, as white space around it does.</param>
    /// <returns>The pieces; null where the response is anything else.</returns>
    public static IReadOnlyList<StructuralSpan>? SpansOf(string response)
    {
        ArgumentNullException.ThrowIfNull(response);
        ReadOnlySpan<char> trimmed = response.AsSpan().TrimStart();
        if (trimmed.IsEmpty || trimmed[0] is not ('[' or '{')) return null;

        (byte[] json, int[] place) = ToUtf8(response);
        var marked = new List<StructuralSpan>();
        int end;
        try
        {
            end = place[Mark(json, place, marked)];
        }
        catch (JsonException)
        {
            return null;
        }

        return EndOfTurn().IsMatch(response.AsSpan(end)) ? Fill(marked, response.Length) : null;
    }

    /// <summary>The structural role of each token, <c>[S]</c>: reasoning where any of its characters belongs to a value; none where
    /// one belongs to an argument name; null where no target.</summary>
    /// <returns>The roles; null where no response of the sample is JSON, or the sample has no text.</returns>
    public static TokenRole?[]? Of(EncodedSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        if (sample is not { Text: { } text, OffsetStart: { } starts, OffsetEnd: { } ends }) return null;
        TokenRole?[]? roles = null;
        foreach (Range turn in sample.Tokens.ResponseSpans())
        {
            (int first, int last) = (turn.Start.Value, turn.End.Value - 1);
            int textStart = starts[first];
            if (SpansOf(text[textStart..ends[last]]) is not { } spans) continue;
            roles ??= new TokenRole?[sample.Tokens.Length];
            for (int token = first; token <= last; token++)
                roles[token] = RoleOf(spans, starts[token] - textStart, ends[token] - textStart);
        }

        return roles;
    }

    private static TokenRole? RoleOf(IReadOnlyList<StructuralSpan> spans, int start, int end)
    {
        bool touchesName = false;
        foreach (StructuralSpan span in spans)
        {
            if (span.Start >= end || span.End <= start) continue;
            if (span.Part == StructuralPart.Value) return TokenRole.Reasoning;
            touchesName |= span.Part == StructuralPart.ArgumentName;
        }

        return touchesName ? null : TokenRole.Boilerplate;
    }

    /// <summary>Notes the values and argument names of the first JSON value.</summary>
    /// <returns>The byte after that value.</returns>
    private static int Mark(byte[] json, int[] place, List<StructuralSpan> marked)
    {
        var reader = new Utf8JsonReader(json, Options);
        // Depth at which the outermost object of arguments was opened; 0 outside of arguments.
        int argumentsDepth = 0;
        bool nextIsArguments = false;
        while (reader.Read())
        {
            int start = (int)reader.TokenStartIndex;
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    if (argumentsDepth > 0) Add(start + 1, reader.ValueSpan.Length, StructuralPart.ArgumentName);
                    else nextIsArguments = HoldsArguments(ref reader);
                    continue;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    // CurrentDepth does not count the object that is being opened.
                    if (nextIsArguments && argumentsDepth == 0) argumentsDepth = reader.CurrentDepth + 1;
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    if (reader.CurrentDepth + 1 == argumentsDepth) argumentsDepth = 0;
                    if (reader.CurrentDepth == 0) return (int)reader.BytesConsumed;
                    break;
                case JsonTokenType.String:
                    Add(start + 1, reader.ValueSpan.Length, StructuralPart.Value);
                    break;
                default:
                    Add(start, reader.ValueSpan.Length, StructuralPart.Value);
                    break;
            }

            nextIsArguments = false;
        }

        throw new JsonException("The JSON ends early.");

        void Add(int from, int length, StructuralPart part)
        {
            if (length > 0) marked.Add(new StructuralSpan(place[from], place[from + length], part));
        }
    }

    private static bool HoldsArguments(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("arguments"u8) || reader.ValueTextEquals("parameters"u8) || reader.ValueTextEquals("args"u8)
        || reader.ValueTextEquals("kwargs"u8) || reader.ValueTextEquals("input"u8);

    /// <summary>Fills the gaps between marked pieces with scaffolding.</summary>
    private static List<StructuralSpan> Fill(List<StructuralSpan> marked, int length)
    {
        var spans = new List<StructuralSpan>(2 * marked.Count + 1);
        int end = 0;
        foreach (StructuralSpan span in marked)
        {
            if (span.Start > end) spans.Add(new StructuralSpan(end, span.Start, StructuralPart.Scaffold));
            spans.Add(span);
            end = span.End;
        }

        if (length > end) spans.Add(new StructuralSpan(end, length, StructuralPart.Scaffold));
        return spans;
    }

    /// <summary>The text in UTF-8 and, for each byte and the end, the character it belongs to, <c>[bytes + 1]</c>.</summary>
    private static (byte[] Utf8, int[] Place) ToUtf8(string text)
    {
        var utf8 = new List<byte>(text.Length);
        var place = new List<int>(text.Length + 1);
        Span<byte> buffer = stackalloc byte[4];
        for (int i = 0; i < text.Length;)
        {
            // A lone surrogate becomes U+FFFD.
            Rune.DecodeFromUtf16(text.AsSpan(i), out Rune rune, out int consumed);
            int bytes = rune.EncodeToUtf8(buffer);
            for (int b = 0; b < bytes; b++)
            {
                utf8.Add(buffer[b]);
                place.Add(i);
            }

            i += consumed;
        }

        place.Add(text.Length);
        return ([.. utf8], [.. place]);
    }

    [GeneratedRegex(@"^\s*(<[^<>\s]*>)?\s*$")]
    private static partial Regex EndOfTurn();
}
