using System.Text.Json;
using Shad.Core.Errors;

namespace Shad.Data.Tokenization;

/// <summary>Opens the JSON files of a model folder.</summary>
internal static class JsonFile
{
    /// <summary>Reads a whole file.</summary>
    /// <exception cref="ShadException">It cannot be read, or is not JSON.</exception>
    public static JsonDocument Open(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            return JsonDocument.Parse(stream);
        }
        catch (JsonException error)
        {
            throw TokenizerErrors.NotJson(file, error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw TokenizerErrors.Unreadable(file, error);
        }
    }
}

/// <summary>A field of a JSON file that knows where it stands, for messages.</summary>
/// <param name="file">The file.</param>
/// <param name="path">The field: <c>model.merges[3]</c>; empty for the whole file.</param>
/// <param name="element">Its value.</param>
internal sealed class JsonField(string file, string path, JsonElement element)
{
    /// <summary>The field's place in the file.</summary>
    public string Path => path.Length == 0 ? "(root)" : path;

    /// <summary>Its value.</summary>
    public JsonElement Element => element;

    /// <summary>A member that must be there.</summary>
    public JsonField Required(string name) => Optional(name) ?? throw Child(name).Bad("the field is missing", "a value");

    /// <summary>A member; null where it is missing or null.</summary>
    public JsonField? Optional(string name)
    {
        if (element.ValueKind != JsonValueKind.Object) throw Bad($"it is {Kind}", "an object");
        return element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? new JsonField(file, Join(name), value) : null;
    }

    /// <summary>A member by name, there or not, for messages.</summary>
    public JsonField Child(string name) => new(file, Join(name), default);

    /// <summary>The items of a list.</summary>
    public IEnumerable<JsonField> Items()
    {
        if (element.ValueKind != JsonValueKind.Array) throw Bad($"it is {Kind}", "a list");
        return element.EnumerateArray().Select((item, index) => new JsonField(file, $"{path}[{index}]", item));
    }

    /// <summary>The members of an object, in order.</summary>
    public IEnumerable<(string Name, JsonField Value)> Members()
    {
        if (element.ValueKind != JsonValueKind.Object) throw Bad($"it is {Kind}", "an object");
        return element.EnumerateObject().Select(member =>
        {
            var name = Characters(() => member.Name);
            return (name, new JsonField(file, Join(name), member.Value));
        });
    }

    /// <summary>A string.</summary>
    public string Text() =>
        element.ValueKind == JsonValueKind.String ? Characters(() => element.GetString()!) : throw Bad($"it is {Kind}", "a string");

    /// <summary>A number.</summary>
    public double Number() => element.ValueKind == JsonValueKind.Number ? element.GetDouble() : throw Bad($"it is {Kind}", "a number");

    /// <summary>A whole number that can be a token id.</summary>
    public int Integer() => element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out var value) && value >= 0
        ? value
        : throw Bad($"it is {(element.ValueKind == JsonValueKind.Number ? element.GetRawText() : Kind)}", "a token id: a whole number from 0");

    /// <summary>A member that is true or false.</summary>
    public bool Flag(string name, bool whereMissing) => Optional(name) is not { } field
        ? whereMissing
        : field.Element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw field.Bad($"it is {field.Kind}", "true or false"),
        };

    /// <summary>The error that this field is wrong.</summary>
    public ShadException Bad(string what, string expected) => TokenizerErrors.BadField(file, Path, what, expected);

    /// <summary>The error that what this field asks for is not supported.</summary>
    public ShadException Unsupported(string found) => TokenizerErrors.Unsupported(file, Path, found);

    /// <summary>The error that this field names a token which is not there.</summary>
    public ShadException UnknownToken(string token) => TokenizerErrors.UnknownSpecialToken(file, Path, token);

    private string Kind => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };

    private string Join(string name) => path.Length == 0 ? name : $"{path}.{name}";

    // A string with half of an escaped surrogate pair has no characters to give.
    private string Characters(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            throw Bad("it holds half of a surrogate pair", "whole characters");
        }
    }
}
