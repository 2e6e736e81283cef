namespace Shad.Models.Configuration;

/// <summary>A supported model family: what its name alone decides, before any field of <c>config.json</c>.</summary>
/// <param name="ModelType"><c>model_type</c>.</param>
/// <param name="Architecture">The entry of <c>architectures</c>.</param>
internal sealed record DecoderFamily(string ModelType, string Architecture)
{
    /// <summary>The families, in the order in which they are listed to users.</summary>
    public static IReadOnlyList<DecoderFamily> All { get; } =
    [
        new("llama", "LlamaForCausalLM") { AttentionBias = AttentionBiasRule.AsConfigured, MlpBiasConfigurable = true },
        new("mistral", "MistralForCausalLM") { Window = WindowRule.WhereSet },
        new("qwen2", "Qwen2ForCausalLM") { AttentionBias = AttentionBiasRule.QueryKeyValueAlways, Window = WindowRule.WhereSwitchedOn },
        new("qwen3", "Qwen3ForCausalLM")
        {
            AttentionBias = AttentionBiasRule.AsConfigured, Window = WindowRule.WhereSwitchedOn, QueryKeyNorm = true, DefaultHeadSize = 128,
        },
    ];

    /// <summary>Where the attention projections have biases.</summary>
    public AttentionBiasRule AttentionBias { get; init; } = AttentionBiasRule.Never;

    /// <summary>True where <c>mlp_bias</c> is a field of the family.</summary>
    public bool MlpBiasConfigurable { get; init; }

    /// <summary>When a sliding window is in force.</summary>
    public WindowRule Window { get; init; } = WindowRule.Never;

    /// <summary>True where query and key heads are normalised.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Head size where <c>head_dim</c> is absent; null is <c>hidden_size / num_attention_heads</c>.</summary>
    public int? DefaultHeadSize { get; init; }

    /// <summary>The family of a <c>model_type</c>, or null.</summary>
    public static DecoderFamily? OfModelType(string modelType) => All.FirstOrDefault(family => family.ModelType == modelType);

    /// <summary>The family of an architecture, or null. Early Llama conversions write <c>LLaMAForCausalLM</c>.</summary>
    public static DecoderFamily? OfArchitecture(string architecture) => All.FirstOrDefault(
        family => string.Equals(family.Architecture, architecture, StringComparison.OrdinalIgnoreCase));

    /// <summary>Where the attention projections have biases.</summary>
    internal enum AttentionBiasRule
    {
        /// <summary>Nowhere.</summary>
        Never,

        /// <summary>On query, key and value.</summary>
        QueryKeyValueAlways,

        /// <summary>On query, key, value and output where <c>attention_bias</c> is true.</summary>
        AsConfigured,
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
    }
}
