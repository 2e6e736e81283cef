using Shad.Models.Configuration;

namespace Shad.Models.Families;

/// <summary>Qwen2 and 2.5 (arXiv:2407.10671), and Qwen3 (arXiv:2505.09388).</summary>
internal static class QwenFamily
{
    public static DecoderFamily Qwen2 { get; } = new("qwen2", "Qwen2ForCausalLM")
    {
        AttentionBias = DecoderFamily.AttentionBiasRule.QueryKeyValueAlways, Window = DecoderFamily.WindowRule.WhereSwitchedOn,
    };

    public static DecoderFamily Qwen3 { get; } = new("qwen3", "Qwen3ForCausalLM")
    {
        AttentionBias = DecoderFamily.AttentionBiasRule.AsConfigured, Window = DecoderFamily.WindowRule.WhereSwitchedOn, DefaultHeadSize = 128,
        Fixed = static config => config with { QueryKeyNorm = QueryKeyNorm.EachHead },
    };
}
