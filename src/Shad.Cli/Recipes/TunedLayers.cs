using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shad.Cli.Recipes;

/// <summary>Which layers a tune changes: all parameters, or the last layers only. Written <c>all</c> (or nothing), <c>quarter</c>, or a
/// number.</summary>
/// <remarks>With the last layers go the last norm and an untied head; the embedding, and with it a tied head, stays as it is.</remarks>
[JsonConverter(typeof(TunedLayersConverter))]
public readonly record struct TunedLayers
{
    private const int QuarterMark = -1;

    // 0 is all, so that the default of the type is the default of a tune.
    private readonly int _count;

    private TunedLayers(int count) => _count = count;

    /// <summary>How it may be written, for messages.</summary>
    public const string Expected = "a whole number of at least 1, 'quarter' or 'all'";

    /// <summary>Every parameter.</summary>
    public static TunedLayers All { get; }

    /// <summary>The last quarter of the layers, at least one.</summary>
    public static TunedLayers Quarter { get; } = new(QuarterMark);

    /// <summary>The last layers.</summary>
    /// <param name="count">How many, at least 1.</param>
    public static TunedLayers Last(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return new TunedLayers(count);
    }

    /// <summary>Reads what <see cref="ToString"/> writes; null where it is none of these.</summary>
    public static TunedLayers? Parse(string text) => text switch
    {
        "all" => All,
        "quarter" => Quarter,
        _ => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0 ? Last(count) : null,
    };

    /// <summary>How many layers that is in a model; null for all parameters.</summary>
    /// <param name="layerCount">Asked for the model's layers where the answer depends on it.</param>
    public int? CountOf(Func<int> layerCount)
    {
        ArgumentNullException.ThrowIfNull(layerCount);
        return _count switch
        {
            0 => null,
            QuarterMark => Math.Max(1, layerCount() / 4),
            _ => _count,
        };
    }

    /// <inheritdoc/>
    public override string ToString() => _count switch
    {
        0 => "all",
        QuarterMark => "quarter",
        _ => _count.ToString(CultureInfo.InvariantCulture),
    };
}

/// <summary>JSON of <see cref="TunedLayers"/>: null for all, a text or a number.</summary>
public sealed class TunedLayersConverter : JsonConverter<TunedLayers>
{
    /// <inheritdoc/>
    public override bool HandleNull => true;

    /// <inheritdoc/>
    public override TunedLayers Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        TunedLayers? layers = reader.TokenType switch
        {
            JsonTokenType.Null => TunedLayers.All,
            JsonTokenType.Number => TunedLayers.Parse(reader.GetInt32().ToString(CultureInfo.InvariantCulture)),
            JsonTokenType.String => TunedLayers.Parse(reader.GetString()!),
            _ => null,
        };
        return layers ?? throw new JsonException($"Expected {TunedLayers.Expected}.");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, TunedLayers value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (value == TunedLayers.All) writer.WriteNullValue();
        else if (value == TunedLayers.Quarter) writer.WriteStringValue(value.ToString());
        else writer.WriteNumberValue(int.Parse(value.ToString(), CultureInfo.InvariantCulture));
    }
}
