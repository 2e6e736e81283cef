using System.Text.Json;
using Shad.Models.Errors;
using Shad.Models.Families;

namespace Shad.Models.Configuration;

/// <summary>The fields of <c>config.json</c> about rotary embedding, read and written.</summary>
/// <remarks>
/// transformers 4 has <c>rope_theta</c> and <c>rope_scaling</c> side by side; transformers 5 has one object, <c>rope_parameters</c>, with
/// both, and lets what is inside it win over a <c>rope_theta</c> left beside it.
/// </remarks>
internal static class RotaryFields
{
    private const string Types = "one of default, linear, llama3, dynamic, yarn, longrope";

    /// <summary>Reads the embedding.</summary>
    public static RotaryEmbedding Read(ConfigFields fields, DecoderFamily family, int headSize, int contextLength)
    {
        double theta = fields.OptionalPositiveNumber("rope_theta") ?? family.DefaultTheta;
        double share = ReadShare(fields, family, headSize) ?? 1;
        ConfigFields? scaling = (family.RotatesByLayerKind ? null : fields.OptionalObject("rope_parameters")) ?? fields.OptionalObject("rope_scaling");
        if (scaling is not { } parameters) return new RotaryEmbedding(theta) { Share = share };
        share = ReadShare(parameters, family, headSize) ?? share;
        var rotary = new RotaryEmbedding(parameters.OptionalPositiveNumber("rope_theta") ?? theta) { Share = share };
        return rotary with { Scaling = ReadScaling(parameters, fields, contextLength, rotary.RotatedSize(headSize)) };
    }

    /// <summary>Reads the scaling that an object describes; null for none.</summary>
    /// <param name="parameters">The object.</param>
    /// <param name="fields">The config's root.</param>
    /// <param name="contextLength"><c>max_position_embeddings</c>.</param>
    /// <param name="rotatedSize">Coordinates of a head that are rotated.</param>
    public static RotaryScaling? ReadScaling(ConfigFields parameters, ConfigFields fields, int contextLength, int rotatedSize)
    {
        string typeField = parameters.Find("rope_type") is null ? "type" : "rope_type";
        switch (parameters.OptionalText(typeField))
        {
            case null when parameters.Element.EnumerateObject().All(static member => member.Name is "rope_theta" or "partial_rotary_factor"):
            case "default":
                return null;
            case null:
                throw ModelErrors.FieldMissing(parameters.Path, parameters.NameOf("rope_type"), Types);
            case "linear":
                return new LinearRotaryScaling(ReadFactor(parameters));
            case "dynamic":
                return new DynamicRotaryScaling(ReadFactor(parameters));
            case "llama3":
                return ReadLlama3Scaling(parameters, fields);
            case "yarn":
                return ReadYarnScaling(parameters, contextLength);
            case "longrope" or "su":
                return ReadLongScaling(parameters, fields, contextLength, rotatedSize);
            case { } other:
                throw ModelErrors.RotaryUnsupported(parameters.Path, parameters.NameOf(typeField), other, Types);
        }
    }

    /// <summary>Writes the embedding.</summary>
    public static void Write(Utf8JsonWriter json, DecoderConfig config, DecoderFamily family)
    {
        json.WriteFloat("rope_theta", config.Rotary.Theta);
        if (family.PartialRotation) json.WriteFloat("partial_rotary_factor", config.Rotary.Share);
        WriteScaling(json, config.Rotary.Scaling);
    }

    private static void WriteScaling(Utf8JsonWriter json, RotaryScaling? scaling)
    {
        if (scaling is null)
        {
            json.WriteNull("rope_scaling");
            return;
        }

        if (scaling is LongRotaryScaling { OriginalContextLength: var trained }) json.WriteNumber("original_max_position_embeddings", trained);
        json.WriteStartObject("rope_scaling");
        switch (scaling)
        {
            case LinearRotaryScaling linear:
                json.WriteString("rope_type", "linear");
                json.WriteFloat("factor", linear.Factor);
                break;
            case DynamicRotaryScaling dynamic:
                json.WriteString("rope_type", "dynamic");
                json.WriteFloat("factor", dynamic.Factor);
                break;
            case Llama3RotaryScaling llama3:
                json.WriteString("rope_type", "llama3");
                json.WriteFloat("factor", llama3.Factor);
                json.WriteFloat("low_freq_factor", llama3.LowFrequencyFactor);
                json.WriteFloat("high_freq_factor", llama3.HighFrequencyFactor);
                json.WriteNumber("original_max_position_embeddings", llama3.OriginalContextLength);
                break;
            case YarnRotaryScaling yarn:
                json.WriteString("rope_type", "yarn");
                json.WriteFloat("factor", yarn.Factor);
                json.WriteNumber("original_max_position_embeddings", yarn.OriginalContextLength);
                json.WriteFloat("beta_fast", yarn.FastTurns);
                json.WriteFloat("beta_slow", yarn.SlowTurns);
                if (yarn.AttentionFactor is { } amplitude) json.WriteFloat("attention_factor", amplitude);
                if (yarn.Scale is { } scale)
                {
                    json.WriteFloat("mscale", scale.Scale);
                    json.WriteFloat("mscale_all_dim", scale.ScaleOfAll);
                }

                if (!yarn.WholeCoordinates) json.WriteBoolean("truncate", false);
                break;
            case LongRotaryScaling longer:
                // Phi-3's own configuration class knows the field 'type' only.
                json.WriteString("rope_type", "longrope");
                json.WriteString("type", "longrope");
                if (longer.AttentionFactor is { } factor) json.WriteFloat("attention_factor", factor);
                WriteList("short_factor", longer.ShortFactors);
                WriteList("long_factor", longer.LongFactors);
                break;
        }

        json.WriteEndObject();

        void WriteList(string name, IReadOnlyList<double> values)
        {
            json.WriteStartArray(name);
            foreach (double value in values) json.WriteFloatValue(value);
            json.WriteEndArray();
        }
    }

