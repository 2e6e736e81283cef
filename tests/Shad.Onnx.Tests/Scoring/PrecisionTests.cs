using Google.Protobuf;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Graphs;
using Shad.Onnx.Protobuf;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Graphs in 16 bits. The CPU runs those of float16, with kernels that compute in float32 between the rounded values; those of
/// bfloat16 are looked at.</summary>
[TestFixture]
internal sealed class PrecisionTests
{
    /// <summary>
    /// Half an ulp of float16 is 2⁻¹¹ = 4.9e-4 of a value. The test models' logits reach about 10 and their losses hang on differences
    /// of them; a pass rounds some ten times on the way, independently: 4.9e-4 · 10 · √10 ≈ 1.5e-2, and by twice that at the worst
    /// tokens. A wrong weight or mask is off by 1 and more.
    /// </summary>
    private const double Largest = 5e-2;

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [TestCase("llama with grouped queries, untied", TensorDtype.Float32)]
    [TestCase("llama with grouped queries, tied", TensorDtype.Float16)]
    [TestCase("llama with heads of 32", TensorDtype.BFloat16)]
    [TestCase("llama with heads of 20", TensorDtype.Float32)]
    [TestCase("mistral with a window", TensorDtype.Float32)]
    [TestCase("qwen2", TensorDtype.BFloat16)]
    [TestCase("qwen3", TensorDtype.Float16)]
    public void A_float16_graph_gives_the_losses_of_float32(string kind, TensorDtype dtype)
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds[kind], dtype);
        using var exact = ScoringSession.Open(model, new ScoringOptions { Device = ComputeDevice.Cpu });
        using var half = ScoringSession.Open(model, new ScoringOptions { Device = ComputeDevice.Cpu, Precision = ScoringPrecision.Float16 });
        Assert.That((exact.Precision, half.Precision), Is.EqualTo(("float32", "float16")));
        var differences = new List<double>();
        foreach (var sample in TestSamples.Many(seed: 3, count: 12, maximumLength: 60, model.Config.VocabularySize))
        {
            float[] expected = exact.Score(sample), actual = half.Score(sample);
            differences.AddRange(expected.Zip(actual).Where(static pair => !float.IsNaN(pair.First)).Select(static pair => (double)Math.Abs(pair.First - pair.Second)));
            Assert.That(actual.Select(float.IsNaN), Is.EqualTo(expected.Select(float.IsNaN)));
        }

        TestContext.Out.WriteLine($"{kind}: mean {differences.Average():0.0000}, largest {differences.Max():0.0000}");
        Assert.That(differences.Max(), Is.LessThan(Largest));
        Assert.That(differences.Max(), Is.GreaterThan(0), "The 16-bit graph computed in float32.");
    }

    [Test]
    public void Several_models_share_their_trunk_in_16_bits_too()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        using var probe = TestModels.Changed(_folder, model, firstTuned: 2);
        var options = new ScoringOptions { Device = ComputeDevice.Cpu, Precision = ScoringPrecision.Float16 };
        using var both = ScoringSession.Open([model, probe], options);
        using var alone = ScoringSession.Open(probe, options);
        var sample = TestSamples.Random(new SeededRandom(8), "one", 40, model.Config.VocabularySize);
        Assert.That(both.SharedLayers, Is.EqualTo(2));

        // The runtime rounds to 16 bits in other places of a graph that branches; a wrong branch is off by more than 0.1.
        Assert.That(both.ScoreAll(sample)[1], Is.EqualTo(alone.Score(sample)).Within((float)Largest));
    }

    [TestCase(DataType.Float16)]
    [TestCase(DataType.Bfloat16)]
    public void The_head_the_softmax_and_the_losses_are_float32(object format)
    {
        var type = (DataType)format;
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen3"], TensorDtype.BFloat16);
        var graph = Graph(model, type);
        Assert.That(graph.Graph.Output.Single().Type.TensorType.ElemType, Is.EqualTo((int)DataType.Float));
        var nodes = graph.Graph.Node.Concat(graph.Graph.Node.SelectMany(static node => node.Attribute).Where(static a => a.G is not null).SelectMany(static a => a.G.Node))
            .ToDictionary(static node => node.Output[0]);
        var softmax = nodes.Values.Single(static node => node.OpType == "LogSoftmax");
        var product = nodes[softmax.Input[0]];
        Assert.That(product.OpType, Is.EqualTo("Gemm"));
        foreach (string input in product.Input)
        {
            var cast = nodes[input];
            Assert.That((cast.OpType, cast.Attribute.Single().I), Is.EqualTo(("Cast", (long)DataType.Float)), input);
        }

        // And the layers are not: their weights come as they are stored, or as a cast to the format computed in.
        var linear = nodes.Values.First(static node => node.OpType == "Gemm" && node.Name.Contains("mlp/up", StringComparison.Ordinal));
        string weight = linear.Input[1];
        var actual = nodes.TryGetValue(weight, out var conversion)
            ? (DataType)conversion.Attribute.Single().I
            : (DataType)graph.Graph.Initializer.Single(tensor => tensor.Name == weight).DataType;
        Assert.That(actual, Is.EqualTo(type));
    }

    [Test]
    public void A_bfloat16_graph_is_that_of_float16_but_for_the_format()
    {
        // The CPU has no attention of bfloat16: what it runs in float16 stands for it, node by node.
        using var model = TestModels.Create(_folder, TestModels.Kinds["mistral with a window"]);
        var half = Graph(model, DataType.Float16);
        var brain = Graph(model, DataType.Bfloat16);
        foreach (var cast in brain.Graph.Node.Where(static node => node.OpType == "Cast").Select(static node => node.Attribute.Single()).Where(static to => to.I == (long)DataType.Bfloat16))
            cast.I = (long)DataType.Float16;
        Assert.That(brain, Is.EqualTo(half));
    }

    [Test]
    public void Values_bound_to_the_device_give_the_same_losses()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        using var probe = TestModels.Changed(_folder, model, firstTuned: 1);
        using var plain = ScoringSession.Open([model, probe], new ScoringOptions { Device = ComputeDevice.Cpu });
        using var bound = ScoringSession.Open([model, probe], new ScoringOptions { Device = ComputeDevice.Cpu, BindValues = true });
        foreach (var sample in TestSamples.Many(seed: 4, count: 10, maximumLength: 50, model.Config.VocabularySize))
        {
            float[][] expected = plain.ScoreAll(sample), actual = bound.ScoreAll(sample);
            for (int i = 0; i < 2; i++) Assert.That(actual[i], Is.EqualTo(expected[i]));
        }
    }

    private static ModelProto Graph(ModelFolder model, DataType type)
    {
        var trunk = SharedTrunk.Of(model);
        var files = WeightFiles.Resolve(model);
        return ModelProto.Parser.ParseFrom(
            ScoringGraph.BuildPadded(trunk, (builder, index) => new DecoderWeights(builder, trunk, index, files.PlaceOf, type)).ToByteArray());
    }
}
