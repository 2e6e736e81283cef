using Shad.Core.Randomness;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Generation;
using Shad.Onnx.Scoring;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Peak memory, and memory over time. Alone in the process while they run.</summary>
[TestFixture]
[NonParallelizable]
internal sealed class ScoringMemoryTests
{
    private const long Megabyte = 1L << 20;

    [TestCase(TensorDtype.Float32)]
    [TestCase(TensorDtype.BFloat16)]
    public void Scoring_4096_targets_of_a_vocabulary_of_151936_takes_no_more_than_the_weights_and_a_gigabyte(TensorDtype dtype)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, Large(151_936), dtype);
        var sample = TestSamples.Random(new SeededRandom(1), "sample", 4_097, 151_936);

        // The logits alone, [4096, 151936] in float32, would be 2.5 GB.
        long weights = model.Weights.Tensors.Values.Sum(static tensor => tensor.ByteLength);
        long peak = PeakOf(() =>
        {
            using var session = ScoringSession.Open(model);
            session.Score(sample);
        });
        TestContext.Out.WriteLine($"weights {weights / Megabyte} MB, peak {peak / Megabyte} MB");
        Assert.That(peak, Is.LessThan(weights + 1024 * Megabyte));
    }

    [Test]
    public void Peak_memory_grows_neither_with_vocabulary_times_targets_nor_with_the_square_of_the_length()
    {
        using var folder = new TemporaryFolder();
        long Peak(int vocabulary, int length)
        {
            using var model = TestModels.Create(folder, Large(vocabulary));
            var sample = TestSamples.Random(new SeededRandom(1), "sample", length + 1, vocabulary);
            return PeakOf(() =>
            {
                using var session = ScoringSession.Open(model);
                session.Score(sample);
            });
        }

        // 4,096 × 8,192 floats are 128 MB, the attention scores of 4 heads 256 MB. What may grow from the first to the second:
        // the activations, 4,096 × about 100 floats at a time, and the block of logits up to its limit of 128 MB.
        long small = Peak(8_192, 512);
        long large = Peak(8_192, 4_096);
        TestContext.Out.WriteLine($"512 tokens: {small / Megabyte} MB, 4,096 tokens: {large / Megabyte} MB");
        Assert.That(large - small, Is.LessThan(100 * Megabyte));
    }

    [TestCase(97, 64)]
    [TestCase(60_000, 64)]
    [TestCase(60_000, 200)]
    public void A_pass_keeps_to_the_memory_it_is_given(int vocabulary, int megabytes)
    {
        using var folder = new TemporaryFolder();
        var config = Large(vocabulary) with { HiddenSize = 64, IntermediateSize = 600, LayerCount = 2, HeadSize = 32 };
        using var model = TestModels.Create(folder, config);

        // Without a bound a batch is 1,000,000 tokens, 10 GB of activations.
        var options = new ScoringOptions { TokensPerBatch = 1_000_000, Memory = megabytes * Megabyte };
        var samples = TestSamples.Many(seed: 3, count: 150, maximumLength: 400, vocabulary);
        using var session = ScoringSession.Open(model, options);
        session.Score(samples[0]);
        long peak = PeakOf(() =>
        {
            int scored = session.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().Count();
            Assert.That(scored, Is.EqualTo(samples.Count));
        });
        TestContext.Out.WriteLine($"{megabytes} MB allowed, {peak / Megabyte} MB taken");
        Assert.That(peak, Is.LessThan(megabytes * Megabyte));
    }

    [Test]
    public void Memory_is_steady_over_many_batches_of_changing_shapes()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, Large(97));
        using var session = ScoringSession.Open(model, new ScoringOptions { TokensPerBatch = 2_048 });
        var samples = TestSamples.Many(seed: 3, count: 150, maximumLength: 500, vocabularySize: 97);

        // What a round allocates and keeps would add up: ids, rows and losses of about 20 batches, 40 kB each: 8 MB.
        AssertSteady(() =>
        {
            int scored = session.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().Count();
            Assert.That(scored, Is.EqualTo(samples.Count));
        });
    }

    [Test]
    public void Memory_is_steady_over_many_generations()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, Large(97) with { LayerCount = 4 });
        using var generator = GreedyGenerator.Open(model);

        // Every id ends the text, so one token is made of the 4,000 there is room for. Their cache of 4 layers × 2 × 2 KV heads ×
        // 4,000 tokens × 16 floats is 4 MB: one leaked in each of 40 would be 160 MB.
        int[] everyId = [.. Enumerable.Range(0, 97)];
        AssertSteady(() =>
        {
            for (int i = 0; i < 4; i++) Assert.That(generator.Generate([1, 2, 3], 4_000, everyId), Has.Length.EqualTo(1));
        });
    }

    [Test]
    public void Memory_is_given_back_with_the_session()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, Large(60_000) with { HiddenSize = 64 });

        // 15 MB of weights and as much packed: 10 sessions that stay would be 150 MB and more.
        AssertSteady(() =>
        {
            using var session = ScoringSession.Open(model);
            session.Score(TestSamples.Random(new SeededRandom(1), "sample", 20, 60_000));
        });
    }

    private static DecoderConfig Large(int vocabulary) => TestModels.Kinds["llama with heads of 32"] with
    {
        HiddenSize = 32,
        IntermediateSize = 32,
        LayerCount = 1,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadSize = 16,
        VocabularySize = vocabulary,
        ContextLength = 8_192,
    };

    private static long PeakOf(Action action)
    {
        ProcessMemory.ResetPeak();
        long before = ProcessMemory.Resident;
        action();
        return ProcessMemory.Peak - before;
    }

    /// <summary>
    /// After three rounds of warming up (the runtime's arena finds its size), ten more may add 6 MB in all: what the allocator leaves
    /// lying about. It may do so late, so the ten have three tries; what leaks grows in every one of them.
    /// </summary>
    private static void AssertSteady(Action round)
    {
        for (int i = 0; i < 3; i++) round();
        var growths = new List<long>();
        for (int attempt = 0; attempt < 3; attempt++)
        {
            long before = ProcessMemory.Used;
            for (int i = 0; i < 10; i++) round();
            growths.Add(ProcessMemory.Used - before);
            if (growths[^1] < 6 * Megabyte) break;
        }

        TestContext.Out.WriteLine($"growth over ten rounds: {string.Join(", ", growths.Select(static growth => $"{growth / 1024} kB"))}");
        Assert.That(growths.Min(), Is.LessThan(6 * Megabyte));
    }
}
