using Shad.Models.Configuration;

namespace Shad.Models.Tests.Support;

/// <summary>Small configs of each family.</summary>
internal static class Configs
{
    public static DecoderConfig Llama { get; } = new()
    {
        ModelType = "llama",
        HiddenSize = 24,
        IntermediateSize = 36,
        LayerCount = 2,
        AttentionHeads = 6,
        KeyValueHeads = 3,
        HeadSize = 4,
        VocabularySize = 50,
        ContextLength = 64,
        NormEpsilon = 1e-5f,
        Rotary = new RotaryEmbedding(10_000),
        TiedHead = true,
        BeginningOfSequenceId = 1,
        EndOfSequenceIds = [2],
    };

    public static DecoderConfig Mistral { get; } = Llama with { ModelType = "mistral", SlidingWindow = 16, TiedHead = false };

    public static DecoderConfig Qwen2 { get; } = Llama with
    {
        ModelType = "qwen2",
        QueryKeyValueBias = true,
        Rotary = new RotaryEmbedding(1_000_000),
        SlidingWindow = 8,
        SlidingWindowLayers = [false, true],
        BeginningOfSequenceId = null,
        EndOfSequenceIds = [2, 3],
    };

    public static DecoderConfig Qwen3 { get; } = Llama with { ModelType = "qwen3", QueryKeyNorm = QueryKeyNorm.EachHead, HeadSize = 10, TiedHead = false };

    public static IEnumerable<DecoderConfig> OneOfEachFamily => [Llama, Mistral, Qwen2, Qwen3];
}
