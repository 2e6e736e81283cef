using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Errors;
using Shad.Models;
using Shad.Onnx.Graphs;
using Shad.Onnx.Kernels;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Batches that memory does not hold, with an allocator of the runtime that gives no more than some megabytes.</summary>
[TestFixture]
internal sealed class OutOfMemoryTests
{
    private const int Megabyte = 1 << 20;

    // The runtime has one allocator a process; sessions take it only where they ask for it.
    private const int Limit = 12 * Megabyte;

    private TemporaryFolder _folder = null!;
    private ModelFolder _model = null!;

    [OneTimeSetUp]
    public void RegisterAllocator()
    {
        using var memory = new OrtMemoryInfo(OrtMemoryInfo.allocatorCPU, OrtAllocatorType.ArenaAllocator, 0, OrtMemType.Default);
        using var arena = new OrtArenaCfg(Limit, arenaExtendStrategy: 1, initialChunkSizeBytes: 1024, maxDeadBytesPerChunk: 1024);
        OrtEnv.Instance().CreateAndRegisterAllocator(memory, arena);
        _folder = new TemporaryFolder();
        _model = TestModels.Create(_folder, TestModels.Kinds["qwen2"] with { ContextLength = 20_000, IntermediateSize = 200 });
    }

    [OneTimeTearDown]
    public void DeleteModel()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_batch_that_memory_does_not_hold_is_split_and_the_losses_are_the_same(bool isPacked)
    {
        // A token takes some 4 kB at a time here where it is padded, 1 kB where it is packed: 64 × 300 tokens about 80 or 20 MB, one
        // sample about 1.2 MB. Half of the samples begin with the same 50 tokens, and each half of a split batch keeps them.
        var samples = TestSamples.Many(seed: 5, count: 200, maximumLength: 300, _model.Config.VocabularySize);
        TestSamples.Begin(samples, samples[0].InputIds.AsSpan(0, 50), every: 2);
        var options = new ScoringOptions { TokensPerBatch = 64 * 300, Window = 100, Memory = 1L << 30, Pad = !isPacked };
        using var limited = Limited(options, isPacked);
        using var free = ScoringSession.Open(_model, options);
        var reports = new List<ScoringProgress>();
        var actual = await limited.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample, new Reports(reports)).ToListAsync();
        var expected = await free.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToListAsync();

        Assert.That(actual.Select(static result => result.Item), Is.EqualTo(samples));
        for (int i = 0; i < samples.Count; i++) Assert.That(actual[i].Losses, Is.EqualTo(expected[i].Losses).Within(1e-5f), samples[i].Id);
        TestContext.Out.WriteLine($"{reports[^1].Splits} splits");

        // The first batch is halved some times; what then fits is kept to, so that the second window splits no more.
        int afterFirstWindow = reports.Last(static report => report.Samples <= 100).Splits;
        Assert.That(reports[^1].Splits, Is.Positive.And.EqualTo(afterFirstWindow).And.LessThan(10));
        Assert.That(reports[^1].Targets, Is.EqualTo(samples.Sum(static sample => sample.TargetCount)));
    }

    [Test]
    public void A_single_sample_that_memory_does_not_hold_is_told()
    {
        using var limited = Limited(new ScoringOptions(), isPacked: false);
        var sample = TestSamples.Random(new(1), "long", 15_000, _model.Config.VocabularySize);
        var error = Assert.Throws<ShadException>(() => limited.Score(sample))!;
        Assert.That(error.Code, Is.EqualTo("onnx.failed"));
        Assert.That(error.Message, Does.Contain("batch of 1 samples of up to 14999 tokens").And.Contain("memory"));

        // The session is as good as before.
        Assert.That(limited.Score(TestSamples.Random(new(1), "short", 20, _model.Config.VocabularySize))[1], Is.Positive);
    }

    [TestCase("[ErrorCode:RuntimeException] ... std::bad_alloc", true)]
    [TestCase("CUDA error cudaErrorMemoryAllocation:out of memory", true)]
    [TestCase("Available memory of 0 is smaller than requested bytes of 256", true)]
    [TestCase("[ErrorCode:InvalidArgument] Got invalid dimensions for input: input_ids", false)]
    public void Only_messages_that_speak_of_memory_split_a_batch(string message, bool expected) =>
        Assert.That(BatchScorer.IsOutOfMemory(message), Is.EqualTo(expected));

    private ScoringSession Limited(ScoringOptions options, bool isPacked)
    {
        var trunk = SharedTrunk.Of(_model);
        var files = WeightFiles.Resolve(_model);
        var graph = isPacked ? ScoringGraph.BuildPacked(trunk, WeightsOf) : ScoringGraph.BuildPadded(trunk, WeightsOf);
        using var session = new SessionOptions { EnableMemoryPattern = false };
        CustomOperators.AddTo(session);
        session.AddSessionConfigEntry("session.use_env_allocators", "1");
        session.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", files.Folder);
        return ScoringSession.Wrap(new InferenceSession(graph.ToByteArray(), session), trunk, options, isPacked);

        DecoderWeights WeightsOf(GraphBuilder builder, int model) => new(builder, trunk, model, files.PlaceOf, DataType.Float);
    }

    private sealed class Reports(List<ScoringProgress> values) : IProgress<ScoringProgress>
    {
        public void Report(ScoringProgress value) => values.Add(value);
    }
}
