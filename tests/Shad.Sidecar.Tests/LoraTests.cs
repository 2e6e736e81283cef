using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Core.Weighting;
using Shad.Models;
using Shad.Models.Adapters;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Objectives;
using Shad.Sidecar.Tests.Reference;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests;

public sealed class LoraTests
{
    private const double Alpha = 6;

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    private static AdapterConfig Adapter(IReadOnlyList<string>? targets = null, bool rankStabilized = false, int[]? layers = null) => new()
    {
        Rank = 3, Alpha = Alpha, Targets = targets ?? AdapterModules.NamesOf(TinyModels.Llama), RankStabilized = rankStabilized, Layers = layers,
    };

    /// <summary>Parameters whose A and B are all random: with B = 0, as a tune begins, most gradients would be 0.</summary>
    private static DecoderParameters Parameters(ModelFolder model, AdapterConfig adapter, TunePrecision precision = TunePrecision.Float32)
    {
        var parameters = new DecoderParameters(model.Config, TunedPart.Of(adapter), precision, CPU);
        parameters.Load(model.Weights);
        manual_seed(11);
        using (no_grad()) parameters.Values.normal_(0, 0.15);
        parameters.RefreshHalf();
        return parameters;
    }

    private sealed class Bench : IDisposable
    {
        public Bench(DecoderParameters parameters, TrainerOptions options, ITuneObjective? objective = null)
        {
            Parameters = parameters;
            Decoder = new TorchDecoder(parameters, CPU);
            Optimizer = new AdamW(parameters, new AdamWOptions());
            Trainer = new Trainer(Decoder, Optimizer, objective ?? new SftObjective(), options, CPU);
        }

        public DecoderParameters Parameters { get; }

        public TorchDecoder Decoder { get; }

        public AdamW Optimizer { get; }

        public Trainer Trainer { get; }

        public float[] Gradient => Parameters.Gradient.data<float>().ToArray();

        public void Dispose()
        {
            Optimizer.Dispose();
            Decoder.Dispose();
            Parameters.Dispose();
        }
    }

    private static float[] Values(Tensor tensor) => tensor.reshape(-1).data<float>().ToArray();

    private static readonly string[][] TargetSets =
        [[.. AdapterModules.NamesOf(TinyModels.Llama)], ["q_proj", "v_proj"], ["k_proj", "up_proj", "down_proj"]];

