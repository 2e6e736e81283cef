using System.Text.Json.Nodes;
using Shad.Core.Randomness;
using Shad.Models.Adapters;
using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Adapters;

public sealed class AdapterFolderTests
{
    private TemporaryFolder _folder = null!;

    private string Adapter => _folder.File("adapter");

    private string ConfigPath => Path.Combine(Adapter, "adapter_config.json");

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    /// <summary>Every field that PEFT 0.19 writes for a plain LoRA.</summary>
    private static JsonObject PeftConfig() => JsonNode.Parse(
        """
        {
          "alora_invocation_tokens": null, "alpha_pattern": {}, "arrow_config": null, "auto_mapping": null,
          "base_model_name_or_path": "some/model", "bias": "none", "corda_config": null, "ensure_weight_tying": false, "eva_config": null,
          "exclude_modules": null, "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "layer_replication": null,
          "layers_pattern": null, "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 6, "lora_bias": false,
          "lora_dropout": 0.05, "lora_ga_config": null, "megatron_config": null, "megatron_core": "megatron.core", "modules_to_save": null,
          "peft_type": "LORA", "peft_version": "0.19.1", "qalora_group_size": 16, "r": 2, "rank_pattern": {}, "revision": null,
          "target_modules": ["v_proj", "q_proj"], "target_parameters": null, "task_type": "CAUSAL_LM", "trainable_token_indices": null,
          "use_bdlora": null, "use_dora": false, "use_qalora": false, "use_rslora": false
        }
        """)!.AsObject();

    private void Write(JsonObject config, IEnumerable<TensorToWrite> tensors)
    {
        Directory.CreateDirectory(Adapter);
        File.WriteAllText(ConfigPath, config.ToJsonString());
        SafetensorsWriter.Write(Path.Combine(Adapter, "adapter_model.safetensors"), tensors);
    }

    private static TensorToWrite Tensor(string name, params long[] shape)
    {
        var random = new SeededRandom((ulong)name.Length * 31 + (ulong)shape[0]);
        var values = new float[shape.Aggregate(1L, static (product, size) => product * size)];
        for (int i = 0; i < values.Length; i++) values[i] = (float)random.NextGaussian();
        return TensorToWrite.FromFloat32(name, TensorDtype.Float32, shape, () => values);
    }

    /// <summary>A and B of query and value of both layers of <see cref="Configs.Llama"/>, by names written out.</summary>
    private static IEnumerable<TensorToWrite> QueryAndValue()
    {
        for (int i = 0; i < 2; i++)
        {
            yield return Tensor($"base_model.model.model.layers.{i}.self_attn.q_proj.lora_A.weight", 2, 24);
            yield return Tensor($"base_model.model.model.layers.{i}.self_attn.q_proj.lora_B.weight", 24, 2);
            yield return Tensor($"base_model.model.model.layers.{i}.self_attn.v_proj.lora_A.weight", 2, 24);
            yield return Tensor($"base_model.model.model.layers.{i}.self_attn.v_proj.lora_B.weight", 12, 2);
        }
    }

    [Test]
    public void An_adapter_of_PEFT_opens()
    {
        Write(PeftConfig(), QueryAndValue());
        using var adapter = AdapterFolder.Open(Adapter, Configs.Llama);
        Assert.Multiple(() =>
        {
            Assert.That(adapter.Config.Rank, Is.EqualTo(2));
            Assert.That(adapter.Config.Scale, Is.EqualTo(3));
            Assert.That(adapter.Config.Targets, Is.EqualTo(new[] { "q_proj", "v_proj" }));
            Assert.That(adapter.Config.Layers, Is.Null);
            Assert.That(adapter.AdaptedWeights, Has.Count.EqualTo(4));
            Assert.That((adapter.Config with { RankStabilized = true }).Scale, Is.EqualTo(6 / Math.Sqrt(2)));
        });
    }

    [Test]
    public void What_is_written_reads_back()
    {
        Write(PeftConfig(), QueryAndValue().Where(static tensor => tensor.Name.Contains("layers.1", StringComparison.Ordinal)));
        string copy = _folder.File("copy");
        using var adapter = AdapterFolder.Open(Adapter, Configs.Llama);
        AdapterFolder.Write(copy, adapter, Configs.Llama);
        using var again = AdapterFolder.Open(copy, Configs.Llama);
        Assert.That(again.Config, Is.EqualTo(adapter.Config with { Targets = again.Config.Targets, Layers = again.Config.Layers }));
        Assert.That(again.Config.Targets, Is.EqualTo(adapter.Config.Targets));
        Assert.That(again.Config.Layers, Is.EqualTo(new[] { 1 }));
        foreach (string weight in adapter.AdaptedWeights)
        {
            Assert.That(again.ReadDown(weight), Is.EqualTo(adapter.ReadDown(weight)));
            Assert.That(again.ReadUp(weight), Is.EqualTo(adapter.ReadUp(weight)));
        }
    }

