using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests;

public sealed class ModelFolderTests
{
    private TemporaryFolder _folder = null!;

    private string Model => _folder.File("model");

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

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

    [Test]
    public void A_real_model_written_again_holds_the_same_bytes()
    {
        using ModelFolder model = ModelFolder.Open(SharedData.Stories260K);
        ModelFolderWriter.Write(
            Model, model.Config, model.Weights.Tensors.Keys.Select(name => TensorToWrite.CopyOf(model.Weights, name)),
            model.Weights.MainDtype, companionsFrom: model.Path);

        using ModelFolder again = ModelFolder.Open(Model);
        Assert.That(again.Config, Is.EqualTo(model.Config).UsingPropertiesComparer());
        foreach (string name in model.Weights.Tensors.Keys)
            Assert.That(again.Weights.AsSpan(name).SequenceEqual(model.Weights.AsSpan(name)), name);
        Assert.That(File.ReadAllBytes(Path.Combine(Model, "tokenizer.json")), Is.EqualTo(File.ReadAllBytes(Path.Combine(model.Path, "tokenizer.json"))));
        Assert.That(File.Exists(Path.Combine(Model, "README.md")), Is.False, "Only what the model needs is copied.");
    }

    [Test]
    public void A_missing_folder_is_refused() =>
        Refusal.Of(() => ModelFolder.Open(Model), "model.missing_folder", Model);

    [Test]
    public void A_missing_config_is_refused()
    {
        Directory.CreateDirectory(Model);
        Refusal.Of(() => ModelFolder.Open(Model), "model.missing_file", "config.json");
    }

    [Test]
    public void Missing_weights_are_refused()
    {
        ModelInitializer.Write(Model, Configs.Llama);
        File.Delete(Path.Combine(Model, ModelWeights.FileName));
        Refusal.Of(() => ModelFolder.Open(Model), "model.missing_file", ModelWeights.FileName);
    }

    [Test]
    public void An_unsupported_model_is_told_as_such_even_without_weights()
    {
        Directory.CreateDirectory(Model);
        File.WriteAllText(Path.Combine(Model, "config.json"), """{"model_type":"gpt_neox","architectures":["GPTNeoXForCausalLM"]}""");
        Refusal.Of(() => ModelFolder.Open(Model), "model.architecture_unsupported", "'gpt_neox'", "qwen2");
    }

    [Test]
    public void A_cut_weights_file_is_refused()
    {
        ModelInitializer.Write(Model, Configs.Llama);
        string path = Path.Combine(Model, ModelWeights.FileName);
        using (FileStream stream = File.OpenWrite(path)) stream.SetLength(stream.Length - 1);
        Refusal.Of(() => ModelFolder.Open(Model), "model.safetensors_out_of_range", ModelWeights.FileName);
    }

    [Test]
    public void Weights_of_another_config_are_refused()
    {
        ModelInitializer.Write(Model, Configs.Llama);
        DecoderConfigWriter.Write(Path.Combine(Model, "config.json"), Configs.Llama with { IntermediateSize = 40 }, TensorDtype.Float32);
        Refusal.Of(() => ModelFolder.Open(Model), "model.layout_mismatch", "6 tensors of wrong shape", "[36, 24] instead of [40, 24]");
    }

    [Test]
    public void An_untied_head_is_found_in_the_weights_though_the_config_says_tied()
    {
        ModelInitializer.Write(Model, Configs.Llama with { TiedHead = false });
        string config = Path.Combine(Model, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", StringComparison.Ordinal));

        using ModelFolder model = ModelFolder.Open(Model);
        Assert.That(model.Config.TiedHead, Is.False);
    }

    [Test]
    public void A_head_neither_present_nor_tied_is_refused()
    {
        ModelInitializer.Write(Model, Configs.Llama);
        string config = Path.Combine(Model, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false", StringComparison.Ordinal));
        Refusal.Of(() => ModelFolder.Open(Model), "model.head_missing", "lm_head.weight");
    }

    [Test]
    public void A_sharded_model_opens_like_a_whole_one()
    {
        ModelInitializer.Write(_folder.File("whole"), Configs.Mistral);
        using ModelFolder whole = ModelFolder.Open(_folder.File("whole"));
        string[] names = [.. whole.Weights.Tensors.Keys];
        string[][] shards = [.. names.Chunk(7)];
        for (int i = 0; i < shards.Length; i++)
            SafetensorsWriter.Write(Path.Combine(Model, $"model-{i}.safetensors"), shards[i].Select(name => TensorToWrite.CopyOf(whole.Weights, name)));
        IEnumerable<string> map = shards.SelectMany(static (shard, i) => shard.Select(name => $"\"{name}\":\"model-{i}.safetensors\""));
        File.WriteAllText(Path.Combine(Model, ModelWeights.IndexFileName), "{\"weight_map\":{" + string.Join(",", map) + "}}");
        File.Copy(Path.Combine(whole.Path, "config.json"), Path.Combine(Model, "config.json"));

        using ModelFolder sharded = ModelFolder.Open(Model);

        Assert.That(sharded.Config, Is.EqualTo(whole.Config).UsingPropertiesComparer());
        foreach (string name in names) Assert.That(sharded.Weights.AsSpan(name).SequenceEqual(whole.Weights.AsSpan(name)), name);
    }

    [Test]
    public void Companions_that_are_there_are_copied_and_others_left()
    {
        string from = _folder.File("from"), to = _folder.File("to");
        Directory.CreateDirectory(from);
        foreach (string name in new[] { "tokenizer.json", "generation_config.json", "chat_template.jinja", "config.json", "notes.txt" })
            File.WriteAllText(Path.Combine(from, name), name);

        ModelFolder.CopyCompanions(from, to);

        Assert.That(
            Directory.GetFiles(to).Select(Path.GetFileName), Is.EquivalentTo(new[] { "tokenizer.json", "generation_config.json", "chat_template.jinja" }));
    }
}
