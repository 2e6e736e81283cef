using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Graphs;
using Shad.Onnx.Protobuf;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Several models in one graph: the same losses as one by one, and layers that are the same computed once.</summary>
[TestFixture]
internal sealed class SharedTrunkTests
{
    // The same sums in the same order up to the head, whose rows are cut into other blocks: roundings of logits of magnitude 30.
    private const float Same = 1e-5f;

    // As in ScoringExactnessTests.
    private const double Tolerance = 1e-4;

    private static IEnumerable<TestCaseData> Tunes() =>
        from kind in TestModels.Kinds
        from firstTuned in new[] { -1, 0, kind.Value.LayerCount - 1, kind.Value.LayerCount }.Distinct()
        select new TestCaseData(kind.Value, firstTuned).SetArgDisplayNames(kind.Key, $"tuned from layer {firstTuned}");

    [TestCaseSource(nameof(Tunes))]
    public void Base_probe_and_control_in_one_pass_score_as_one_by_one_and_as_the_reference(DecoderConfig config, int firstTuned)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, config);
        using var probe = TestModels.Tuned(folder, model, firstTuned, seed: 2);
        using var control = TestModels.Tuned(folder, model, firstTuned, seed: 3);
        AssertAsSeparate([model, probe, control], sharedLayers: Math.Max(firstTuned, 0));
    }

    [Test]
    public void Layers_that_are_the_same_stand_in_the_graph_once()
    {
        using var folder = new TemporaryFolder();
        var config = TestModels.Kinds["qwen2"] with { LayerCount = 8 };
        using var model = TestModels.Create(folder, config);
        using var probe = TestModels.Tuned(folder, model, firstTuned: 6, seed: 2);
        using var control = TestModels.Tuned(folder, model, firstTuned: 5, seed: 3);
        var trunk = SharedTrunk.Of(model, probe, control);
        var graph = GraphOf(trunk);

        // 8 layers of the base model, the last 2 of the probe and the last 3 of the control; their tied head is one product.
        Assert.That(Count(graph, "GroupQueryAttention"), Is.EqualTo(8 + 2 + 3));
        Assert.That(Count(graph, "Scan"), Is.EqualTo(1));
        Assert.That(trunk.SharedLayers, Is.EqualTo(5));

        // 12 tensors a layer and the norm are tuned; the rest of the two stands in the graph as the base model's.
        int whole = model.Weights.Tensors.Count;
        Assert.That(
            graph.Graph.Initializer.Count(static tensor => tensor.DataLocation == TensorProto.Types.DataLocation.External),
            Is.EqualTo(whole + (2 * 12 + 1) + (3 * 12 + 1)));
        AssertAsSeparate([model, probe, control], sharedLayers: 5);
    }

    [TestCase(TensorDtype.BFloat16)]
    [TestCase(TensorDtype.Float16)]
    public void A_probe_in_float32_shares_the_trunk_of_a_base_model_in_16_bits(TensorDtype dtype)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen3"], dtype);
        using var probe = TestModels.Tuned(folder, model, firstTuned: 2);
        AssertAsSeparate([model, probe], sharedLayers: 2);
    }

    [TestCase(TensorDtype.Float32)]
    [TestCase(TensorDtype.BFloat16)]
    public void Models_stored_as_changes_score_as_if_stored_whole(TensorDtype dtype)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"], dtype);
        using var whole = TestModels.Tuned(folder, model, firstTuned: 1, seed: 2);
        using var probe = TestModels.Changed(folder, model, firstTuned: 1, seed: 2);
        using var control = TestModels.Changed(folder, model, firstTuned: 2, seed: 3);
        AssertAsSeparate([model, probe, control], sharedLayers: 1);
        AssertAsSeparate([probe, whole], sharedLayers: 3);
    }

    [Test]
    public void A_model_beside_itself_is_computed_once()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["llama with grouped queries, untied"]);
        Assert.That(Count(GraphOf(SharedTrunk.Of(model, model)), "GroupQueryAttention"), Is.EqualTo(3));
        AssertAsSeparate([model, model], sharedLayers: 3);
    }

    [Test]
    public void Models_of_other_configs_are_branches_of_their_own()
    {
        using var folder = new TemporaryFolder();
        var kind = TestModels.Kinds["llama with grouped queries, tied"];
        using var model = TestModels.Create(folder, kind);
        using var deeper = TestModels.Create(folder, kind with { LayerCount = 4 });
        using var turned = TestModels.Create(folder, kind with { Rotary = new RotaryEmbedding(500) });
        using var windowed = TestModels.Create(folder, TestModels.Kinds["mistral with a window"] with { TiedHead = true });

        // The same seed draws the same embedding for all: nothing but the configs tells them apart.
        Assert.That(SharedTrunk.Of(model, turned).OwnerOf(1, TensorNames.Embedding), Is.Zero);
        AssertAsSeparate([model, deeper, turned, windowed], sharedLayers: 0);
    }

    [Test]
    public void A_probe_with_a_head_of_its_own_shares_the_layers_of_a_tied_model()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["llama with grouped queries, tied"]);
        string path = Path.Combine(folder.Path, "untied");
        float[] head = model.Weights.ReadFloat32(TensorNames.Embedding);
        for (int i = 0; i < head.Length; i += 3) head[i] += 0.1f;
        var config = model.Config with { TiedHead = false };
        ModelFolderWriter.Write(
            path, config,
            TensorLayout.Expected(config).Select(tensor => tensor.Name == TensorNames.Head
                ? TensorToWrite.FromFloat32(tensor.Name, TensorDtype.Float32, tensor.Shape, () => head)
                : TensorToWrite.CopyOf(model.Weights, tensor.Name)),
            TensorDtype.Float32);
        using var untied = ModelFolder.Open(path);
        AssertAsSeparate([model, untied], sharedLayers: 3);
    }

    [Test]
    public void The_weights_of_models_are_found_from_the_deepest_folder_above_them()
    {
        char slash = Path.DirectorySeparatorChar;
        string Under(params string[] parts) => Path.GetFullPath(slash + Path.Combine(parts));
        Assert.That(WeightFiles.CommonFolder([Under("a", "b", "c", "x"), Under("a", "b", "d", "y")]), Is.EqualTo(Under("a", "b")));
        Assert.That(WeightFiles.CommonFolder([Under("a", "bc", "x"), Under("a", "b", "y")]), Is.EqualTo(Under("a")));
        Assert.That(WeightFiles.CommonFolder([Under("a", "x"), Under("b", "y")]), Is.EqualTo(Under()));
        var error = Assert.Throws<ShadException>(() => WeightFiles.CommonFolder(["C:/a/x", "D:/b/y"]))!;
        Assert.That(error.Code, Is.EqualTo("onnx.no_common_folder"));
        Assert.That(error.Message, Does.Contain("C:/a/x").And.Contain("D:/b/y"));
    }

    [Test]
    public void Batches_and_windows_change_no_loss_of_any_model()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        using var probe = TestModels.Tuned(folder, model, firstTuned: 1);
        var samples = TestSamples.Many(seed: 5, count: 60, maximumLength: 100, model.Config.VocabularySize);
        using var alone = ScoringSession.Open(model);
        using var probeAlone = ScoringSession.Open(probe);
        using var both = ScoringSession.Open([model, probe], new ScoringOptions { TokensPerBatch = 400, Window = 13 });
        var results = both.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().ToList();
        Assert.That(results.Select(static result => result.Item), Is.EqualTo(samples));
        foreach (var (sample, losses) in results)
        {
            Assert.That(losses[0], Is.EqualTo(alone.Score(sample)).Within(Same), sample.Id);
            Assert.That(losses[1], Is.EqualTo(probeAlone.Score(sample)).Within(Same), sample.Id);
        }
    }

    private static void AssertAsSeparate(ModelFolder[] models, int sharedLayers)
    {
        var sample = TestSamples.Random(new SeededRandom(7), "sample", 40, models[0].Config.VocabularySize, targets: 0.7);
        using var together = ScoringSession.Open(models);
        Assert.That(together.SharedLayers, Is.EqualTo(sharedLayers));
        float[][] losses = together.ScoreAll(sample);
        Assert.That(losses, Has.Length.EqualTo(models.Length));
        for (int i = 0; i < models.Length; i++)
        {
            using var alone = ScoringSession.Open(models[i]);
            Assert.That(losses[i], Is.EqualTo(alone.Score(sample)).Within(Same), $"model {i}");
            double[] expected = new ReferenceDecoder(models[i]).Losses(sample);
            Assert.That(losses[i].Select(static loss => (double)loss), Is.EqualTo(expected).Within(Tolerance), $"model {i}");
        }
    }

    private static ModelProto GraphOf(SharedTrunk trunk)
    {
        var files = WeightFiles.Resolve(trunk.Models);
        return ScoringGraph.BuildPadded(
            trunk,
            (graph, model) => new DecoderWeights(graph, trunk, model, files.PlaceOf, TensorProto.Types.DataType.Float));
    }

    private static int Count(ModelProto graph, string operation) => graph.Graph.Node.Count(node => node.OpType == operation);
}
