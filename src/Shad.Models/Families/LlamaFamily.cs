namespace Shad.Models.Families;

/// <summary>Llama 2, 3 and 3.x (arXiv:2307.09288, arXiv:2407.21783), and Mistral (arXiv:2310.06825).</summary>
internal static class LlamaFamily
{
    public static DecoderFamily Llama { get; } = new("llama", "LlamaForCausalLM")
    {
        AttentionBias = DecoderFamily.AttentionBiasRule.AsConfigured, MlpBiasConfigurable = true,
    };

    public static DecoderFamily Mistral { get; } = new("mistral", "MistralForCausalLM") { Window = DecoderFamily.WindowRule.WhereSet };
}
