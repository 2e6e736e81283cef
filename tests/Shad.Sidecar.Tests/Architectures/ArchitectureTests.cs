using System.Text.Json;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Models;
using Shad.Models.Adapters;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Objectives;
using Shad.Sidecar.Tuning;
using Shad.Tests.Architectures;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests.Architectures;

/// <summary>Every architecture in the trainer against a second implementation that reads the config by itself.</summary>
public sealed class ArchitectureTests
{
    // As in the scoring graphs' tests: float32 against double with logits of magnitude up to about 30.
    private const double Tolerance = 1e-4;

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    private static IEnumerable<TestCaseData> Models() => ArchitectureModels.Names.Select(static name => new TestCaseData(name).SetArgDisplayNames(name));

    [TestCaseSource(nameof(Models))]
    public void Losses_are_those_of_the_second_implementation(string name)
    {
        using var model = Create(name);
        var samples = Samples(6, longest: 40);
        var reference = ArchitectureModels.Reference(name, model);
        float[][] losses = Losses(model, samples);
        double worst = 0;
        for (int s = 0; s < samples.Count; s++)
        {
            double[] expected = reference.Losses(samples[s].InputIds);
            for (int i = 1; i < expected.Length; i++) worst = Math.Max(worst, Math.Abs(expected[i] - losses[s][i]));
        }

        TestContext.Out.WriteLine($"largest difference {worst:e2} nats");
        Assert.That(worst, Is.LessThan(Tolerance));
    }

    [Test]
    public void Long_rotation_has_other_frequencies_beyond_the_original_context()
    {
        const string Name = "phi3, longrope";
        using var model = Create(Name);
        Assert.That(model.Config.LengthBoundaries, Is.EqualTo([64]));
        var samples = Samples(12, longest: 90, shortest: 50);
        samples.AddRange([.. Samples(1, longest: 64, shortest: 64), .. Samples(1, longest: 65, shortest: 65)]);
        var reference = ArchitectureModels.Reference(Name, model);
        float[][] losses = Losses(model, samples);
        for (int s = 0; s < samples.Count; s++)
        {
            double[] expected = reference.Losses(samples[s].InputIds);
            for (int i = 1; i < expected.Length; i++) Assert.That(losses[s][i], Is.EqualTo(expected[i]).Within(Tolerance), $"sample of {samples[s].Length}, token {i}");
        }
    }

    /// <summary>Two values of every tensor against central differences of the second implementation.</summary>
    [TestCaseSource(nameof(Models))]
    public void The_gradient_is_that_of_the_second_implementation(string name)
    {
        using var model = Create(name);
        TokenizedSample[] samples = [Samples(1, longest: 12, shortest: 12)[0]];
        using var parameters = Parameters(model, TunedPart.All);
        using var decoder = new TorchDecoder(parameters, CPU);
        using var optimizer = new AdamW(parameters, new AdamWOptions());
        float[] coefficients = Accumulate(recompute: false);
        float[] plain = parameters.Gradient.data<float>().ToArray();
        Accumulate(recompute: true);
        Assert.That(parameters.Gradient.data<float>().ToArray(), Is.EqualTo(plain), "recomputed layers give the same gradient");

        var reference = ArchitectureModels.Reference(name, model);
        var random = new SeededRandom(17);
        foreach (var block in parameters.Blocks)
        {
            float[] gradient = block.Gradient!.reshape(-1).data<float>().ToArray();
            double scale = gradient.Max(Math.Abs);
            Assert.That(scale, Is.GreaterThan(0), $"{block.Parts[0].Name} has no gradient");
            int offset = 0;
            foreach (var part in block.Parts)
            {
                double[] weights = reference[part.Name];
                for (int k = 0; k < 2; k++)
                {
                    int i = random.NextInt32(weights.Length);
                    int at = part.IsTransposed ? i % (int)part.Shape[0] * (int)part.Shape[1] + i / (int)part.Shape[0] : i;
                    double value = weights[i], expected = 0;
                    const double h = 1e-5;
                    foreach (int side in (int[])[1, -1])
                    {
                        weights[i] = value + side * h;
                        double[] losses = reference.Losses(samples[0].InputIds);
                        for (int t = 1; t < losses.Length; t++) expected += side * coefficients[t - 1] * losses[t] / (2 * h);
                    }

                    weights[i] = value;

                    // As in TrainerTests: sums of a few hundred float32 terms, times the depth of the graph.
                    Assert.That(gradient[offset + at], Is.EqualTo(expected).Within(3e-4 * scale + 1e-7), $"{part.Name}[{i}]");
                }

                offset += weights.Length;
            }
        }

        float[] Accumulate(bool recompute)
        {
            var trainer = new Trainer(
                decoder, optimizer, new SftObjective(), new TrainerOptions { TokensPerBatch = 100, RecomputeLayers = recompute }, CPU);
            return trainer.Accumulate(samples, default).Weighting.Coefficients;
        }
    }