    /// <summary>
    /// Every tensor of the adapters, against central differences of the reference decoder in double precision, which adds
    /// <c>s·B·A·mask·x</c> to the projections one token at a time. The masks are those of the step.
    /// </summary>
    [Test]
    public void The_gradient_of_adapters_is_that_of_the_reference(
        [ValueSource(typeof(TinyModels), nameof(TinyModels.Configs))] DecoderConfig config,
        [ValueSource(nameof(TargetSets))] string[] targets, [Values(0, 0.3)] double rate, [Values] bool rankStabilized)
    {
        using var model = TinyModels.Create(_folder, config, deviation: 0.15);
        var adapter = Adapter(targets, rankStabilized);
        var samples = TinyModels.Samples(4, longest: 14);
        const int step = 7;
        var options = new TrainerOptions { TokensPerBatch = 20, Dropout = rate, Seed = 3 };
        using var bench = new Bench(Parameters(model, adapter), options, new RftObjective(new RftWeighting { Temperature = 0.7 }));
        var weighting = bench.Trainer.Accumulate(samples, default, step).Weighting;
        var ordered = MicroBatches.LongestFirst(samples);

        double scale = rankStabilized ? Alpha / Math.Sqrt(3) : Alpha / 3;
        var values = bench.Parameters.AdapterParts.ToDictionary(
            static part => part.Name, part => Array.ConvertAll(Values(bench.Parameters[part.Name]), static value => (double)value));
        var masks = new MaskTable(config, ordered, new StepDropout(rate, 3, step));
        var reference = new ReferenceDecoder(model);
        double Objective()
        {
            double sum = 0;
            int at = 0;
            for (int s = 0; s < ordered.Length; s++)
            {
                int sample = s;
                reference.Addition = (path, token, x) =>
                {
                    string weight = path + ".weight";
                    if (!values.TryGetValue(AdapterModules.Down(weight), out double[]? a)) return null;
                    double[] b = values[AdapterModules.Up(weight)];
                    float[]? mask = masks.Of(path, sample, token);
                    // Of the last layer only the rows before a target are computed; the others reach no loss.
                    if (mask is null) return null;
                    var down = new double[3];
                    for (int k = 0; k < 3; k++)
                        for (int i = 0; i < x.Length; i++) down[k] += a[k * x.Length + i] * x[i] * mask[i];
                    var y = new double[b.Length / 3];
                    for (int o = 0; o < y.Length; o++)
                        for (int k = 0; k < 3; k++) y[o] += scale * b[o * 3 + k] * down[k];
                    return y;
                };
                foreach (double loss in reference.Losses(ordered[s]))
                    if (!double.IsNaN(loss)) sum += weighting.Coefficients[at++] * loss;
            }

            return sum;
        }

        Assert.That(
            bench.Parameters.AdapterParts.Count(), Is.EqualTo(targets.Length * 2 * config.LayerCount), "A and B of each projection");
        var random = new SeededRandom(17);
        foreach (var block in bench.Parameters.AdapterBlocks)
        {
            float[] gradient = Values(block.Gradient!);
            double largest = gradient.Max(Math.Abs);
            Assert.That(largest, Is.GreaterThan(0), $"{block.Parts[0].Name} has no gradient");
            int offset = 0;
            foreach (var part in block.Parts)
            {
                double[] weights = values[part.Name];
                int i = random.NextInt32(weights.Length);
                double value = weights[i];
                const double h = 1e-5;
                weights[i] = value + h;
                double above = Objective();
                weights[i] = value - h;
                double below = Objective();
                weights[i] = value;
                // As in TrainerTests: float32 sums, relative to the largest gradient of the tensor.
                Assert.That(
                    gradient[offset + i], Is.EqualTo((above - below) / (2 * h)).Within(2e-4 * largest + 1e-7), $"{part.Name}[{i}]");
                offset += weights.Length;
            }
        }
    }

