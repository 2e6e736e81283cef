using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shad.Cli.Recipes;

/// <summary>How the surprise of a rule is written: a loss in nats, or <c>off</c>, which is infinite, so that the loss difference alone
/// decides.</summary>
public sealed class SurpriseNotation : JsonConverter<double>
{
    private const string Off = "off";

    /// <summary>How it may be written, for messages.</summary>
    public const string Expected = "a loss in nats, more than 0, or off";

    /// <summary>What is written, nats; null where it is no surprise.</summary>
    public static double? Parse(string text)
    {
        if (text == Off) return double.PositiveInfinity;
        // Underscores group digits in YAML numbers.
        return double.TryParse(text.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out double nats) && nats > 0 && double.IsFinite(nats) ? nats : null;
    }

    /// <inheritdoc/>
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Number ? reader.GetDouble()
        : reader.TokenType == JsonTokenType.String && Parse(reader.GetString()!) is { } nats ? nats
        : throw new JsonException($"Expected {Expected}.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (double.IsPositiveInfinity(value)) writer.WriteStringValue(Off);
        else writer.WriteNumberValue(value);
    }
}
