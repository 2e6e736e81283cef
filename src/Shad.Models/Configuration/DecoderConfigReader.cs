using System.Text.Json;
using Shad.Core.Errors;
using Shad.Models.Errors;
using Shad.Models.Weights;

namespace Shad.Models.Configuration;

/// <summary>Reads <c>config.json</c> of a Hugging Face model folder.</summary>
/// <remarks>
/// Supported: the Llama, Mistral, Qwen2 (and 2.5) and Qwen3 families, as transformers 4 and 5 write them. Fields absent take
/// the values of transformers' configuration classes, unless the sizes of the model depend on them: those must be given.
/// </remarks>
public static class DecoderConfigReader
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "config.json";

    // Far beyond any model; keeps a hostile config from making us list billions of tensors.
    private const int MostLayers = 4096;

    // Defaults of MistralConfig, Qwen2Config and Qwen3Config in transformers.
    private const double DefaultTheta = 10_000;
    private const int DefaultWindow = 4096;
    private const int DefaultFullAttentionLayers = 28;

    /// <summary>Reads a config.</summary>
    /// <param name="path">The file.</param>
    /// <param name="headPresent">True where the weights hold <c>lm_head.weight</c>; such a head is used whatever
    /// <c>tie_word_embeddings</c> says.</param>
    /// <exception cref="ShadException">The file is missing or no JSON; a field is missing, of the wrong type or range; the
    /// architecture, activation, rotary scaling or quantization is not supported; or the head is neither present nor
    /// tied.</exception>
    public static DecoderConfig Read(string path, bool headPresent)
    {
        ArgumentNullException.ThrowIfNull(path);
        path = Path.GetFullPath(path);
        return WithHead(ReadAsStated(path), headPresent, path);
    }

    /// <summary>Reads a config from memory.</summary>
    /// <param name="utf8">The content of the file.</param>
    /// <param name="where">Name of the source, for errors.</param>
    /// <param name="headPresent">See <see cref="Read"/>.</param>
    /// <exception cref="ShadException">See <see cref="Read"/>.</exception>
    public static DecoderConfig Parse(ReadOnlyMemory<byte> utf8, string where, bool headPresent)
    {
        using JsonDocument document = JsonFile.ParseObject(utf8, where);
        return WithHead(FromFields(new ConfigFields(where, document.RootElement)), headPresent, where);
    }

    /// <summary>Reads a config before the weights are known: <see cref="DecoderConfig.TiedHead"/> is what the file says.</summary>
    internal static DecoderConfig ReadAsStated(string path)
    {
        using JsonDocument document = JsonFile.ReadObject(path);
        return FromFields(new ConfigFields(path, document.RootElement));
    }

    /// <summary>Lets the weights decide what the head is: one that is present is used, whatever the config said.</summary>
    internal static DecoderConfig WithHead(DecoderConfig stated, bool headPresent, string path)
    {
        if (!headPresent && !stated.TiedHead) throw ModelErrors.HeadMissing(path, TensorNames.Head);
        return stated with { TiedHead = !headPresent };
    }

    private static DecoderConfig FromFields(ConfigFields fields)
    {
        DecoderFamily family = ReadFamily(fields);
        RequireSupported(fields);

        int hiddenSize = fields.PositiveInt("hidden_size");
        int layers = fields.PositiveInt("num_hidden_layers", MostLayers);
        int vocabularySize = fields.PositiveInt("vocab_size");
        (int heads, int keyValueHeads, int headSize) = ReadHeads(fields, family, hiddenSize);
        bool attentionBias = family.AttentionBias == DecoderFamily.AttentionBiasRule.AsConfigured && fields.Flag("attention_bias", absent: false);
        (int? window, bool[]? windowLayers) = ReadWindow(fields, family, layers);
        IReadOnlyList<int> beginnings = fields.TokenIds("bos_token_id", vocabularySize);

        return new DecoderConfig
        {
            ModelType = family.ModelType,
            HiddenSize = hiddenSize,
            IntermediateSize = fields.PositiveInt("intermediate_size"),
            LayerCount = layers,
            AttentionHeads = heads,
            KeyValueHeads = keyValueHeads,
            HeadSize = headSize,
            VocabularySize = vocabularySize,
            ContextLength = fields.PositiveInt("max_position_embeddings"),
            NormEpsilon = ReadNormEpsilon(fields),
            Rotary = ReadRotary(fields),
            QueryKeyValueBias = attentionBias || family.AttentionBias == DecoderFamily.AttentionBiasRule.QueryKeyValueAlways,
            OutputBias = attentionBias,
            MlpBias = family.MlpBiasConfigurable && fields.Flag("mlp_bias", absent: false),
            QueryKeyNorm = family.QueryKeyNorm,
            SlidingWindow = window,
            SlidingWindowLayers = windowLayers,
            TiedHead = fields.Flag("tie_word_embeddings", absent: false),
            BeginningOfSequenceId = beginnings.Count > 0 ? beginnings[0] : null,
            EndOfSequenceIds = fields.TokenIds("eos_token_id", vocabularySize),
        };
    }

    private static DecoderFamily ReadFamily(ConfigFields fields)
    {
        string? modelType = fields.OptionalText("model_type");
        IReadOnlyList<string> architectures = fields.OptionalTexts("architectures") ?? [];
        if (modelType is null && architectures.Count == 0)
            throw ModelErrors.FieldMissing(fields.Path, "model_type", "one of " + string.Join(", ", DecoderFamily.All.Select(static f => f.ModelType)));

        DecoderFamily? byType = modelType is null ? null : DecoderFamily.OfModelType(modelType) ?? throw Unsupported("model_type", modelType);
        DecoderFamily? byArchitecture = architectures.Count == 0
            ? null
            : DecoderFamily.OfArchitecture(architectures[0]) ?? throw Unsupported("architectures", architectures[0]);
        if (byType is not null && byArchitecture is not null && byType != byArchitecture)
            throw ModelErrors.FieldInvalid(
                fields.Path, "architectures", $"'{architectures[0]}'", $"'{byType.Architecture}', since model_type is '{modelType}'");
        return (byType ?? byArchitecture)!;

        ShadException Unsupported(string field, string value) => ModelErrors.ArchitectureUnsupported(
            fields.Path, field, value, DecoderFamily.All.Select(static f => $"{f.Architecture} ({f.ModelType})"));
    }

    private static void RequireSupported(ConfigFields fields)
    {
        if (fields.OptionalObject("quantization_config") is { } quantization)
            throw ModelErrors.Quantized(fields.Path, quantization.OptionalText("quant_method") ?? "unnamed method");
        if (fields.OptionalText("hidden_act") is { } activation && activation is not ("silu" or "swish"))
            throw ModelErrors.FieldInvalid(fields.Path, "hidden_act", $"'{activation}'", "'silu', the only activation supported");
        RequireWholeRotation(fields);
    }

    private static void RequireWholeRotation(ConfigFields fields)
    {
        if (fields.OptionalPositiveNumber("partial_rotary_factor") is { } share && share != 1)
            throw fields.Invalid("partial_rotary_factor", fields.Find("partial_rotary_factor")!.Value, "1: heads that are rotated whole");
    }

    private static (int Heads, int KeyValueHeads, int HeadSize) ReadHeads(ConfigFields fields, DecoderFamily family, int hiddenSize)
    {
        int heads = fields.PositiveInt("num_attention_heads");
        int keyValueHeads = fields.OptionalPositiveInt("num_key_value_heads", heads) ?? heads;
        if (heads % keyValueHeads != 0)
            throw ModelErrors.FieldInvalid(fields.Path, "num_key_value_heads", $"{keyValueHeads}", $"a divisor of num_attention_heads, {heads}");

        int? given = fields.OptionalPositiveInt("head_dim", 1 << 16) ?? family.DefaultHeadSize;
        if (given is null && hiddenSize % heads != 0)
            throw ModelErrors.FieldInvalid(
                fields.Path, "num_attention_heads", $"{heads}", $"a divisor of hidden_size, {hiddenSize}, or a field 'head_dim'");
        int headSize = given ?? hiddenSize / heads;
        if (headSize % 2 != 0)
            throw ModelErrors.FieldInvalid(fields.Path, "head_dim", $"{headSize}", "an even number: rotation turns pairs of coordinates");
        if ((long)heads * headSize > int.MaxValue)
            throw ModelErrors.FieldInvalid(fields.Path, "head_dim", $"{headSize}", $"num_attention_heads × head_dim of at most {int.MaxValue}");
        return (heads, keyValueHeads, headSize);
    }

    private static float ReadNormEpsilon(ConfigFields fields)
    {
        float epsilon = (float)fields.PositiveNumber("rms_norm_eps");
        return epsilon > 0 && epsilon < 1
            ? epsilon
            : throw fields.Invalid("rms_norm_eps", fields.Find("rms_norm_eps")!.Value, "a small positive number below 1");
    }

    // transformers 4 has rope_theta and rope_scaling side by side; transformers 5 has one object, rope_parameters, with both,
    // and lets what is inside it win over a rope_theta left beside it.
    private static RotaryEmbedding ReadRotary(ConfigFields fields)
    {
        double theta = fields.OptionalPositiveNumber("rope_theta") ?? DefaultTheta;
        ConfigFields? scaling = fields.OptionalObject("rope_parameters") ?? fields.OptionalObject("rope_scaling");
        if (scaling is not { } parameters) return new RotaryEmbedding(theta);
        RequireWholeRotation(parameters);
        return new RotaryEmbedding(parameters.OptionalPositiveNumber("rope_theta") ?? theta, ReadScaling(parameters, fields));
    }

    private static RotaryScaling? ReadScaling(ConfigFields parameters, ConfigFields fields)
    {
        string typeField = parameters.Find("rope_type") is null ? "type" : "rope_type";
        switch (parameters.OptionalText(typeField))
        {
            case null when parameters.Element.EnumerateObject().All(static member => member.Name is "rope_theta" or "partial_rotary_factor"):
            case "default":
                return null;
            case null:
                throw ModelErrors.FieldMissing(parameters.Path, parameters.NameOf("rope_type"), "one of default, linear, llama3");
            case "linear":
                return new LinearRotaryScaling(ReadFactor(parameters));
            case "llama3":
                return ReadLlama3Scaling(parameters, fields);
            case { } other:
                throw ModelErrors.RotaryUnsupported(parameters.Path, parameters.NameOf(typeField), other);
        }
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

    private static double ReadFactor(ConfigFields parameters)
    {
        double factor = parameters.PositiveNumber("factor");
        return factor >= 1 ? factor : throw parameters.Invalid("factor", parameters.Find("factor")!.Value, "a number of at least 1");
    }

    private static (int? Window, bool[]? Layers) ReadWindow(ConfigFields fields, DecoderFamily family, int layerCount)
    {
        bool switchedOn = family.Window switch
        {
            DecoderFamily.WindowRule.WhereSet => true,
            DecoderFamily.WindowRule.WhereSwitchedOn => fields.Flag("use_sliding_window", absent: false),
            _ => false,
        };
        if (!switchedOn) return (null, null);
        // A null switches the window off; a field that is not there at all takes the default.
        bool isStated = fields.Element.TryGetProperty("sliding_window", out _);
        if ((isStated ? fields.OptionalPositiveInt("sliding_window") : DefaultWindow) is not { } window) return (null, null);

        bool[] layers = ReadLayerTypes(fields, layerCount) ?? LayersByPosition(fields, family, layerCount);
        if (!layers.Contains(true)) return (null, null);
        return (window, layers.Contains(false) ? layers : null);
    }

    private static bool[]? ReadLayerTypes(ConfigFields fields, int layerCount)
    {
        if (fields.OptionalTexts("layer_types") is not { } types) return null;
        if (types.Count != layerCount)
            throw ModelErrors.FieldInvalid(
                fields.Path, "layer_types", $"a list of {types.Count}", $"an entry for each of the {layerCount} layers of num_hidden_layers");
        return [.. types.Select(type => type switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            _ => throw ModelErrors.FieldInvalid(fields.Path, "layer_types", $"'{type}'", "'full_attention' or 'sliding_attention'"),
        })];
    }

    private static bool[] LayersByPosition(ConfigFields fields, DecoderFamily family, int layerCount)
    {
        int first = family.Window == DecoderFamily.WindowRule.WhereSwitchedOn
            ? fields.OptionalCount("max_window_layers") ?? DefaultFullAttentionLayers
            : 0;
        return [.. Enumerable.Range(0, layerCount).Select(layer => layer >= first)];
    }
}