    [Test]
    public void Nothing_but_the_adapters_is_tuned_and_they_begin_with_the_model_as_it_is([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision)
    {
        using var model = TinyModels.Create(_folder, TinyModels.Qwen2, deviation: 0.1);
        var samples = TinyModels.Samples(6);
        using var bench = new Bench(Parameters(model, Adapter(), precision), new TrainerOptions { Precision = precision });
        bench.Parameters.BeginAdapters(5);
        using var plain = new DecoderParameters(model.Config, TunedPart.None, TunePrecision.Float32, CPU);
        plain.Load(model.Weights);
        using var decoder = new TorchDecoder(plain, CPU);
        Assert.That(
            SampleLosses.Of(bench.Decoder, samples, 100, CPU, default), Is.EqualTo(SampleLosses.Of(decoder, samples, 100, CPU, default)));
        foreach (var block in bench.Parameters.AdapterBlocks)
        {
            float[] values = Values(block.Master);
            bool isDown = block.Parts[0].Name.Contains("lora_A", StringComparison.Ordinal);
            double bound = 1 / Math.Sqrt(block.Shape[1]);
            if (isDown) Assert.That(values.Max(Math.Abs), Is.LessThanOrEqualTo(bound).And.GreaterThan(bound / 2), block.Parts[0].Name);
            else Assert.That(values, Is.All.Zero, block.Parts[0].Name);
        }

        long adapters = bench.Parameters.AdapterParts.Sum(static part => part.Shape[0] * part.Shape[1]);
        Assert.That(bench.Parameters.TunedCount, Is.EqualTo(adapters));
        for (int step = 1; step < 4; step++) bench.Trainer.Step(samples, step, 0.01, default);
        foreach (var part in bench.Parameters.Parts)
            Assert.That(Values(bench.Parameters[part.Name]), Is.EqualTo(model.Weights.ReadFloat32(part.Name)), part.Name);
        Assert.That(SampleLosses.Of(bench.Decoder, samples, 100, CPU, default), Is.Not.EqualTo(SampleLosses.Of(decoder, samples, 100, CPU, default)));
    }

    [Test]
    public void One_batch_of_N_and_N_batches_of_one_drop_the_same_values([Values] TuneObjective objective)
    {
        using var model = TinyModels.Create(_folder, TinyModels.LlamaUntiedGrouped);
        var samples = TinyModels.Samples(9, longest: 50);
        var job = new TuneJob { Model = "", Output = "", Data = "", Objective = objective };
        float[] Gradient(int tokensPerBatch)
        {
            var options = new TrainerOptions { TokensPerBatch = tokensPerBatch, Dropout = 0.4, Seed = 2 };
            using var bench = new Bench(Parameters(model, Adapter()), options, TuneObjectives.For(job));
            bench.Trainer.Accumulate(samples, default, 4);
            return bench.Gradient;
        }

        float[] one = Gradient(100_000);
        // The same sums in another order.
        float tolerance = 2e-5f * one.Max(MathF.Abs);
        Assert.That(Gradient(1), Is.EqualTo(one).Within(tolerance));
        Assert.That(Gradient(120), Is.EqualTo(one).Within(tolerance));
    }

    [Test]
    public void Dropout_drops_its_share_scales_the_rest_and_differs_by_step_sample_and_place()
    {
        using var scope = NewDisposeScope();
        var samples = TinyModels.Samples(6, longest: 60);
        using var batch = new TokenBatch(samples, CPU);
        const double rate = 0.25;
        const int width = 400;
        Tensor Mask(ulong seed, int step, int site) => new StepDropout(rate, seed, step).Apply(ones(batch.TokenCount, width), batch, false, site);
        var mask = Mask(1, 1, 0);
        float[] values = Values(mask);
        double dropped = values.Count(static value => value == 0) / (double)values.Length;
        // The standard deviation of the share of n independent draws is √(p(1−p)/n); five of them.
        Assert.That(dropped, Is.EqualTo(rate).Within(5 * Math.Sqrt(rate * (1 - rate) / values.Length)));
        Assert.That(values.Where(static value => value != 0), Is.All.EqualTo((float)(1 / (1 - rate))));
        Assert.That(Values(Mask(1, 1, 0)), Is.EqualTo(values));
        foreach (var other in (Tensor[])[Mask(2, 1, 0), Mask(1, 2, 0), Mask(1, 1, 1)])
        {
            double same = Values(other).Zip(values).Count(static pair => pair.First == pair.Second) / (double)values.Length;
            // Independent masks agree where both keep or both drop.
            Assert.That(same, Is.EqualTo(rate * rate + (1 - rate) * (1 - rate)).Within(0.02));
        }

        using var alone = new TokenBatch([samples[2]], CPU, firstSample: 2);
        int start = samples[0].Length + samples[1].Length;
        Assert.That(
            Values(new StepDropout(rate, 1, 1).Apply(ones(alone.TokenCount, width), alone, false, 0)),
            Is.EqualTo(values[(start * width)..((start + alone.TokenCount) * width)]), "a sample's mask does not depend on its batch");
    }

    [Test]
    public void A_step_with_adapters_leaves_no_tensor_behind([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision, [Values] bool recompute)
    {
        using var model = TinyModels.Create(_folder, TinyModels.Qwen3);
        var options = new TrainerOptions { TokensPerBatch = 60, Precision = precision, Dropout = 0.1, RecomputeLayers = recompute };
        using var bench = new Bench(Parameters(model, Adapter(["q_proj", "v_proj", "down_proj"]), precision), options, new RftObjective(new RftWeighting()));
        var samples = TinyModels.Samples(8);
        bench.Trainer.Step(samples, 1, 1e-3, default);
        long before = NativeTensors.SettledCount();
        for (int step = 2; step < 40; step++) bench.Trainer.Step(samples, step, 1e-3, default);
        Assert.That(Tensor.TotalCount, Is.EqualTo(before));
    }

    [Test]
    public void Adapters_learn_the_samples([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision)
    {
        using var model = TinyModels.Create(_folder, TinyModels.LlamaUntiedGrouped, deviation: 0.2);
        using var bench = new Bench(Parameters(model, Adapter(), precision), new TrainerOptions { Precision = precision });
        bench.Parameters.BeginAdapters(1);
        var samples = TinyModels.Samples(3);
        double first = bench.Trainer.Step(samples, 1, 0.02, default).Loss;
        double last = 0;
        for (int step = 2; step <= 120; step++) last = bench.Trainer.Step(samples, step, 0.02, default).Loss;
        Assert.That(last, Is.LessThan(first / 10));
    }

    private TuneJob Job(LoraSettings lora, DecoderConfig? config = null)
    {
        using var model = TinyModels.Create(_folder, config ?? TinyModels.Qwen3, deviation: 0.1);
        return new TuneJob
        {
            Model = model.Path, Output = _folder.File($"tuned-{Guid.NewGuid():N}"), Lora = lora,
            Data = SidecarHarness.WriteData(_folder, TinyModels.Samples(20)), Steps = 6, SamplesPerStep = 4, TokensPerBatch = 60,
            LearningRate = 0.02, Threads = 2,
        };
    }

    private static SidecarError Error((int ExitCode, List<SidecarEvent> Events) run)
    {
        Assert.That(run.ExitCode, Is.EqualTo(1));
        return (SidecarError)run.Events[^1];
    }

    private static string AdapterOf(TuneJob job) => Path.Combine(job.Output, "adapter");

    [Test]
    public void The_merged_model_scores_as_the_model_with_its_adapter(
        [ValueSource(typeof(TinyModels), nameof(TinyModels.Configs))] DecoderConfig config, [Values] bool rankStabilized)
    {
        var heldOut = TinyModels.Samples(6, seed: 77);
        var job = Job(new LoraSettings { Rank = 4, Dropout = 0.1, RankStabilized = rankStabilized }, config) with
        {
            HeldOut = SidecarHarness.WriteData(_folder, heldOut),
        };
        var (exitCode, events) = SidecarHarness.Tune(_folder, job);
        Assert.That(exitCode, Is.Zero, string.Join('\n', events));

        using var model = ModelFolder.Open(job.Model);
        using var merged = ModelFolder.Open(job.Output);
        using var adapter = AdapterFolder.Open(AdapterOf(job), model.Config);
        Assert.That(adapter.Config.RankStabilized, Is.EqualTo(rankStabilized));
        Assert.That(adapter.Config.Alpha, Is.EqualTo(8), "twice the rank");
        using var parameters = new DecoderParameters(model.Config, TunedPart.Of(adapter.Config), TunePrecision.Float32, CPU);
        parameters.Load(model.Weights);
        parameters.BeginAdapters(adapter);
        using var decoder = new TorchDecoder(parameters, CPU);
        float[][] unmerged = SampleLosses.Of(decoder, heldOut, 100, CPU, default);

        var reference = new ReferenceDecoder(merged);
        var before = new ReferenceDecoder(model);
        double moved = 0;
        for (int s = 0; s < heldOut.Count; s++)
        {
            double[] expected = reference.Losses(heldOut[s]), base_ = before.Losses(heldOut[s]);
            for (int i = 0; i < expected.Length; i++)
            {
                if (double.IsNaN(expected[i])) continue;
                // The tolerance of the decoder against the reference (TorchDecoderTests); rounding W + s·B·A once more is 2⁻²⁴ of a weight.
                Assert.That(unmerged[s][i], Is.EqualTo(expected[i]).Within(5e-5), $"sample {s}, token {i}");
                moved = Math.Max(moved, Math.Abs(expected[i] - base_[i]));
            }
        }

        Assert.That(moved, Is.GreaterThan(0.05), "an adapter that changes nothing would pass");
        Assert.That(
            events.OfType<HeldOutMeasured>().Last().Loss,
            Is.EqualTo(unmerged.SelectMany(static losses => losses).Where(static loss => !float.IsNaN(loss)).Average()).Within(1e-5));
    }

    [Test]
    public void The_adapter_is_written_as_PEFT_reads_it_and_the_rest_of_the_model_stays_bit_for_bit()
    {
        var job = Job(new LoraSettings { Rank = 2, Alpha = 5, Dropout = 0.05, Targets = ["v_proj", "q_proj"] }) with { LastLayers = 1 };
        Assert.That(SidecarHarness.Tune(_folder, job).ExitCode, Is.Zero);
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(AdapterOf(job), "adapter_config.json")));
        var root = config.RootElement;
        using var file = SafetensorsFile.Open(Path.Combine(AdapterOf(job), "adapter_model.safetensors"));
        Assert.Multiple(() =>
        {
            Assert.That(root.GetProperty("peft_type").GetString(), Is.EqualTo("LORA"));
            Assert.That(root.GetProperty("task_type").GetString(), Is.EqualTo("CAUSAL_LM"));
            Assert.That(root.GetProperty("r").GetInt32(), Is.EqualTo(2));
            Assert.That(root.GetProperty("lora_alpha").GetDouble(), Is.EqualTo(5));
            Assert.That(root.GetProperty("lora_dropout").GetDouble(), Is.EqualTo(0.05));
            Assert.That(root.GetProperty("bias").GetString(), Is.EqualTo("none"));
            Assert.That(
                root.GetProperty("target_modules").EnumerateArray().Select(static item => item.GetString()), Is.EqualTo(new[] { "q_proj", "v_proj" }));
            Assert.That(
                root.GetProperty("layers_to_transform").EnumerateArray().Select(static item => item.GetInt32()), Is.EqualTo(new[] { 2 }));
            Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[]
            {
                "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight", "base_model.model.model.layers.2.self_attn.q_proj.lora_B.weight",
                "base_model.model.model.layers.2.self_attn.v_proj.lora_A.weight", "base_model.model.model.layers.2.self_attn.v_proj.lora_B.weight",
            }));
            Assert.That(
                file.Tensors["base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight"].Shape, Is.EqualTo(new long[] { 2, 32 }));
            Assert.That(
                file.Tensors["base_model.model.model.layers.2.self_attn.q_proj.lora_B.weight"].Shape, Is.EqualTo(new long[] { 48, 2 }));
        });

