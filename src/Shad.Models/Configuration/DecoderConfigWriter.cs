using System.Globalization;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Models.Errors;
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
    /// <exception cref="ShadException">The model type cannot express the config.</exception>
    public static byte[] ToJson(DecoderConfig config, TensorDtype dtype)
    {
        ArgumentNullException.ThrowIfNull(config);
        DecoderFamily family = RequireExpressible(config);
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue(family.Architecture);
            json.WriteEndArray();
            json.WriteString("model_type", family.ModelType);
            json.WriteString("torch_dtype", dtype.HuggingFaceName());
            json.WriteNumber("hidden_size", config.HiddenSize);
            json.WriteNumber("intermediate_size", config.IntermediateSize);
            json.WriteNumber("num_hidden_layers", config.LayerCount);
            json.WriteNumber("num_attention_heads", config.AttentionHeads);
            json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
            json.WriteNumber("head_dim", config.HeadSize);
            json.WriteNumber("vocab_size", config.VocabularySize);
            json.WriteNumber("max_position_embeddings", config.ContextLength);
            json.WriteString("hidden_act", "silu");
            WriteFloat(json, "rms_norm_eps", config.NormEpsilon.ToString("R", CultureInfo.InvariantCulture));
            WriteRotary(json, config);
            WriteAttention(json, config, family);
            json.WriteBoolean("tie_word_embeddings", config.TiedHead);
            WriteTokenIds(json, config);
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static DecoderFamily RequireExpressible(DecoderConfig config)
    {
        DecoderFamily family = DecoderFamily.OfModelType(config.ModelType) ?? throw Cannot("anything; it is not a supported type");
        bool biasFits = family.AttentionBias switch
        {
            DecoderFamily.AttentionBiasRule.QueryKeyValueAlways => config is { QueryKeyValueBias: true, OutputBias: false },
            DecoderFamily.AttentionBiasRule.AsConfigured => config.QueryKeyValueBias == config.OutputBias,
            _ => config is { QueryKeyValueBias: false, OutputBias: false },
        };
        if (!biasFits)
            throw Cannot($"biases {(config.QueryKeyValueBias ? "on" : "off")} for query, key and value, {(config.OutputBias ? "on" : "off")} for the output");
        if (config.MlpBias && !family.MlpBiasConfigurable) throw Cannot("biases in the MLP");
        if (config.QueryKeyNorm != family.QueryKeyNorm) throw Cannot(config.QueryKeyNorm ? "norms of query and key heads" : "no norms of query and key heads");
        if (config.SlidingWindow is not null && family.Window == DecoderFamily.WindowRule.Never) throw Cannot("a sliding window");
        return family;

        ShadException Cannot(string what) => ModelErrors.ConfigInexpressible(config.ModelType, what);
    }

    private static void WriteRotary(Utf8JsonWriter json, DecoderConfig config)
    {
        WriteFloat(json, "rope_theta", Text(config.Rotary.Theta));
        switch (config.Rotary.Scaling)
        {
            case null:
                json.WriteNull("rope_scaling");
                break;
            case LinearRotaryScaling linear:
                json.WriteStartObject("rope_scaling");
                json.WriteString("rope_type", "linear");
                WriteFloat(json, "factor", Text(linear.Factor));
                json.WriteEndObject();
                break;
            case Llama3RotaryScaling llama3:
                json.WriteStartObject("rope_scaling");
                json.WriteString("rope_type", "llama3");
                WriteFloat(json, "factor", Text(llama3.Factor));
                WriteFloat(json, "low_freq_factor", Text(llama3.LowFrequencyFactor));
                WriteFloat(json, "high_freq_factor", Text(llama3.HighFrequencyFactor));
                json.WriteNumber("original_max_position_embeddings", llama3.OriginalContextLength);
                json.WriteEndObject();
                break;
            case { } other:
                throw ModelErrors.ConfigInexpressible(config.ModelType, $"rotary scaling {other.GetType().Name}");
        }
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
        if (family.Window == DecoderFamily.WindowRule.WhereSet)
        {
            if (config.SlidingWindow is not null && sliding.Contains(false))
                throw ModelErrors.ConfigInexpressible(config.ModelType, "a sliding window in some layers only");
            return;
        }

        json.WriteBoolean("use_sliding_window", config.SlidingWindow is not null);
        // Older transformers know this field only; where windows are not one run of the last layers, layer_types says it.
        json.WriteNumber("max_window_layers", sliding.Contains(true) ? Array.IndexOf(sliding, true) : config.LayerCount);
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

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    // transformers warns, or refuses, where a factor is written as a whole number: 8.0, not 8.
    private static void WriteFloat(Utf8JsonWriter json, string name, string digits)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(digits.AsSpan().IndexOfAny(".E") < 0 ? digits + ".0" : digits);
    }
}
