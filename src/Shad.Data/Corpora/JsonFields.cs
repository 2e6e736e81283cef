using System.Text;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Data.Corpora;

/// <summary>
/// The values of fields of tokenized rows. Each method stands on the field's name and reads its value; a value of null gives null or
/// false. Lists go into buffers that are reused from row to row. Text that is not well-formed is the reader's
/// <see cref="InvalidOperationException"/>, which the row parsers turn into an error of the row.
/// </summary>
internal static class JsonFields
{
    /// <exception cref="ShadException">The value is no text and no number.</exception>
    internal static string? ReadId(ref Utf8JsonReader reader, RowSource source)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.Null => null,
            JsonTokenType.String => reader.GetString(),
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
            _ => throw CorpusErrors.WrongType(source, "id", CorpusErrors.Describe(reader.TokenType), "a string or a number"),
        };
    }

    /// <exception cref="ShadException">The value is no text.</exception>
    internal static string? ReadText(ref Utf8JsonReader reader, string field, RowSource source)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.Null => null,
            JsonTokenType.String => reader.GetString(),
            _ => throw CorpusErrors.WrongType(source, field, CorpusErrors.Describe(reader.TokenType), "text"),
        };
    }

    /// <exception cref="ShadException">The value is no list of 32-bit whole numbers.</exception>
    internal static bool ReadIntegers(ref Utf8JsonReader reader, List<int> values, string field, RowSource source)
    {
        values.Clear();
        if (!StartList(ref reader, field, source)) return false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int value))
                throw CorpusErrors.WrongElement(source, field, values.Count, Found(ref reader), "a 32-bit whole number");
            values.Add(value);
        }

        return true;
    }

    /// <summary>Reads numbers; null becomes NaN.</summary>
    /// <exception cref="ShadException">The value is no list of finite numbers and nulls.</exception>
    internal static bool ReadNumbers(ref Utf8JsonReader reader, List<float> values, string field, RowSource source)
    {
        values.Clear();
        if (!StartList(ref reader, field, source)) return false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            float value = float.NaN;
            if (reader.TokenType != JsonTokenType.Null
                && (reader.TokenType != JsonTokenType.Number || !reader.TryGetSingle(out value) || !float.IsFinite(value)))
                throw CorpusErrors.WrongElement(source, field, values.Count, Found(ref reader), "a finite number or null");
            values.Add(value);
        }

        return true;
    }

    /// <exception cref="ShadException">The value is no list of 0, 1 and null.</exception>
    internal static bool ReadRoles(ref Utf8JsonReader reader, List<TokenRole?> values, string field, RowSource source)
    {
        values.Clear();
        if (!StartList(ref reader, field, source)) return false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            TokenRole? role = null;
            if (reader.TokenType != JsonTokenType.Null)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int value) || value is < 0 or > 1)
                    throw CorpusErrors.WrongElement(
                        source, field, values.Count, Found(ref reader), "0 (boilerplate), 1 (reasoning) or null");
                role = (TokenRole)value;
            }

            values.Add(role);
        }

        return true;
    }

    private static bool StartList(ref Utf8JsonReader reader, string field, RowSource source)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return false;
        if (reader.TokenType != JsonTokenType.StartArray)
            throw CorpusErrors.WrongType(source, field, CorpusErrors.Describe(reader.TokenType), "a list of numbers");
        return true;
    }

    private static string Found(ref Utf8JsonReader reader) => reader.TokenType == JsonTokenType.Number
        ? Encoding.UTF8.GetString(reader.ValueSpan)
        : CorpusErrors.Describe(reader.TokenType);
}