        using var before = ModelFolder.Open(job.Model);
        using var after = ModelFolder.Open(job.Output);
        foreach (string name in before.Weights.Tensors.Keys)
        {
            bool adapted = name is "model.layers.2.self_attn.q_proj.weight" or "model.layers.2.self_attn.v_proj.weight";
            Assert.That(before.Weights.AsSpan(name).SequenceEqual(after.Weights.AsSpan(name)), Is.EqualTo(!adapted), name);
        }
    }

    [Test]
    public void An_ended_tune_of_adapters_continues_bit_for_bit([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision, [Values] TuneObjective objective)
    {
        var job = Job(new LoraSettings { Rank = 3, Dropout = 0.2 }) with { Precision = precision, Objective = objective };
        Assert.That(SidecarHarness.Tune(_folder, job).ExitCode, Is.Zero);
        var ended = job with { Output = _folder.File("ended") };
        Assert.That(
            SidecarHarness.Tune(_folder, ended, static line => line is TuneProgress { Step: 3 }).ExitCode, Is.EqualTo(SidecarProgram.Interrupted));
        var second = SidecarHarness.Tune(_folder, ended);
        Assert.That(second.Events.OfType<TuneStarted>().Single().FirstStep, Is.EqualTo(3));
        foreach (string file in (string[])["model.safetensors", "adapter/adapter_model.safetensors"])
            Assert.That(File.ReadAllBytes(Path.Combine(ended.Output, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(job.Output, file))), file);
    }

    [Test]
    public void A_tune_begins_with_an_adapter_that_was_written_before()
    {
        var job = Job(new LoraSettings { Rank = 2, RankStabilized = true, Targets = ["k_proj", "gate_proj"] });
        Assert.That(SidecarHarness.Tune(_folder, job).ExitCode, Is.Zero);
        // So small a rate changes no float32 near the values: what comes out is what went in.
        var again = job with
        {
            Lora = new LoraSettings { From = AdapterOf(job) }, Output = _folder.File("again"), LearningRate = 1e-20, WeightDecay = 0, Steps = 1,
        };
        var run = SidecarHarness.Tune(_folder, again);
        Assert.That(run.ExitCode, Is.Zero, run.Events[^1].ToString());
        foreach (string file in (string[])["model.safetensors", "adapter/adapter_model.safetensors"])
        {
            using var expected = SafetensorsFile.Open(Path.Combine(job.Output, file));
            using var actual = SafetensorsFile.Open(Path.Combine(again.Output, file));
            foreach (string name in expected.Tensors.Keys) Assert.That(actual.ReadFloat32(name), Is.EqualTo(expected.ReadFloat32(name)), name);
        }

        Assert.That(
            Error(SidecarHarness.Tune(_folder, again with { Lora = again.Lora! with { Rank = 2 }, Output = _folder.File("x") })).Message,
            Does.Contain("'lora.rank'"));
        Assert.That(
            Error(SidecarHarness.Tune(_folder, again with { LastLayers = 1, Output = _folder.File("y") })).Message, Does.Contain("'last_layers'"));
    }

    private static IEnumerable<TestCaseData> WrongSettings()
    {
        TestCaseData Case(string field, LoraSettings lora) => new TestCaseData(field, lora).SetArgDisplayNames(field);
        yield return Case("lora.rank", new LoraSettings { Rank = 0 });
        yield return Case("lora.alpha", new LoraSettings { Alpha = 0 });
        yield return Case("lora.dropout", new LoraSettings { Dropout = 1 });
        yield return Case("lora.targets", new LoraSettings { Targets = [] });
        yield return Case("lora.targets", new LoraSettings { Targets = ["q_proj", "lm_head"] });
    }

    [TestCaseSource(nameof(WrongSettings))]
    public void A_wrong_setting_is_refused_by_its_field(string field, LoraSettings lora)
    {
        var error = Error(SidecarHarness.Tune(_folder, Job(lora)));
        Assert.That(error.Code, Is.EqualTo("job.value"));
        Assert.That(error.Message, Does.Contain($"'{field}'"));
    }

    /// <summary>The masks of a step by projection, sample and token, from one draw of the step's dropout over ones.</summary>
    private sealed class MaskTable
    {
        private readonly Dictionary<(int Layer, int Site, int Sample, int Token), float[]> _rows = [];
        private readonly int _lastLayer;

        public MaskTable(DecoderConfig config, TokenizedSample[] ordered, StepDropout dropout)
        {
            using var scope = NewDisposeScope();
            _lastLayer = config.LayerCount - 1;
            int[] widths = [config.HiddenSize, config.AttentionHeads * config.HeadSize, config.HiddenSize, config.IntermediateSize];
            using var batch = new TokenBatch(ordered, CPU);
            for (int layer = 0; layer < config.LayerCount; layer++)
            {
                for (int site = 0; site < 4; site++)
                {
                    bool targetsOnly = layer == _lastLayer && site > 0;
                    int rows = targetsOnly ? batch.TargetCount : batch.TokenCount;
                    float[] all = Values(dropout.Apply(ones(rows, widths[site]), batch, targetsOnly, layer * 4 + site));
                    int row = 0;
                    for (int s = 0; s < ordered.Length; s++)
                    {
                        for (int t = 0; t < ordered[s].Length; t++)
                        {
                            if (targetsOnly && !(t + 1 < ordered[s].Length && ordered[s].IsTarget(t + 1))) continue;
                            _rows[(layer, site, s, t)] = all[(row * widths[site])..((row + 1) * widths[site])];
                            row++;
                        }
                    }
                }
            }
        }

        public float[]? Of(string path, int sample, int token)
        {
            string[] names = path.Split('.');
            int site = names[^1] switch { "q_proj" or "k_proj" or "v_proj" => 0, "o_proj" => 1, "gate_proj" or "up_proj" => 2, _ => 3 };
            return _rows.GetValueOrDefault((int.Parse(names[2], System.Globalization.CultureInfo.InvariantCulture), site, sample, token));
        }
    }
}
