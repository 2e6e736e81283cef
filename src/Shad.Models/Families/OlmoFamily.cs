using Shad.Models.Configuration;

namespace Shad.Models.Families;

/// <summary>OLMo 2 (arXiv:2501.00656): norms behind attention and MLP, and queries and keys normed over their whole width.</summary>
internal static class OlmoFamily
{
    public static DecoderFamily Olmo2 { get; } = new("olmo2", "Olmo2ForCausalLM")
    {
        AttentionBias = DecoderFamily.AttentionBiasRule.AsConfigured,
        Fixed = static config => config with { NormPlacement = NormPlacement.Behind, QueryKeyNorm = QueryKeyNorm.WholeWidth },
    };
}
