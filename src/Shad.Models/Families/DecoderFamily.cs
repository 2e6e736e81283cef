using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;
using Shad.Models.Weights;

namespace Shad.Models.Families;

/// <summary>
/// A supported model family: what its name alone decides, and which fields of <c>config.json</c> say the rest. A family is one file of
/// this folder and an entry of <see cref="All"/>; nothing else asks what a model is called.
/// </summary>
/// <param name="ModelType"><c>model_type</c>.</param>
/// <param name="Architecture">The entry of <c>architectures</c>.</param>
internal sealed record DecoderFamily(string ModelType, string Architecture)
{
    /// <summary>The families, in the order in which they are listed to users.</summary>
    public static IReadOnlyList<DecoderFamily> All { get; } =
    [
        LlamaFamily.Llama, LlamaFamily.Mistral, QwenFamily.Qwen2, QwenFamily.Qwen3, GraniteFamily.Granite, SmolLm3Family.SmolLm3,
        OlmoFamily.Olmo2, PhiFamily.Phi3, GemmaFamily.Gemma2, GemmaFamily.Gemma3, GptFamily.Gpt2,
    ];

    /// <summary>Names of the tensors.</summary>
    public TensorNaming Naming { get; init; } = TensorNaming.Llama;

    /// <summary>Names of fields that the family calls otherwise, by their usual name.</summary>
    public IReadOnlyDictionary<string, string> FieldNames { get; init; } = new Dictionary<string, string>();

    /// <summary>What the name decides; <c>Read</c> of <see cref="Fields"/> may change it.</summary>
    public Func<DecoderConfig, DecoderConfig> Fixed { get; init; } = static config => config;

    /// <summary>Fields of this family beside those of all.</summary>
    public IReadOnlyList<FamilyField> Fields { get; init; } = [];

    /// <summary>Where the attention projections have biases.</summary>
    public AttentionBiasRule AttentionBias { get; init; } = AttentionBiasRule.Never;

    /// <summary>True where <c>mlp_bias</c> is a field of the family.</summary>
    public bool MlpBiasConfigurable { get; init; }

    /// <summary>When a sliding window is in force.</summary>
    public WindowRule Window { get; init; } = WindowRule.Never;

    /// <summary>The window where <c>sliding_window</c> is absent; null is none.</summary>
    public int? DefaultWindow { get; init; } = 4096;

    /// <summary>True for the layers with a window where <c>layer_types</c> is absent, given the fields and the config read so far; null
    /// takes <c>max_window_layers</c>, or all.</summary>
    public Func<ConfigFields, DecoderConfig, int, bool>? DefaultWindowLayers { get; init; }

    /// <summary>Head size where <c>head_dim</c> is absent; null is <c>hidden_size / num_attention_heads</c>.</summary>
    public int? DefaultHeadSize { get; init; }

    /// <summary>False where <c>head_dim</c> is no field of the family.</summary>
    public bool HasHeadSizeField { get; init; } = true;

    /// <summary>False where <c>num_key_value_heads</c> is no field of the family.</summary>
    public bool HasKeyValueHeadsField { get; init; } = true;

    /// <summary>Inner width where <c>intermediate_size</c> is absent, by the hidden size; null where it must be there.</summary>
    public int? DefaultInnerFactor { get; init; }

    /// <summary>The activation where its field is absent, as configs name it.</summary>
    public string DefaultActivation { get; init; } = "silu";

    /// <summary>Whether the head is tied where <c>tie_word_embeddings</c> is absent.</summary>
    public bool TiedByDefault { get; init; }

    /// <summary>Base of the rotation where the config gives none.</summary>
    public double DefaultTheta { get; init; } = 10_000;

    /// <summary>True where <c>rope_parameters</c> has an object for each kind of layer, which <see cref="Fields"/> read.</summary>
    public bool RotatesByLayerKind { get; init; }

    /// <summary>True where <c>partial_rotary_factor</c> is a field of the family.</summary>
    public bool PartialRotation { get; init; }

    /// <summary>The family of a <c>model_type</c>, or null.</summary>
    public static DecoderFamily? OfModelType(string modelType) => All.FirstOrDefault(family => family.ModelType == modelType);

    /// <summary>The family of an architecture, or null. Early Llama conversions write <c>LLaMAForCausalLM</c>.</summary>
    public static DecoderFamily? OfArchitecture(string architecture) => All.FirstOrDefault(
        family => string.Equals(family.Architecture, architecture, StringComparison.OrdinalIgnoreCase));

    /// <summary>What the family calls a field.</summary>
    public string FieldName(string usual) => FieldNames.GetValueOrDefault(usual, usual);

    /// <summary>The refusal of what is not among <see cref="All"/>.</summary>
    public static ShadException Unsupported(string path, string field, string value) => ModelErrors.ArchitectureUnsupported(
        path, field, value, All.Select(static family => $"{family.Architecture} ({family.ModelType})"));

    /// <summary>Where the attention projections have biases.</summary>
    internal enum AttentionBiasRule
    {
        /// <summary>Nowhere.</summary>
        Never,

        /// <summary>On query, key and value.</summary>
        QueryKeyValueAlways,

        /// <summary>On query, key, value and output where <c>attention_bias</c> is true.</summary>
        AsConfigured,

        /// <summary>On query, key, value and output.</summary>
        Always,
    }

    /// <summary>When a sliding window is in force.</summary>
    internal enum WindowRule
    {
        /// <summary>Never: <c>sliding_window</c> is no field of the family.</summary>
        Never,

        /// <summary>In all layers where <c>sliding_window</c> is set.</summary>
        WhereSet,

        /// <summary>Where <c>use_sliding_window</c> is true, in the layers of <c>layer_types</c>, or from <c>max_window_layers</c>
        /// on.</summary>
        WhereSwitchedOn,

        /// <summary>In the layers of <c>layer_types</c>.</summary>
        InLayers,
    }
}
