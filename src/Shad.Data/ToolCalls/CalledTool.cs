using System.Globalization;
using System.Text.Json;
using Shad.Data.Corpora;

namespace Shad.Data.ToolCalls;

/// <summary>A call of a tool as it was read from a text.</summary>
/// <param name="Name">The tool's name.</param>
/// <param name="Arguments">The arguments by name.</param>
public sealed record CalledTool(string Name, IReadOnlyDictionary<string, CalledValue> Arguments)
{
    /// <summary>True where name, argument names and values are the same, in any order of the arguments.</summary>
    public bool IsSameAs(CalledTool other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Name == other.Name && HasSameArgumentNames(other) && HasValuesOf(other);
    }

    /// <summary>True where the arguments have the same names.</summary>
    public bool HasSameArgumentNames(CalledTool other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Arguments.Count == other.Arguments.Count && Arguments.Keys.All(other.Arguments.ContainsKey);
    }

    /// <summary>True where every argument of another call is here with the same value.</summary>
    public bool HasValuesOf(CalledTool other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return other.Arguments.All(argument => Arguments.TryGetValue(argument.Key, out var value) && value.IsSameAs(argument.Value));
    }
}

/// <summary>
/// A value of an argument. JSON knows whether <c>7</c> is a number or a string; other formats write text only.
/// </summary>
public readonly record struct CalledValue
{
    private readonly string _text;
    private readonly string? _json;

    private CalledValue(string text, string? json) => (_text, _json) = (text, json);

    /// <summary>A value written as text.</summary>
    public static CalledValue OfText(string text) => new(text, null);

    /// <summary>A value written as JSON.</summary>
    public static CalledValue OfJson(JsonElement value)
    {
        string json = Canonical(value);
        return new(value.ValueKind == JsonValueKind.String ? value.GetString()! : json, json);
    }

    /// <summary>True for the same value: of two JSON values by type and content, whatever the order of their properties and the notation
    /// of their numbers; else by text.</summary>
    public bool IsSameAs(CalledValue other) => _json is not null && other._json is not null ? _json == other._json : _text == other._text;

    /// <inheritdoc/>
    public override string ToString()
    {
        string text = _text;
        return _json ?? CompactJson.Write(json => json.WriteStringValue(text));
    }

    private static string Canonical(JsonElement value) => CompactJson.Write(json => Write(value, json));

    private static void Write(JsonElement value, Utf8JsonWriter json)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var property in value.EnumerateObject().OrderBy(static property => property.Name, StringComparer.Ordinal))
                {
                    json.WritePropertyName(property.Name);
                    Write(property.Value, json);
                }

                json.WriteEndObject();
                break;
            case JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in value.EnumerateArray()) Write(item, json);
                json.WriteEndArray();
                break;
            case JsonValueKind.Number when value.TryGetDecimal(out decimal exact):
                // Division by one with 28 zeros takes the trailing zeros away: 1.0 and 1 are the same.
                json.WriteRawValue((exact / 1.0000000000000000000000000000m).ToString(CultureInfo.InvariantCulture));
                break;
            case JsonValueKind.Number when value.TryGetDouble(out double number) && double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            default:
                value.WriteTo(json);
                break;
        }
    }
}