    [TestCase("use_dora", "true")]
    [TestCase("lora_bias", "true")]
    [TestCase("bias", "\"all\"")]
    [TestCase("fan_in_fan_out", "true")]
    [TestCase("modules_to_save", "[\"lm_head\"]")]
    [TestCase("rank_pattern", "{\"q_proj\": 4}")]
    [TestCase("alpha_pattern", "{\"q_proj\": 4}")]
    [TestCase("layer_replication", "[[0, 2]]")]
    [TestCase("init_lora_weights", "\"pissa\"")]
    [TestCase("trainable_token_indices", "[1, 2]")]
    [TestCase("target_parameters", "[\"experts\"]")]
    [TestCase("use_qalora", "true")]
    [TestCase("a_feature_of_tomorrow", "3")]
    [TestCase("peft_type", "\"ADALORA\"")]
    public void A_feature_that_is_not_known_is_refused_by_name(string field, string value)
    {
        var config = PeftConfig();
        config[field] = JsonNode.Parse(value);
        Write(config, QueryAndValue());
        Refusal.Of(() => AdapterFolder.Open(Adapter, Configs.Llama), "adapter.feature_unsupported", $"'{field}'", ConfigPath, "merge_and_unload");
    }

    [TestCase("init_lora_weights", "\"gaussian\"")]
    [TestCase("init_lora_weights", "false")]
    [TestCase("layers_to_transform", "[0, 1]")]
    [TestCase("target_modules", "\"all-linear\"")]
    [TestCase("a_feature_of_tomorrow", "false")]
    public void What_changes_nothing_is_accepted(string field, string value)
    {
        var config = PeftConfig();
        config[field] = JsonNode.Parse(value);
        Write(config, QueryAndValue());
        AdapterFolder.Open(Adapter, Configs.Llama).Dispose();
    }

    [Test]
    public void An_adapter_that_does_not_fit_the_model_is_refused()
    {
        Write(PeftConfig(), QueryAndValue());
        Refusal.Of(
            () => AdapterFolder.Open(Adapter, Configs.Llama with { LayerCount = 1 }), "adapter.tensor_unknown", "layers.1.self_attn.q_proj");
        Refusal.Of(
            () => AdapterFolder.Open(Adapter, Configs.Llama with { HiddenSize = 20 }), "adapter.shape", "[2, 24]", "[2, 20]");
        Write(PeftConfig(), QueryAndValue().Skip(1));
        Refusal.Of(() => AdapterFolder.Open(Adapter, Configs.Llama), "adapter.tensor_missing", "layers.0.self_attn.q_proj.lora_A.weight");
        Write(PeftConfig(), QueryAndValue().Append(Tensor("base_model.model.lm_head.lora_A.weight", 2, 24)));
        Refusal.Of(() => AdapterFolder.Open(Adapter, Configs.Llama), "adapter.tensor_unknown", "lm_head");
        Write(PeftConfig(), []);
        Refusal.Of(() => AdapterFolder.Open(Adapter, Configs.Llama), "adapter.empty");
        Refusal.Of(() => AdapterFolder.Open(_folder.File("none"), Configs.Llama), "adapter.missing_folder");
        File.Delete(ConfigPath);
        Refusal.Of(() => AdapterFolder.Open(Adapter, Configs.Llama), "model.missing_file", ConfigPath);
    }

    [Test]
    public void Merging_adds_the_scaled_product_and_leaves_the_rest_bit_for_bit([Values] TensorDtype stored)
    {
        string model = _folder.File("model"), merged = _folder.File("merged");
        ModelInitializer.Write(model, Configs.Llama, new InitializationOptions { Dtype = stored });
        Write(PeftConfig(), QueryAndValue());
        using var before = ModelFolder.Open(model);
        using var adapter = AdapterFolder.Open(Adapter, before.Config);
        ModelFolderWriter.Write(merged, before.Config, AdapterMerge.Tensors(before, adapter, stored), stored);
        using var after = ModelFolder.Open(merged);
        foreach (string name in before.Weights.Tensors.Keys)
        {
            if (!adapter.AdaptedWeights.Contains(name))
            {
                Assert.That(after.Weights.AsSpan(name).SequenceEqual(before.Weights.AsSpan(name)), Is.True, name);
                continue;
            }

            float[] w = before.Weights.ReadFloat32(name), a = adapter.ReadDown(name), b = adapter.ReadUp(name), actual = after.Weights.ReadFloat32(name);
            for (int row = 0; row < w.Length / 24; row++)
            {
                for (int column = 0; column < 24; column++)
                {
                    double expected = w[row * 24 + column]
                        + 3.0 * ((double)b[row * 2] * a[column] + (double)b[row * 2 + 1] * a[24 + column]);
                    // A few float32 roundings of terms below 50, and the rounding to the stored format: 8 or 11 bits of the value.
                    double bits = stored switch { TensorDtype.BFloat16 => 1.0 / 256, TensorDtype.Float16 => 1.0 / 2048, _ => 0 };
                    Assert.That(actual[row * 24 + column], Is.EqualTo(expected).Within(2e-5 + bits * Math.Abs(expected)), $"{name}[{row},{column}]");
                }
            }
        }
    }
}