    private static double? ReadShare(ConfigFields fields, DecoderFamily family, int headSize)
    {
        const string Field = "partial_rotary_factor";
        if (fields.OptionalPositiveNumber(Field) is not { } share) return null;
        if (!family.PartialRotation && share != 1)
            throw fields.Invalid(Field, fields.Find(Field)!.Value, "1: the family's heads are rotated whole");
        int rotated = share <= 1 ? (int)(headSize * share) : 0;
        return rotated > 0 && rotated % 2 == 0
            ? share
            : throw fields.Invalid(Field, fields.Find(Field)!.Value, $"a share of at most 1 that rotates an even number of a head's {headSize} coordinates");
    }

    private static Llama3RotaryScaling ReadLlama3Scaling(ConfigFields parameters, ConfigFields fields)
    {
        double low = parameters.PositiveNumber("low_freq_factor");
        double high = parameters.PositiveNumber("high_freq_factor");
        if (high <= low)
            throw parameters.Invalid("high_freq_factor", parameters.Find("high_freq_factor")!.Value, "a number above low_freq_factor");
        int original = parameters.OptionalPositiveInt("original_max_position_embeddings")
            ?? fields.PositiveInt("original_max_position_embeddings");
        return new Llama3RotaryScaling(ReadFactor(parameters), low, high, original);
    }

    private static YarnRotaryScaling ReadYarnScaling(ConfigFields parameters, int contextLength)
    {
        double fast = parameters.OptionalPositiveNumber("beta_fast") ?? 32, slow = parameters.OptionalPositiveNumber("beta_slow") ?? 1;
        if (fast <= slow && parameters.Find("beta_fast") is { } given) throw parameters.Invalid("beta_fast", given, "a number above beta_slow");
        double? scale = parameters.OptionalPositiveNumber("mscale"), scaleOfAll = parameters.OptionalPositiveNumber("mscale_all_dim");
        return new YarnRotaryScaling(ReadFactor(parameters), parameters.OptionalPositiveInt("original_max_position_embeddings") ?? contextLength)
        {
            FastTurns = fast,
            SlowTurns = slow,
            AttentionFactor = parameters.OptionalPositiveNumber("attention_factor"),
            Scale = scale is { } one && scaleOfAll is { } all ? (one, all) : null,
            WholeCoordinates = parameters.Flag("truncate", absent: true),
        };
    }

    private static LongRotaryScaling ReadLongScaling(ConfigFields parameters, ConfigFields fields, int contextLength, int rotatedSize)
    {
        int original = parameters.OptionalPositiveInt("original_max_position_embeddings")
            ?? fields.OptionalPositiveInt("original_max_position_embeddings") ?? contextLength;
        return new LongRotaryScaling(Factors("short_factor"), Factors("long_factor"), original, contextLength)
        {
            AttentionFactor = parameters.OptionalPositiveNumber("attention_factor"),
        };

        IReadOnlyList<double> Factors(string field)
        {
            string expected = $"a list of {rotatedSize / 2} positive numbers, one of each pair of coordinates that is rotated";
            var factors = parameters.OptionalPositiveNumbers(field)
                ?? throw ModelErrors.FieldMissing(parameters.Path, parameters.NameOf(field), expected);
            return factors.Count == rotatedSize / 2
                ? factors
                : throw ModelErrors.FieldInvalid(parameters.Path, parameters.NameOf(field), $"a list of {factors.Count}", expected);
        }
    }

    private static double ReadFactor(ConfigFields parameters)
    {
        double factor = parameters.PositiveNumber("factor");
        return factor >= 1 ? factor : throw parameters.Invalid("factor", parameters.Find("factor")!.Value, "a number of at least 1");
    }
}
