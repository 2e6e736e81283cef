using Shad.Models.Configuration;

namespace BenchScoring.Models;

/// <summary>A shape of model to be measured, and how large its corpora are.</summary>
/// <param name="Name">Its name in options and files.</param>
/// <param name="Config">The model; null for the bundled model, widened to float32 and to a context that holds the corpus.</param>
/// <param name="Tokens">Tokens of the corpus: a contender is to take 20 to 40 seconds.</param>
/// <param name="FullLogitsBatch">Samples of a batch of the contenders that hold <c>[B,S,V]</c> logits.</param>
internal sealed record BenchShape(string Name, DecoderConfig? Config, int Tokens, int FullLogitsBatch)
{
    /// <summary>Longest sequence of a corpus.</summary>
    public const int ContextLength = 2048;

    public static IReadOnlyList<BenchShape> All { get; } =
    [
        new("shad-mini", null, Tokens: 400_000, FullLogitsBatch: 8),

        // 135 M parameters, Llama family.
        new("135m", Llama(576, 30, 9, 3, 1536, 49_152), Tokens: 10_000, FullLogitsBatch: 4),

        // 494 M parameters, Qwen2 family: biases on queries, keys and values, θ = 10⁶.
        new(
            "0.5b", Llama(896, 24, 14, 2, 4864, 151_936) with { ModelType = "qwen2", QueryKeyValueBias = true, Rotary = new RotaryEmbedding(1e6) },
            Tokens: 3_500, FullLogitsBatch: 2),

        // The 135 M layers under the largest vocabulary and context promised; for the memory mode.
        new("135m-256k", Llama(576, 30, 9, 3, 1536, 256_000) with { ContextLength = 32_768 }, Tokens: 32_768, FullLogitsBatch: 1),
    ];

    public static BenchShape Of(string name) => All.FirstOrDefault(shape => shape.Name == name)
        ?? throw new ArgumentException($"No shape '{name}'; expected one of {string.Join(", ", All.Select(static shape => shape.Name))}.");

    private static DecoderConfig Llama(int hidden, int layers, int heads, int keyValueHeads, int intermediate, int vocabulary) => new()
    {
        ModelType = "llama",
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        LayerCount = layers,
        AttentionHeads = heads,
        KeyValueHeads = keyValueHeads,
        HeadSize = hidden / heads,
        VocabularySize = vocabulary,
        ContextLength = ContextLength,
        NormEpsilon = 1e-5f,
        Rotary = new RotaryEmbedding(10_000),
        TiedHead = true,
        BeginningOfSequenceId = 1,
        EndOfSequenceIds = [2],
    };
}