    [TestCaseSource(nameof(Models))]
    public void A_tune_of_the_last_layer_is_saved_with_the_original_names_shapes_and_dtypes(string name)
    {
        string path = _folder.File($"model-{Guid.NewGuid():N}");
        ArchitectureModels.Write(name, path, TensorDtype.BFloat16);
        var job = Job(path) with { LastLayers = 1 };
        var (exitCode, events) = SidecarHarness.Tune(_folder, job);
        Assert.That(exitCode, Is.Zero, string.Join('\n', events));
        using var before = ModelFolder.Open(path);
        using var after = ModelFolder.Open(job.Output);
        Assert.That(after.Config, Is.EqualTo(before.Config).UsingPropertiesComparer());
        Assert.That(
            after.Weights.Tensors.Values.Select(static t => (t.Name, t.Dtype, string.Join(',', t.Shape))),
            Is.EquivalentTo(before.Weights.Tensors.Values.Select(static t => (t.Name, t.Dtype, string.Join(',', t.Shape)))));
        string last = before.Config.Naming.PrefixOf(before.Config.LayerCount - 1);
        foreach (string tensor in before.Weights.Tensors.Keys)
        {
            bool tuned = tensor.StartsWith(last, StringComparison.Ordinal)
                || tensor.StartsWith(before.Config.Naming.FinalNorm + ".", StringComparison.Ordinal) || tensor == before.Config.Naming.Head;
            Assert.That(
                before.Weights.AsSpan(tensor).SequenceEqual(after.Weights.AsSpan(tensor)), tuned ? Is.False : Is.True, tensor);
        }

        // What was tuned is what is saved: the losses that the tune reports of its own weights are those of the folder.
        var sample = Samples(1, longest: 20)[0];
        double[] expected = ArchitectureModels.Reference(name, after).Losses(sample.InputIds);
        float[] actual = Losses(after, [sample])[0];
        for (int i = 1; i < expected.Length; i++) Assert.That(actual[i], Is.EqualTo(expected[i]).Within(Tolerance));
    }

