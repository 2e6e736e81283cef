using Shad.Models.Weights;

namespace Shad.Models.Families;

/// <summary>Phi-3, 3.5 and 4-mini (arXiv:2404.14219): query, key and value in one matrix, gate and up in another.</summary>
internal static class PhiFamily
{
    public static DecoderFamily Phi3 { get; } = new("phi3", "Phi3ForCausalLM")
    {
        Naming = new TensorNaming
        {
            Query = "self_attn.qkv_proj", Key = "self_attn.qkv_proj", Value = "self_attn.qkv_proj",
            Gate = "mlp.gate_up_proj", Up = "mlp.gate_up_proj",
        },
        PartialRotation = true,
        Window = DecoderFamily.WindowRule.WhereSet,
        DefaultWindow = null,
    };
}
