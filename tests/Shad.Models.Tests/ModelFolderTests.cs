using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests;

public sealed class ModelFolderTests
{
    [Test]
    public void A_real_model_folder_opens_with_its_config_and_weights()
    {
        using ModelFolder model = ModelFolder.Open(SharedData.Stories260K);

        Assert.Multiple(() =>
        {
            Assert.That(model.Config.ModelType, Is.EqualTo("llama"));
            Assert.That(model.Config.HiddenSize, Is.EqualTo(64));
            Assert.That(model.Config.IntermediateSize, Is.EqualTo(172));
            Assert.That(model.Config.LayerCount, Is.EqualTo(5));
            Assert.That(model.Config.AttentionHeads, Is.EqualTo(8));
            Assert.That(model.Config.KeyValueHeads, Is.EqualTo(4));
            Assert.That(model.Config.HeadSize, Is.EqualTo(8));
            Assert.That(model.Config.VocabularySize, Is.EqualTo(512));
            Assert.That(model.Config.TiedHead, Is.True);
            Assert.That(model.Weights.Tensors, Has.Count.EqualTo(47));
            Assert.That(model.Weights.MainDtype, Is.EqualTo(TensorDtype.Float32));
        });
        // The trained norm weights of a working model are finite, positive on average and not all alike.
        float[] norm = model.Weights.ReadFloat32(TensorNames.FinalNorm);
        Assert.That(norm, Has.Length.EqualTo(64).And.All.Matches<float>(float.IsFinite));
        Assert.That(norm.Average(), Is.GreaterThan(0.1f));
        Assert.That(norm.Distinct().Count(), Is.GreaterThan(32));
    }

    [TestCaseSource(typeof(Configs), nameof(Configs.OneOfEachFamily))]
    public void An_initialized_model_opens_again_with_the_config_it_was_made_from(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        ModelInitializer.Write(folder.File("model"), config, new InitializationOptions { Dtype = TensorDtype.BFloat16 });

        using ModelFolder model = ModelFolder.Open(folder.File("model"));

        Assert.That(model.Config, Is.EqualTo(config).UsingPropertiesComparer());
        Assert.That(model.Weights.Tensors.Keys, Is.EquivalentTo(TensorLayout.Expected(config).Select(static tensor => tensor.Name)));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.EqualTo(new[] { folder.File("model") }), "Nothing temporary is left.");
    }
}
