using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;

namespace Shad.Sidecar.Tests;

/// <summary>Small models of every supported architecture, with random norms and biases so that a forgotten one shows.</summary>
internal static class TinyModels
{
    public const int Vocabulary = 41;

    public static DecoderConfig Llama { get; } = new()
    {
        ModelType = "llama", HiddenSize = 24, IntermediateSize = 40, LayerCount = 3, AttentionHeads = 3, KeyValueHeads = 3, HeadSize = 8,
        VocabularySize = Vocabulary, ContextLength = 64, NormEpsilon = 1e-5f, Rotary = new RotaryEmbedding(10_000), TiedHead = true,
        BeginningOfSequenceId = 1, EndOfSequenceIds = [2],
    };

    public static DecoderConfig LlamaUntiedGrouped { get; } = Llama with
    {
        HiddenSize = 32, AttentionHeads = 4, KeyValueHeads = 2, TiedHead = false,
        Rotary = new RotaryEmbedding(500_000, new Llama3RotaryScaling(8, 1, 4, 16)),
    };

    public static DecoderConfig Mistral { get; } = LlamaUntiedGrouped with
    {
        ModelType = "mistral", Rotary = new RotaryEmbedding(10_000), SlidingWindow = 5,
    };

    public static DecoderConfig Qwen2 { get; } = Llama with
    {
        ModelType = "qwen2", HiddenSize = 30, AttentionHeads = 5, KeyValueHeads = 1, HeadSize = 6, QueryKeyValueBias = true,
    };

    public static DecoderConfig Qwen3 { get; } = LlamaUntiedGrouped with
    {
        ModelType = "qwen3", Rotary = new RotaryEmbedding(1_000_000), QueryKeyNorm = QueryKeyNorm.EachHead, HeadSize = 12, TiedHead = true,
    };

    public static DecoderConfig[] Configs { get; } = [Llama, LlamaUntiedGrouped, Mistral, Qwen2, Qwen3];

    public static IEnumerable<TestCaseData> All()
    {
        yield return new TestCaseData(Llama).SetArgDisplayNames("llama, tied, odd head count");
        yield return new TestCaseData(LlamaUntiedGrouped).SetArgDisplayNames("llama, untied, grouped heads, scaled rotary");
        yield return new TestCaseData(Mistral).SetArgDisplayNames("mistral, sliding window");
        yield return new TestCaseData(Qwen2).SetArgDisplayNames("qwen2, biases, one KV head");
        yield return new TestCaseData(Qwen3).SetArgDisplayNames("qwen3, head norms, heads wider than hidden");
    }

    /// <summary>Writes a model whose weights are large enough to make its predictions far from uniform.</summary>
    public static ModelFolder Create(TemporaryFolder folder, DecoderConfig config, ulong seed = 5, double deviation = 0.25)
    {
        string path = folder.File($"model-{Guid.NewGuid():N}");
        ModelInitializer.Write(path, config, new InitializationOptions
        {
            Seed = seed, StandardDeviation = deviation, NormDeviation = 0.2, BiasDeviation = 0.2,
        });
        return ModelFolder.Open(path);
    }

    /// <summary>Random samples of differing lengths; their last third is the response, in roles at random.</summary>
    public static List<TokenizedSample> Samples(int count, ulong seed = 9, int shortest = 4, int longest = 30)
    {
        var random = new SeededRandom(seed);
        var samples = new List<TokenizedSample>();
        for (int s = 0; s < count; s++)
        {
            int length = random.NextInt32(shortest, longest + 1);
            var ids = new int[length];
            var labels = new int[length];
            var roles = new TokenRole?[length];
            var weights = new float[length];
            for (int i = 0; i < length; i++)
            {
                ids[i] = random.NextInt32(Vocabulary);
                bool target = i >= length - Math.Max(1, length / 3);
                labels[i] = target ? ids[i] : TokenizedSample.IgnoredLabel;
                if (!target) continue;
                roles[i] = random.NextBoolean() ? TokenRole.Reasoning : TokenRole.Boilerplate;
                weights[i] = (float)random.NextDouble() * 2;
            }

            samples.Add(new TokenizedSample($"s{s}", ids, labels) { Roles = roles, Weights = weights });
        }

        return samples;
    }
}
