using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Models;
using Shad.Models.Configuration;

namespace Shad.EndToEnd.Tests;

/// <summary>A tiny random model, a corpus of tokens with known roles, and a recipe of a few steps: a whole run in seconds.</summary>
internal sealed class SmallRun : IDisposable
{
    public const int Samples = 120;

    public SmallRun()
    {
        Path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"shad-end-to-end-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path);
        ModelInitializer.Write(PathOf("model"), Config, new InitializationOptions { StandardDeviation = 0.1 });
        TokenizedSampleWriter.WriteAll(PathOf("corpus.jsonl"), Enumerable.Range(0, Samples).Select(Sample));
        File.WriteAllText(
            Recipe,
            """
            name: small
            model: {path: model}
            corpus: {files: corpus.jsonl, held_out: 0.2}
            probe: {last_layers: quarter, minimum_samples: 24, steps: 8, samples_per_step: 6, learning_rate: 0.01, checkpoint_every: 2}
            score: {samples_per_shard: 16, tokens_per_batch: 128, device: cpu}
            tune: {steps: 8, samples_per_step: 8, learning_rate: 0.01, checkpoint_every: 2}
            """);
    }

    public static DecoderConfig Config { get; } = new()
    {
        ModelType = "llama", HiddenSize = 32, IntermediateSize = 64, LayerCount = 2, AttentionHeads = 4, KeyValueHeads = 2, HeadSize = 8,
        VocabularySize = 64, ContextLength = 64, NormEpsilon = 1e-5f, Rotary = new RotaryEmbedding(10_000), TiedHead = true,
    };

    public string Path { get; }

    public string Recipe => PathOf("small.yaml");

    public string PathOf(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>A prompt with two values and a response that copies them into a template.</summary>
    public static TokenizedSample Sample(int i)
    {
        int a = 10 + i * 13 % 54, b = 10 + i * 29 % 54;
        int[] ids = [1, a, 2, b, 3, 4, 5, a, 6, 7, b, 8];
        const int firstTarget = 5;
        return new TokenizedSample(
            $"s{i}", ids, [.. ids.Select((id, place) => place < firstTarget ? TokenizedSample.IgnoredLabel : id)])
        {
            Roles = [.. ids.Select((_, place) => place < firstTarget ? (TokenRole?)null : place is 7 or 10 ? TokenRole.Reasoning : TokenRole.Boilerplate)],
        };
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
