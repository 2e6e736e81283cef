using System.Text.Json;
using Shad.Models.Configuration;
using Shad.Models.Errors;

namespace Shad.Models.Families;

/// <summary>SmolLM3: a Llama some of whose layers do not rotate queries and keys (NoPE; Yang et al., arXiv:2501.18795).</summary>
internal static class SmolLm3Family
{
    private const string Layers = "no_rope_layers";

    public static DecoderFamily SmolLm3 { get; } = new("smollm3", "SmolLM3ForCausalLM")
    {
        AttentionBias = DecoderFamily.AttentionBiasRule.AsConfigured,
        MlpBiasConfigurable = true,
        TiedByDefault = true,
        DefaultTheta = 2_000_000,
        Window = DecoderFamily.WindowRule.WhereSwitchedOn,
        DefaultWindow = null,
        DefaultWindowLayers = static (_, config, layer) => config.RotaryLayers is not null && !config.RotaryLayers[layer],
        Fields = [new FamilyField(Read, Write)],
    };

    // The list says 1 for the layers that do rotate, whatever its name says.
    private static DecoderConfig Read(ConfigFields fields, DecoderConfig config)
    {
        int interval = fields.OptionalPositiveInt("no_rope_layer_interval") ?? 4;
        bool[] rotating = [.. Enumerable.Range(1, config.LayerCount).Select(number => number % interval != 0)];
        if (fields.Find(Layers) is { } value)
        {
            string expected = $"a list of {config.LayerCount} numbers, 1 for a layer that rotates and 0 for one that does not";
            if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != config.LayerCount)
                throw fields.Invalid(Layers, value, expected);
            int layer = 0;
            foreach (JsonElement item in value.EnumerateArray())
            {
                if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int flag) || flag is not (0 or 1))
                    throw ModelErrors.FieldInvalid(fields.Path, fields.NameOf(Layers), ModelErrors.Describe(item), expected);
                rotating[layer++] = flag == 1;
            }
        }

        return config with { RotaryLayers = rotating.Contains(false) ? rotating : null };
    }

    private static void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteStartArray(Layers);
        for (int layer = 0; layer < config.LayerCount; layer++) json.WriteNumberValue(config.RotaryOf(layer) == RotaryEmbedding.None ? 0 : 1);
        json.WriteEndArray();
    }
}
