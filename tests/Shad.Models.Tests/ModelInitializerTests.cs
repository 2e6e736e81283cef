using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests;

public sealed class ModelInitializerTests
{
    private static readonly DecoderConfig Config = Configs.Qwen2 with { HiddenSize = 96, IntermediateSize = 192, HeadSize = 16, LayerCount = 8, SlidingWindow = null, SlidingWindowLayers = null };

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [TestCaseSource(typeof(Configs), nameof(Configs.OneOfEachFamily))]
    public void An_initialized_model_opens_with_the_config_it_was_made_from(DecoderConfig config)
    {
        string path = _folder.File("model");
        ModelInitializer.Write(path, config, new InitializationOptions { Dtype = TensorDtype.BFloat16 });

        using ModelFolder model = ModelFolder.Open(path);

        Assert.That(model.Config, Is.EqualTo(config).UsingPropertiesComparer());
        Assert.That(model.Weights.Tensors.Keys, Is.EquivalentTo(TensorLayout.Expected(config).Select(static tensor => tensor.Name)));
        Assert.That(model.Weights.Tensors.Values.Select(static tensor => tensor.Dtype), Is.All.EqualTo(TensorDtype.BFloat16));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.EqualTo(new[] { path }), "Nothing temporary is left.");
    }

    [Test]
    public void Matrices_have_the_stated_deviation_and_residual_projections_a_smaller_one()
    {
        using ModelFolder model = Write("model", new InitializationOptions());
        LayerTensorNames layer = TensorNames.Layer(3);

        // The standard error of a deviation from n normal values is σ/√(2n); 5 of them at the smallest matrix (96 × 48) are 5.2 %.
        Assert.Multiple(() =>
        {
            Assert.That(Deviation(layer.Query.Weight), Is.EqualTo(0.02).Within(5.2).Percent);
            Assert.That(Deviation(layer.Key.Weight), Is.EqualTo(0.02).Within(5.2).Percent);
            Assert.That(Deviation(layer.Up.Weight), Is.EqualTo(0.02).Within(5.2).Percent);
            Assert.That(Deviation(TensorNames.Embedding), Is.EqualTo(0.02).Within(5.2).Percent);
            Assert.That(Deviation(layer.Output.Weight), Is.EqualTo(0.02 / 4).Within(5.2).Percent, "1/√(2·8)");
            Assert.That(Deviation(layer.Down.Weight), Is.EqualTo(0.02 / 4).Within(5.2).Percent);
            Assert.That(model.Weights.ReadFloat32(layer.InputNorm), Is.All.EqualTo(1f));
            Assert.That(model.Weights.ReadFloat32(layer.Query.Bias), Is.All.EqualTo(0f));
        });

        double Deviation(string name) => Math.Sqrt(model.Weights.ReadFloat32(name).Average(static value => (double)value * value));
    }

    [Test]
    public void Norms_and_biases_are_random_on_request()
    {
        using ModelFolder model = Write("model", new InitializationOptions { NormDeviation = 0.1, BiasDeviation = 0.5 });
        LayerTensorNames layer = TensorNames.Layer(0);
        Assert.That(model.Weights.ReadFloat32(layer.InputNorm).Distinct().Count(), Is.GreaterThan(90));
        Assert.That(model.Weights.ReadFloat32(layer.InputNorm).Average(), Is.EqualTo(1).Within(0.06));
        Assert.That(model.Weights.ReadFloat32(layer.Key.Bias).Distinct().Count(), Is.GreaterThan(40));
    }

    [Test]
    public void The_same_seed_gives_the_same_bytes_and_another_seed_others()
    {
        byte[] first = BytesOf("first", seed: 7), again = BytesOf("again", seed: 7), other = BytesOf("other", seed: 8);
        Assert.That(again, Is.EqualTo(first));
        Assert.That(other, Is.Not.EqualTo(first));
    }

    [Test]
    public void No_two_tensors_are_alike()
    {
        using ModelFolder model = Write("model", new InitializationOptions());
        Assert.That(
            model.Weights.ReadFloat32(TensorNames.Layer(0).Query.Weight), Is.Not.EqualTo(model.Weights.ReadFloat32(TensorNames.Layer(1).Query.Weight)));
    }

    private ModelFolder Write(string name, InitializationOptions options)
    {
        ModelInitializer.Write(_folder.File(name), Config, options);
        return ModelFolder.Open(_folder.File(name));
    }

    private byte[] BytesOf(string name, ulong seed)
    {
        ModelInitializer.Write(_folder.File(name), Config, new InitializationOptions { Seed = seed });
        return File.ReadAllBytes(_folder.File(name, ModelWeights.FileName));
    }
}
