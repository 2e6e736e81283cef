using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Graphs;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Losses against the double-precision reference.</summary>
[TestFixture]
internal sealed class ScoringExactnessTests
{
    // float32 has a relative rounding of 6e-8. A loss is a difference of logits of magnitude up to about 30 here, each a sum
    // of some hundred products of values that went through a few dozen roundings: about 30 · 6e-8 · √100 ≈ 2e-5 at worst.
    // What is wrong in a model (a mask off by one, a norm left out) shows at 1e-2 and above.
    private const double Tolerance = 1e-4;

    private static IEnumerable<TestCaseData> Models() =>
        from kind in TestModels.Kinds
        from dtype in new[] { TensorDtype.Float32, TensorDtype.Float16, TensorDtype.BFloat16 }
        select new TestCaseData(kind.Value, dtype).SetArgDisplayNames(kind.Key, dtype.ToString());

    [TestCaseSource(nameof(Models))]
    public void Every_kind_of_model_scores_as_the_reference(DecoderConfig config, TensorDtype dtype)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, config, dtype);
        AssertAsReference(model, length: 40);
    }

    [TestCaseSource(nameof(Models))]
    public void Every_kind_of_model_scores_as_the_reference_where_batches_are_padded(DecoderConfig config, TensorDtype dtype)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, config, dtype);
        AssertAsReference(model, length: 40, new ScoringOptions { Pad = true });
    }

    [Test]
    public void A_trained_model_scores_as_the_reference()
    {
        using var model = ModelFolder.Open(SharedFiles.Model("stories260k"));
        AssertAsReference(model, length: 300);
    }

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(44)]
    [TestCase(45)]
    [TestCase(46)]
    public void Rows_in_several_blocks_of_the_head_score_as_the_reference(int blockRows)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        var trunk = SharedTrunk.Of(model);
        using var session = ScoringSession.Wrap(
            DecoderSession.Load(trunk, new(), (weightsOf, _) => ScoringGraph.BuildPadded(trunk, weightsOf, blockRows), out _), trunk);
        AssertAsReference(model, session, TestSamples.Random(new SeededRandom(7), "sample", 46, model.Config.VocabularySize));
    }

    [Test]
    public void A_block_of_logits_stays_within_its_memory_whatever_the_vocabulary()
    {
        foreach (int vocabulary in new[] { 97, 4_096, 49_152, 151_936, 256_000 })
            Assert.That(ScoringGraph.BlockRows(vocabulary) * (long)vocabulary * 2 * sizeof(float), Is.LessThanOrEqualTo(128L << 20));
        Assert.That(ScoringGraph.BlockRows(151_936), Is.GreaterThan(64));
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(22)]
    [TestCase(45)]
    [TestCase(46)]
    public void Packed_rows_in_several_blocks_score_as_the_reference(int blockRows)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen3"]);
        var trunk = SharedTrunk.Of(model);
        using var session = new BatchScorer(
            new GraphRun(DecoderSession.Load(trunk, new(), (weightsOf, _) => ScoringGraph.BuildPacked(trunk, weightsOf), out _), bind: false),
            new PackedBatches(blockRows, sharePrefixes: true), [model.Path]);
        var sample = TestSamples.Random(new SeededRandom(7), "sample", 46, model.Config.VocabularySize);
        float[][] losses = [[.. Enumerable.Repeat(float.NaN, sample.Length)]];
        using var run = new Microsoft.ML.OnnxRuntime.RunOptions();
        session.Score([sample], [new Placement(0)], [losses], run, CancellationToken.None);
        AssertAsReference(model, losses[0], sample);
    }

    private static void AssertAsReference(ModelFolder model, int length, ScoringOptions? options = null)
    {
        using var session = ScoringSession.Open(model, options);
        AssertAsReference(
            model, session, TestSamples.Random(new SeededRandom(7), "sample", length, model.Config.VocabularySize, targets: 0.9));
    }

    private static void AssertAsReference(ModelFolder model, ScoringSession session, TokenizedSample sample) =>
        AssertAsReference(model, session.Score(sample), sample);

    private static void AssertAsReference(ModelFolder model, float[] actual, TokenizedSample sample)
    {
        double[] expected = new ReferenceDecoder(model).Losses(sample);

        double worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.That(float.IsNaN(actual[i]), Is.EqualTo(double.IsNaN(expected[i])), $"token {i}");
            if (!double.IsNaN(expected[i])) worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
        }

        TestContext.Out.WriteLine($"largest difference {worst:e2} nats");
        Assert.That(worst, Is.LessThan(Tolerance));
    }
}
