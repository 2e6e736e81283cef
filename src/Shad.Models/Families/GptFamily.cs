using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Models.Families;

/// <summary>GPT-2 (Radford et al., 2019): learned positions, layer norms, an MLP without gate, and matrices stored <c>[in, out]</c>.</summary>
internal static class GptFamily
{
    public static DecoderFamily Gpt2 { get; } = new("gpt2", "GPT2LMHeadModel")
    {
        Naming = new TensorNaming
        {
            Embedding = "transformer.wte.weight", Positions = "transformer.wpe.weight", FinalNorm = "transformer.ln_f",
            Layers = "transformer.h.", AttentionNorm = "ln_1", MlpNorm = "ln_2",
            Query = "attn.c_attn", Key = "attn.c_attn", Value = "attn.c_attn", Output = "attn.c_proj", Up = "mlp.c_fc", Down = "mlp.c_proj",
            InputsFirst = true, Buffers = [".attn.bias", ".attn.masked_bias"],
        },
        FieldNames = new Dictionary<string, string>
        {
            ["hidden_size"] = "n_embd", ["num_hidden_layers"] = "n_layer", ["num_attention_heads"] = "n_head", ["intermediate_size"] = "n_inner",
            ["max_position_embeddings"] = "n_positions", ["rms_norm_eps"] = "layer_norm_epsilon", ["hidden_act"] = "activation_function",
        },
        AttentionBias = DecoderFamily.AttentionBiasRule.Always,
        HasHeadSizeField = false,
        HasKeyValueHeadsField = false,
        DefaultInnerFactor = 4,
        DefaultActivation = "gelu_new",
        TiedByDefault = true,
        Fixed = static config => config with
        {
            Norm = NormKind.LayerNorm, GatedMlp = false, MlpBias = true, LearnedPositions = true, Rotary = RotaryEmbedding.None,
        },
        Fields =
        [
            FamilyField.MustBe("scale_attn_weights", value: true), FamilyField.MustBe("scale_attn_by_inverse_layer_idx", value: false),
            FamilyField.MustBe("add_cross_attention", value: false),
        ],
    };
}
