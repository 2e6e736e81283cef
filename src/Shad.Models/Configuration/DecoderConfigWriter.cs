using System.Reflection;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Models.Errors;
using Shad.Models.Families;
using Shad.Models.Weights;

namespace Shad.Models.Configuration;

/// <summary>Writes <c>config.json</c> so that transformers (4 and 5) and <see cref="DecoderConfigReader"/> read it.</summary>
public static class DecoderConfigWriter
{
    /// <summary>Writes a config: to a temporary name beside it, renamed when whole.</summary>
    /// <param name="path">The file; replaced where it exists.</param>
    /// <param name="config">The config.</param>
    /// <param name="dtype">The dtype of the weights beside it.</param>
    /// <exception cref="ShadException">The model type cannot express the config, or the file cannot be written.</exception>
    public static void Write(string path, DecoderConfig config, TensorDtype dtype)
    {
        ArgumentNullException.ThrowIfNull(path);
        byte[] json = ToJson(config, dtype);
        AtomicFile.Write(Path.GetFullPath(path), json.Length, stream => stream.Write(json));
    }

    /// <summary>The content of <c>config.json</c>, UTF-8.</summary>
    /// <remarks>What is written is read again: a config that its model type cannot say would come back as another one.</remarks>
    /// <exception cref="ShadException">The model type cannot express the config.</exception>
    public static byte[] ToJson(DecoderConfig config, TensorDtype dtype)
    {
        ArgumentNullException.ThrowIfNull(config);
        DecoderFamily family = DecoderFamily.OfModelType(config.ModelType)
            ?? throw ModelErrors.ConfigInexpressible(config.ModelType, "anything; it is not a supported type");
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue(family.Architecture);
            json.WriteEndArray();
            json.WriteString("model_type", family.ModelType);
            json.WriteString("torch_dtype", dtype.HuggingFaceName());
            json.WriteNumber(family.FieldName("hidden_size"), config.HiddenSize);
            json.WriteNumber(family.FieldName("intermediate_size"), config.IntermediateSize);
            json.WriteNumber(family.FieldName("num_hidden_layers"), config.LayerCount);
            json.WriteNumber(family.FieldName("num_attention_heads"), config.AttentionHeads);
            if (family.HasKeyValueHeadsField) json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
            if (family.HasHeadSizeField) json.WriteNumber("head_dim", config.HeadSize);
            json.WriteNumber("vocab_size", config.VocabularySize);
            json.WriteNumber(family.FieldName("max_position_embeddings"), config.ContextLength);
            json.WriteString(family.FieldName("hidden_act"), Activations.NameOf(config, family));
            json.WriteFloat(family.FieldName("rms_norm_eps"), config.NormEpsilon);
            if (!config.LearnedPositions) RotaryFields.Write(json, config, family);
            WriteAttention(json, config, family);
            json.WriteBoolean("tie_word_embeddings", config.TiedHead);
            WriteTokenIds(json, config);
            foreach (FamilyField field in family.Fields) field.Write(json, config);
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        byte[] content = buffer.ToArray();
        RequireSame(config, content);
        return content;
    }

    private static void RequireSame(DecoderConfig config, byte[] content)
    {
        DecoderConfig read;
        try
        {
            read = DecoderConfigReader.Parse(content, DecoderConfigReader.FileName, headPresent: !config.TiedHead);
        }
        catch (ShadException error)
        {
            throw ModelErrors.ConfigInexpressible(config.ModelType, error.Message);
        }

        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            if (read.WindowOf(layer) != config.WindowOf(layer)) throw Cannot(nameof(DecoderConfig.SlidingWindow), config.WindowOf(layer), layer);
            if (read.RotaryOf(layer) != config.RotaryOf(layer)) throw Cannot(nameof(DecoderConfig.Rotary), config.RotaryOf(layer), layer);
        }

        foreach (PropertyInfo property in typeof(DecoderConfig).GetProperties().Where(static property => property.CanWrite))
        {
            object? wanted = property.GetValue(config), got = property.GetValue(read);
            bool isSame = property.Name switch
            {
                nameof(DecoderConfig.EndOfSequenceIds) => config.EndOfSequenceIds.SequenceEqual(read.EndOfSequenceIds),
                nameof(DecoderConfig.SlidingWindow) or nameof(DecoderConfig.SlidingWindowLayers) or nameof(DecoderConfig.RotaryLayers)
                    or nameof(DecoderConfig.Rotary) or nameof(DecoderConfig.WindowRotary) or nameof(DecoderConfig.HasBareNames) => true,
                // A scale may be written as the scalar whose root it is one over.
                nameof(DecoderConfig.ScoreScale) => Math.Abs(config.AttentionScale - read.AttentionScale) <= 1e-12 * config.AttentionScale,
                _ => Equals(wanted, got),
            };
            if (!isSame) throw Cannot(property.Name, wanted, layer: null);
        }

        ShadException Cannot(string property, object? value, int? layer) => ModelErrors.ConfigInexpressible(
            config.ModelType, $"{property} {value ?? "none"}" + (layer is null ? "" : $" in layer {layer}"));
    }

    private static void WriteAttention(Utf8JsonWriter json, DecoderConfig config, DecoderFamily family)
    {
        if (family.AttentionBias == DecoderFamily.AttentionBiasRule.AsConfigured)
            json.WriteBoolean("attention_bias", config.QueryKeyValueBias);
        if (family.MlpBiasConfigurable) json.WriteBoolean("mlp_bias", config.MlpBias);
        if (family.Window == DecoderFamily.WindowRule.Never) return;

        if (config.SlidingWindow is { } window) json.WriteNumber("sliding_window", window);
        else json.WriteNull("sliding_window");
        bool[] sliding = [.. Enumerable.Range(0, config.LayerCount).Select(layer => config.WindowOf(layer) is not null)];
        if (family.Window == DecoderFamily.WindowRule.WhereSet) return;
        if (family.Window == DecoderFamily.WindowRule.WhereSwitchedOn)
        {
            json.WriteBoolean("use_sliding_window", config.SlidingWindow is not null);
            // Older transformers know this field only; where windows are not one run of the last layers, layer_types says it.
            json.WriteNumber("max_window_layers", sliding.Contains(true) ? Array.IndexOf(sliding, true) : config.LayerCount);
        }

        json.WriteStartArray("layer_types");
        foreach (bool isSliding in sliding) json.WriteStringValue(isSliding ? "sliding_attention" : "full_attention");
        json.WriteEndArray();
    }

    private static void WriteTokenIds(Utf8JsonWriter json, DecoderConfig config)
    {
        if (config.BeginningOfSequenceId is { } beginning) json.WriteNumber("bos_token_id", beginning);
        else json.WriteNull("bos_token_id");
        switch (config.EndOfSequenceIds.Count)
        {
            case 0:
                json.WriteNull("eos_token_id");
                break;
            case 1:
                json.WriteNumber("eos_token_id", config.EndOfSequenceIds[0]);
                break;
            default:
                json.WriteStartArray("eos_token_id");
                foreach (int id in config.EndOfSequenceIds) json.WriteNumberValue(id);
                json.WriteEndArray();
                break;
        }
    }
}
