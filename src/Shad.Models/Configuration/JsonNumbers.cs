using System.Globalization;
using System.Text.Json;

namespace Shad.Models.Configuration;

/// <summary>Numbers as transformers takes them.</summary>
internal static class JsonNumbers
{
    /// <summary>Writes a number with a point: transformers warns, or refuses, where a factor is written as a whole number (8.0, not 8).</summary>
    public static void WriteFloat(this Utf8JsonWriter json, string name, double value)
    {
        json.WritePropertyName(name);
        json.WriteFloatValue(value);
    }

    /// <summary>As <see cref="WriteFloat(Utf8JsonWriter, string, double)"/>, with the fewest digits that give the float32 back.</summary>
    public static void WriteFloat(this Utf8JsonWriter json, string name, float value)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(WithPoint(value.ToString("R", CultureInfo.InvariantCulture)));
    }

    /// <summary>Writes a number of a list, with a point.</summary>
    public static void WriteFloatValue(this Utf8JsonWriter json, double value) =>
        json.WriteRawValue(WithPoint(value.ToString("R", CultureInfo.InvariantCulture)));

    private static string WithPoint(string digits) => digits.AsSpan().IndexOfAny(".E") < 0 ? digits + ".0" : digits;
}
