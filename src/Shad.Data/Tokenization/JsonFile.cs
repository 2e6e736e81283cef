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

/// <summary>A value in a JSON file that knows where it stands, for messages.</summary>
internal sealed class JsonField
{
    private readonly string _file;
    private readonly JsonField? _parent;
    private readonly string? _name; // null: an item of a list
    private readonly int _index;

    private JsonField(string file, JsonField? parent, string? name, int index, JsonElement element)
    {
        _file = file;
        _parent = parent;
        _name = name;
        _index = index;
        Element = element;
    }

    /// <summary>Its value.</summary>
    public JsonElement Element { get; }

    /// <summary>The field's place in the file: <c>model.merges[3]</c>.</summary>
    public string Path => _parent is null ? "(root)" : PathBelow();

    private string Kind => Element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };

    /// <summary>The whole of a file.</summary>
    public static JsonField Root(string file, JsonElement element) => new(file, null, null, 0, element);

    /// <summary>A member that must be there.</summary>
    public JsonField Required(string name) => Optional(name) ?? throw Child(name).Bad("the field is missing", "a value");

    /// <summary>A member; null where it is missing or null.</summary>
    public JsonField? Optional(string name)
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Bad($"it is {Kind}", "an object");
        return Element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? new JsonField(_file, this, name, 0, value)
            : null;
    }

    /// <summary>A member by name, there or not, for messages.</summary>
    public JsonField Child(string name) => new(_file, this, name, 0, default);

    /// <summary>The items of a list.</summary>
    public IEnumerable<JsonField> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array) throw Bad($"it is {Kind}", "a list");
        return Element.EnumerateArray().Select((item, index) => new JsonField(_file, this, null, index, item));
    }

    /// <summary>The members of an object, in order.</summary>
    public IEnumerable<JsonField> Members()
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Bad($"it is {Kind}", "an object");
        return Element.EnumerateObject().Select(member => new JsonField(_file, this, NameOf(member), 0, member.Value));
    }

    /// <summary>The name of a member of an object.</summary>
    public string Name => _name ?? throw new InvalidOperationException("Items of a list have no name.");

    /// <summary>A string.</summary>
    public string Text()
    {
        if (Element.ValueKind != JsonValueKind.String) throw Bad($"it is {Kind}", "a string");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw HalfOfPair();
        }
    }

    /// <summary>A number.</summary>
    public double Number() => Element.ValueKind == JsonValueKind.Number ? Element.GetDouble() : throw Bad($"it is {Kind}", "a number");

    /// <summary>A whole number that can be a token id.</summary>
    public int TokenId() => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value) && value >= 0
        ? value
        : throw Bad($"it is {(Element.ValueKind == JsonValueKind.Number ? Element.GetRawText() : Kind)}", "a token id: a whole number from 0");

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
    public ShadException Bad(string what, string expected) => TokenizerErrors.BadField(_file, Path, what, expected);

    /// <summary>The error that what this field asks for is not supported.</summary>
    public ShadException Unsupported(string found) => TokenizerErrors.Unsupported(_file, Path, found);

    /// <summary>The error that this field names a token which is not there.</summary>
    public ShadException UnknownToken(string token) => TokenizerErrors.UnknownSpecialToken(_file, Path, token);

    private string PathBelow()
    {
        if (_parent is null) return "";
        var above = _parent.PathBelow();
        if (_name is null) return $"{above}[{_index}]";
        return above.Length == 0 ? _name : $"{above}.{_name}";
    }

    private string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            throw HalfOfPair();
        }
    }

    // A string with half of an escaped surrogate pair has no characters to give.
    private ShadException HalfOfPair() => Bad("it holds half of a surrogate pair", "whole characters");
}
