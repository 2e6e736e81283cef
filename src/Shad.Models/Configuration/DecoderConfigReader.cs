using System.Text.Json;
using Shad.Core.Errors;
using Shad.Models.Errors;
using Shad.Models.Families;

namespace Shad.Models.Configuration;

/// <summary>Reads <c>config.json</c> of a Hugging Face model folder.</summary>
/// <remarks>
/// Supported are the families of <see cref="DecoderFamily.All"/>, as transformers 4 and 5 write them. Fields absent take
/// the values of transformers' configuration classes, unless the sizes of the model depend on them: those must be given.
/// </remarks>
public static class DecoderConfigReader
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "config.json";

    // Far beyond any model; keeps a hostile config from making us list billions of tensors.
    private const int MostLayers = 4096;

    // Default of Qwen2Config and Qwen3Config in transformers.
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
        if (!headPresent && !stated.TiedHead) throw ModelErrors.HeadMissing(path, stated.Naming.Head);
        return stated with { TiedHead = !headPresent };
    }

    private static DecoderConfig FromFields(ConfigFields fields)
    {
        DecoderFamily family = ReadFamily(fields);
        RequireNotQuantized(fields);

        int hiddenSize = fields.PositiveInt(family.FieldName("hidden_size"));
        int layers = fields.PositiveInt(family.FieldName("num_hidden_layers"), MostLayers);
        int vocabularySize = fields.PositiveInt("vocab_size");
        (int heads, int keyValueHeads, int headSize) = ReadHeads(fields, family, hiddenSize);
        bool attentionBias = family.AttentionBias == DecoderFamily.AttentionBiasRule.Always
            || (family.AttentionBias == DecoderFamily.AttentionBiasRule.AsConfigured && fields.Flag("attention_bias", absent: false));
        IReadOnlyList<int> beginnings = fields.TokenIds("bos_token_id", vocabularySize);
        int contextLength = fields.PositiveInt(family.FieldName("max_position_embeddings"));
        string inner = family.FieldName("intermediate_size");

        var config = family.Fixed(new DecoderConfig
        {
            ModelType = family.ModelType,
            HiddenSize = hiddenSize,
            IntermediateSize = family.DefaultInnerFactor is { } factor
                ? fields.OptionalPositiveInt(inner) ?? (int)Math.Min(int.MaxValue, (long)factor * hiddenSize)
                : fields.PositiveInt(inner),
            LayerCount = layers,
            AttentionHeads = heads,
            KeyValueHeads = keyValueHeads,
            HeadSize = headSize,
            VocabularySize = vocabularySize,
            ContextLength = contextLength,
            NormEpsilon = ReadNormEpsilon(fields, family.FieldName("rms_norm_eps")),
            Activation = Activations.Read(fields, family),
            Rotary = RotaryFields.Read(fields, family, headSize, contextLength),
            QueryKeyValueBias = attentionBias || family.AttentionBias == DecoderFamily.AttentionBiasRule.QueryKeyValueAlways,
            OutputBias = attentionBias,
            MlpBias = family.MlpBiasConfigurable && fields.Flag("mlp_bias", absent: false),
            TiedHead = fields.Flag("tie_word_embeddings", family.TiedByDefault),
            BeginningOfSequenceId = beginnings.Count > 0 ? beginnings[0] : null,
            EndOfSequenceIds = fields.TokenIds("eos_token_id", vocabularySize),
        });
        foreach (FamilyField field in family.Fields) config = field.Read(fields, config);
        (int? window, bool[]? windowLayers) = ReadWindow(fields, family, config);
        return config with { SlidingWindow = window, SlidingWindowLayers = windowLayers };
    }

    private static DecoderFamily ReadFamily(ConfigFields fields)
    {
        string? modelType = fields.OptionalText("model_type");
        IReadOnlyList<string> architectures = fields.OptionalTexts("architectures") ?? [];
        if (modelType is null && architectures.Count == 0)
            throw ModelErrors.FieldMissing(fields.Path, "model_type", "one of " + string.Join(", ", DecoderFamily.All.Select(static f => f.ModelType)));

        DecoderFamily? byType = modelType is null ? null : DecoderFamily.OfModelType(modelType) ?? throw DecoderFamily.Unsupported(fields.Path, "model_type", modelType);
        DecoderFamily? byArchitecture = architectures.Count == 0
            ? null
            : DecoderFamily.OfArchitecture(architectures[0]) ?? throw DecoderFamily.Unsupported(fields.Path, "architectures", architectures[0]);
        if (byType is not null && byArchitecture is not null && byType != byArchitecture)
            throw ModelErrors.FieldInvalid(
                fields.Path, "architectures", $"'{architectures[0]}'", $"'{byType.Architecture}', since model_type is '{modelType}'");
        return (byType ?? byArchitecture)!;
    }

    private static void RequireNotQuantized(ConfigFields fields)
    {
        if (fields.OptionalObject("quantization_config") is { } quantization)
            throw ModelErrors.Quantized(fields.Path, quantization.OptionalText("quant_method") ?? "unnamed method");
    }

    private static (int Heads, int KeyValueHeads, int HeadSize) ReadHeads(ConfigFields fields, DecoderFamily family, int hiddenSize)
    {
        string headsField = family.FieldName("num_attention_heads");
        int heads = fields.PositiveInt(headsField);
        int keyValueHeads = (family.HasKeyValueHeadsField ? fields.OptionalPositiveInt("num_key_value_heads", heads) : null) ?? heads;
        if (heads % keyValueHeads != 0)
            throw ModelErrors.FieldInvalid(fields.Path, "num_key_value_heads", $"{keyValueHeads}", $"a divisor of num_attention_heads, {heads}");

        int? given = (family.HasHeadSizeField ? fields.OptionalPositiveInt("head_dim", 1 << 16) : null) ?? family.DefaultHeadSize;
        if (given is null && hiddenSize % heads != 0)
            throw ModelErrors.FieldInvalid(
                fields.Path, headsField, $"{heads}",
                $"a divisor of {family.FieldName("hidden_size")}, {hiddenSize}" + (family.HasHeadSizeField ? ", or a field 'head_dim'" : ""));
        int headSize = given ?? hiddenSize / heads;
        if (headSize % 2 != 0)
            throw ModelErrors.FieldInvalid(fields.Path, "head_dim", $"{headSize}", "an even number: rotation turns pairs of coordinates");
        if ((long)heads * headSize > int.MaxValue)
            throw ModelErrors.FieldInvalid(fields.Path, "head_dim", $"{headSize}", $"num_attention_heads × head_dim of at most {int.MaxValue}");
        return (heads, keyValueHeads, headSize);
    }

    private static float ReadNormEpsilon(ConfigFields fields, string field)
    {
        float epsilon = (float)fields.PositiveNumber(field);
        return epsilon > 0 && epsilon < 1
            ? epsilon
            : throw fields.Invalid(field, fields.Find(field)!.Value, "a small positive number below 1");
    }

    private static (int? Window, bool[]? Layers) ReadWindow(ConfigFields fields, DecoderFamily family, DecoderConfig config)
    {
        bool switchedOn = family.Window switch
        {
            DecoderFamily.WindowRule.WhereSet or DecoderFamily.WindowRule.InLayers => true,
            DecoderFamily.WindowRule.WhereSwitchedOn => fields.Flag("use_sliding_window", absent: false),
            _ => false,
        };
        if (!switchedOn) return (null, null);
        // A null switches the window off; a field that is not there at all takes the default.
        if ((fields.IsStated("sliding_window") ? fields.OptionalPositiveInt("sliding_window") : family.DefaultWindow) is not { } window)
            return (null, null);

        bool[] layers = ReadLayerTypes(fields, config.LayerCount) ?? LayersByPosition(fields, family, config);
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

    private static bool[] LayersByPosition(ConfigFields fields, DecoderFamily family, DecoderConfig config)
    {
        IEnumerable<int> layers = Enumerable.Range(0, config.LayerCount);
        if (family.DefaultWindowLayers is { } rule) return [.. layers.Select(layer => rule(fields, config, layer))];
        int first = family.Window == DecoderFamily.WindowRule.WhereSwitchedOn
            ? fields.OptionalCount("max_window_layers") ?? DefaultFullAttentionLayers
            : 0;
        return [.. layers.Select(layer => layer >= first)];
    }
}
