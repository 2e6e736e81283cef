using System.Globalization;
using System.Text.Json;
using Shad.Models.Errors;

namespace Shad.Models.Configuration;

/// <summary>Typed, checked access to the fields of a JSON object; a JSON null counts as absent.</summary>
/// <param name="Path">The file, for errors.</param>
/// <param name="Element">The object.</param>
/// <param name="Prefix">Fields that lead to it, with a dot at the end, for errors; empty at the root.</param>
internal readonly record struct ConfigFields(string Path, JsonElement Element, string Prefix = "")
{
    private const string PositiveInteger = "a whole number from 1 to ";

    /// <summary>The full name of a field, for errors.</summary>
    public string NameOf(string field) => Prefix + field;

    public JsonElement? Find(string field) =>
        Element.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>True where the field is there, be it null.</summary>
    public bool IsStated(string field) => Element.TryGetProperty(field, out _);

    public int PositiveInt(string field, int largest = int.MaxValue) =>
        OptionalPositiveInt(field, largest) ?? throw ModelErrors.FieldMissing(Path, NameOf(field), PositiveInteger + largest);

    public int? OptionalPositiveInt(string field, int largest = int.MaxValue)
    {
        if (Find(field) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 1 && number <= largest)
            return number;
        throw Invalid(field, value, PositiveInteger + largest.ToString(CultureInfo.InvariantCulture));
    }

    public int? OptionalCount(string field)
    {
        if (Find(field) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 0) return number;
        throw Invalid(field, value, "a whole number, not negative");
    }

    public double PositiveNumber(string field) =>
        OptionalPositiveNumber(field) ?? throw ModelErrors.FieldMissing(Path, NameOf(field), "a positive number");

    public double? OptionalPositiveNumber(string field)
    {
        if (Find(field) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number > 0 && double.IsFinite(number))
            return number;
        throw Invalid(field, value, "a positive number");
    }

    public bool Flag(string field, bool absent)
    {
        if (Find(field) is not { } value) return absent;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Invalid(field, value, "true or false"),
        };
    }

    public string? OptionalText(string field)
    {
        if (Find(field) is not { } value) return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Invalid(field, value, "a string");
    }

    public IReadOnlyList<string>? OptionalTexts(string field)
    {
        if (Find(field) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(static item => item.ValueKind != JsonValueKind.String))
            throw Invalid(field, value, "a list of strings");
        return [.. value.EnumerateArray().Select(static item => item.GetString()!)];
    }

    public IReadOnlyList<double>? OptionalPositiveNumbers(string field)
    {
        if (Find(field) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array) throw Invalid(field, value, "a list of positive numbers");
        var numbers = new List<double>();
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetDouble(out double number) || !(number > 0) || !double.IsFinite(number))
                throw Invalid(field, item, "a list of positive numbers");
            numbers.Add(number);
        }

        return numbers;
    }

    public ConfigFields? OptionalObject(string field)
    {
        if (Find(field) is not { } value) return null;
        return value.ValueKind == JsonValueKind.Object
            ? new ConfigFields(Path, value, NameOf(field) + ".")
            : throw Invalid(field, value, "an object");
    }

    /// <summary>Token ids given as one number or a list.</summary>
    public IReadOnlyList<int> TokenIds(string field, int vocabularySize)
    {
        if (Find(field) is not { } value) return [];
        IEnumerable<JsonElement> items = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : [value];
        var ids = new List<int>();
        foreach (JsonElement item in items)
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int id) || id < 0 || id >= vocabularySize)
                throw Invalid(field, item, $"token ids from 0 to {vocabularySize - 1} (vocab_size − 1), one or a list");
            if (!ids.Contains(id)) ids.Add(id);
        }

        return ids;
    }

    public Core.Errors.ShadException Invalid(string field, JsonElement value, string expected, string? mend = null) =>
        ModelErrors.FieldInvalid(Path, NameOf(field), ModelErrors.Describe(value), expected, mend);
}