    [TestCaseSource(nameof(Models))]
    public void An_adapter_has_the_architectures_own_modules_and_its_merge_scores_as_the_model_with_it(string name)
    {
        string path = _folder.File($"model-{Guid.NewGuid():N}");
        ArchitectureModels.Write(name, path);
        var job = Job(path) with { Lora = new LoraSettings { Rank = 3 } };
        var (exitCode, events) = SidecarHarness.Tune(_folder, job);
        Assert.That(exitCode, Is.Zero, string.Join('\n', events));

        using var model = ModelFolder.Open(path);
        using var merged = ModelFolder.Open(job.Output);
        string folder = Path.Combine(job.Output, "adapter");
        string[] modules = Modules(model.Config.ModelType);
        using (var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json"))))
        {
            Assert.That(config.RootElement.GetProperty("target_modules").EnumerateArray().Select(static item => item.GetString()), Is.EquivalentTo(modules));
            Assert.That(config.RootElement.GetProperty("fan_in_fan_out").GetBoolean(), Is.EqualTo(model.Config.ModelType == "gpt2"));
        }

        using (var file = SafetensorsFile.Open(Path.Combine(folder, "adapter_model.safetensors")))
        {
            // PEFT's names: base_model.model. before the module's path, lora_A and lora_B behind it.
            string[] linears = [.. model.Weights.Tensors.Keys.Where(tensor => modules.Any(module => tensor.EndsWith($".{module}.weight", StringComparison.Ordinal)))];
            Assert.That(file.Tensors.Keys, Is.EquivalentTo(linears.SelectMany(static tensor => (string[])[
                $"base_model.model.{tensor[..^7]}.lora_A.weight", $"base_model.model.{tensor[..^7]}.lora_B.weight"])));
        }

        using var adapter = AdapterFolder.Open(folder, model.Config);
        using var parameters = Parameters(model, TunedPart.Of(adapter.Config));
        parameters.BeginAdapters(adapter);
        using var decoder = new TorchDecoder(parameters, CPU);
        var samples = Samples(3, longest: 25, seed: 77);
        float[][] unmerged = SampleLosses.Of(decoder, samples, 100, CPU, default);
        var reference = ArchitectureModels.Reference(name, merged);
        var untuned = ArchitectureModels.Reference(name, model);
        double moved = 0;
        for (int s = 0; s < samples.Count; s++)
        {
            double[] expected = reference.Losses(samples[s].InputIds), start = untuned.Losses(samples[s].InputIds);
            for (int i = 1; i < expected.Length; i++)
            {
                Assert.That(unmerged[s][i], Is.EqualTo(expected[i]).Within(Tolerance), $"sample {s}, token {i}");
                moved = Math.Max(moved, Math.Abs(expected[i] - start[i]));
            }
        }

        Assert.That(moved, Is.GreaterThan(0.05), "an adapter that changes nothing would pass");
    }

    [TestCaseSource(nameof(Models))]
    public void Steps_in_bfloat16_learn_the_samples(string name)
    {
        using var model = Create(name);
        using var parameters = new DecoderParameters(model.Config, TunedPart.All, TunePrecision.BFloat16, CPU);
        parameters.Load(model.Weights);
        using var decoder = new TorchDecoder(parameters, CPU);
        using var optimizer = new AdamW(parameters, new AdamWOptions());
        var trainer = new Trainer(
            decoder, optimizer, new SftObjective(), new TrainerOptions { TokensPerBatch = 100, Precision = TunePrecision.BFloat16, RecomputeLayers = true }, CPU);
        var samples = Samples(3, longest: 20);
        double first = trainer.Step(samples, 1, 5e-3, default).Loss, last = 0;
        for (int step = 2; step <= 15; step++) last = trainer.Step(samples, step, 5e-3, default).Loss;
        Assert.That(last, Is.LessThan(first * 0.8));
    }

    [Test]
    public void A_projection_that_the_architecture_has_not_is_refused_with_those_it_has()
    {
        string path = _folder.File("model");
        ArchitectureModels.Write("phi3", path);
        var (exitCode, events) = SidecarHarness.Tune(_folder, Job(path) with { Lora = new LoraSettings { Targets = ["q_proj"] } });
        Assert.That(exitCode, Is.EqualTo(1));
        Assert.That(((SidecarError)events[^1]).Message, Does.Contain("lora.targets").And.Contain("q_proj").And.Contain("qkv_proj, o_proj, gate_up_proj, down_proj"));
    }

    // What PEFT calls the linear modules of transformers' implementation of each.
    private static string[] Modules(string modelType) => modelType switch
    {
        "phi3" => ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
        "gpt2" => ["c_attn", "c_proj", "c_fc"],
        _ => ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    };

    private ModelFolder Create(string name)
    {
        string path = _folder.File($"model-{Guid.NewGuid():N}");
        ArchitectureModels.Write(name, path);
        return ModelFolder.Open(path);
    }

    private static DecoderParameters Parameters(ModelFolder model, TunedPart part)
    {
        var parameters = new DecoderParameters(model.Config, part, TunePrecision.Float32, CPU);
        parameters.Load(model.Weights);
        return parameters;
    }

    private static float[][] Losses(ModelFolder model, IReadOnlyList<TokenizedSample> samples)
    {
        using var parameters = Parameters(model, TunedPart.None);
        using var decoder = new TorchDecoder(parameters, CPU);
        return SampleLosses.Of(decoder, samples, 100, CPU, default);
    }

    private TuneJob Job(string model) => new()
    {
        Model = model, Output = _folder.File($"tuned-{Guid.NewGuid():N}"), Data = SidecarHarness.WriteData(_folder, Samples(12, longest: 25)),
        Steps = 4, SamplesPerStep = 4, TokensPerBatch = 60, LearningRate = 0.02, Threads = 2, Precision = TunePrecision.Float32,
    };

    private static List<TokenizedSample> Samples(int count, int longest, int shortest = 4, ulong seed = 9)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, count).Select(s =>
        {
            int[] ids = [.. Enumerable.Range(0, random.NextInt32(shortest, longest + 1)).Select(_ => random.NextInt32(ArchitectureModels.Vocabulary))];
            return new TokenizedSample($"s{s}", ids, [.. ids.Select(static (id, i) => i > 0 ? id : TokenizedSample.IgnoredLabel)]);
        })];
    }
}
