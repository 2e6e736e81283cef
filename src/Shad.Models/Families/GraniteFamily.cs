using Shad.Models.Configuration;

namespace Shad.Models.Families;

/// <summary>Granite 3.x (arXiv:2405.04324 and IBM's Granite 3.0 report): a Llama with four multipliers, as in maximal update parametrization.</summary>
internal static class GraniteFamily
{
    public static DecoderFamily Granite { get; } = new("granite", "GraniteForCausalLM")
    {
        AttentionBias = DecoderFamily.AttentionBiasRule.AsConfigured,
        MlpBiasConfigurable = true,
        Fields =
        [
            FamilyField.Factor("embedding_multiplier", static c => c.EmbeddingScale, static (c, value) => c with { EmbeddingScale = value }),
            FamilyField.Factor("attention_multiplier", static c => c.AttentionScale, static (c, value) => c with { ScoreScale = value }),
            FamilyField.Factor("residual_multiplier", static c => c.ResidualScale, static (c, value) => c with { ResidualScale = value }),
            FamilyField.Factor("logits_scaling", static c => c.LogitDivisor, static (c, value) => c with { LogitDivisor = value }),
        ],
    };
}
