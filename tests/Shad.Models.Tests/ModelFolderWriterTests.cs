using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests;

public sealed class ModelFolderWriterTests
{
    private static readonly InitializationOptions Options = new();

    private TemporaryFolder _folder = null!;

    private string Model => _folder.File("model");

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void A_folder_that_holds_something_is_not_written_over()
    {
        ModelInitializer.Write(Model, Configs.Llama);
        Refusal.Of(() => ModelInitializer.Write(Model, Configs.Mistral), "model.folder_exists", Model);
        using ModelFolder model = ModelFolder.Open(Model);
        Assert.That(model.Config.ModelType, Is.EqualTo("llama"));
    }

    [Test]
    public void An_empty_folder_is_filled()
    {
        Directory.CreateDirectory(Model);
        ModelInitializer.Write(Model + "/", Configs.Llama);
        ModelFolder.Open(Model).Dispose();
        OnlyTheModelIsThere();
    }

    [Test]
    public void A_folder_to_be_replaced_is_replaced_whole()
    {
        ModelInitializer.Write(Model, Configs.Llama);
        File.WriteAllText(Path.Combine(Model, "stale.txt"), "of the old model");

        ModelFolderWriter.Write(Model, Configs.Qwen3, ModelInitializer.Tensors(Configs.Qwen3, Options), TensorDtype.Float32, replace: true);

        using ModelFolder model = ModelFolder.Open(Model);
        Assert.That(model.Config.ModelType, Is.EqualTo("qwen3"));
        Assert.That(File.Exists(Path.Combine(Model, "stale.txt")), Is.False);
        OnlyTheModelIsThere();
    }

    [Test]
    public void A_write_that_fails_leaves_the_old_model()
    {
        ModelInitializer.Write(Model, Configs.Llama);
        byte[] before = File.ReadAllBytes(Path.Combine(Model, ModelWeights.FileName));
        IEnumerable<TensorToWrite> failing = ModelInitializer.Tensors(Configs.Llama, Options with { Seed = 2 }).Select(static tensor =>
            tensor.Name == TensorNames.FinalNorm ? tensor with { WriteBytes = static _ => throw new IOException("No space left on device") } : tensor);

        Refusal.Of(
            () => ModelFolderWriter.Write(Model, Configs.Llama, failing, TensorDtype.Float32, replace: true), "model.cannot_write", "No space left");

        Assert.That(File.ReadAllBytes(Path.Combine(Model, ModelWeights.FileName)), Is.EqualTo(before));
        OnlyTheModelIsThere();
    }

    [Test]
    public void Tensors_that_do_not_fit_the_config_are_refused_before_anything_is_written()
    {
        Refusal.Of(
            () => ModelFolderWriter.Write(Model, Configs.Llama with { LayerCount = 3 }, ModelInitializer.Tensors(Configs.Llama, Options), TensorDtype.Float32),
            "model.layout_mismatch", "9 tensors missing");
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.Empty);
    }

    [Test]
    public void A_file_in_the_place_of_the_folder_is_refused()
    {
        File.WriteAllText(Model, "a file");
        Refusal.Of(() => ModelInitializer.Write(Model, Configs.Llama), "model.folder_exists", Model);
    }

    private void OnlyTheModelIsThere() => Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.EqualTo(new[] { Model }));
}
