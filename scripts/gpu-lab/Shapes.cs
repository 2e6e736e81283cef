using Shad.Core.Randomness;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace GpuLab;

/// <summary>The models of the lab: shapes of well-known ones, weights from a seed, in bfloat16.</summary>
internal static class Shapes
{
    private const int Noise = 1 << 20;

    public static readonly IReadOnlyDictionary<string, DecoderConfig> All = new Dictionary<string, DecoderConfig>
    {
        ["tiny"] = Llama(hidden: 256, layers: 4, heads: 8, kvHeads: 4, mlp: 512, vocabulary: 2_048, tied: true),
        ["135m"] = Llama(hidden: 576, layers: 30, heads: 9, kvHeads: 3, mlp: 1_536, vocabulary: 49_152, tied: true),
        ["1.2b"] = Llama(hidden: 2_048, layers: 16, heads: 32, kvHeads: 8, mlp: 8_192, vocabulary: 128_256, tied: true),
        ["8b"] = Llama(hidden: 4_096, layers: 32, heads: 32, kvHeads: 8, mlp: 14_336, vocabulary: 128_256, tied: false),
    };

    /// <summary>
    /// Floating-point operations of a token's forward pass: two a weight of the matrix products, the head's for the tokens that are
    /// scored, and two products of the attention over half of the sequence on average.
    /// </summary>
    public static double OperationsPerToken(DecoderConfig config, int length, double scoredShare)
    {
        double head = (double)config.VocabularySize * config.HiddenSize;
        double linear = TensorLayout.Expected(config)
            .Where(static tensor => tensor.Shape.Length == 2 && tensor.Name is not (TensorNames.Embedding or TensorNames.Head))
            .Sum(static tensor => (double)tensor.Shape[0] * tensor.Shape[1]);
        double attention = 4.0 * config.AttentionHeads * config.HeadSize * (length / 2.0) * config.LayerCount;
        return 2 * linear + 2 * head * scoredShare + attention;
    }

    /// <summary>Writes a model, and beside it, as <c>NAME-probe</c>, a probe that changes its last quarter of layers.</summary>
    public static void Write(string folder, string name, ulong seed)
    {
        DecoderConfig config = All[name];
        string path = Path.Combine(folder, name);
        ModelFolderWriter.Write(path, config, TensorLayout.Expected(config).Select((tensor, i) => Tensor(tensor, config, seed, i)), TensorDtype.BFloat16, replace: true);
        using ModelFolder model = ModelFolder.Open(path);
        int first = config.LayerCount - Math.Max(1, config.LayerCount / 4);
        ModelFolderWriter.WriteChanges(
            path + "-probe", model,
            TensorLayout.Expected(config)
                .Where(tensor => tensor.Name == TensorNames.FinalNorm || Enumerable.Range(first, config.LayerCount - first)
                    .Any(layer => tensor.Name.StartsWith(TensorNames.Layer(layer).Prefix + ".", StringComparison.Ordinal)))
                .Select((tensor, i) => Tensor(tensor, config, seed + 1, i)),
            replace: true);
    }

    // One block of noise, read from another place for every tensor: drawing eight billion values would take longer than the lab.
    private static TensorToWrite Tensor(TensorSpec tensor, DecoderConfig config, ulong seed, int place)
    {
        bool writesToStream = tensor.Name.EndsWith(".o_proj.weight", StringComparison.Ordinal) || tensor.Name.EndsWith(".down_proj.weight", StringComparison.Ordinal);
        float deviation = (float)(writesToStream ? 0.02 / Math.Sqrt(2.0 * config.LayerCount) : 0.02);
        float[] noise = NoiseOf(seed);
        int at = (int)((long)place * 104_729 % Noise);
        return TensorToWrite.FromBlocks(tensor.Name, TensorDtype.BFloat16, tensor.Shape, block =>
        {
            for (int i = 0; i < block.Length; i++)
            {
                block[i] = tensor.Shape.Length == 1 ? 1 + 0.1f * noise[at] : deviation * noise[at];
                if (++at == Noise) at = 0;
            }
        });
    }

    private static readonly Dictionary<ulong, float[]> Drawn = [];

    private static float[] NoiseOf(ulong seed)
    {
        if (Drawn.TryGetValue(seed, out float[]? noise)) return noise;
        var random = new SeededRandom(seed);
        return Drawn[seed] = [.. Enumerable.Range(0, Noise).Select(_ => (float)random.NextGaussian())];
    }

    private static DecoderConfig Llama(int hidden, int layers, int heads, int kvHeads, int mlp, int vocabulary, bool tied) => new()
    {
        ModelType = "llama", HiddenSize = hidden, LayerCount = layers, AttentionHeads = heads, KeyValueHeads = kvHeads,
        HeadSize = hidden / heads, IntermediateSize = mlp, VocabularySize = vocabulary, TiedHead = tied, ContextLength = 8_192,
        NormEpsilon = 1e-5f, Rotary = new RotaryEmbedding(500_000), BeginningOfSequenceId = 0, EndOfSequenceIds = [1],
    };
}
