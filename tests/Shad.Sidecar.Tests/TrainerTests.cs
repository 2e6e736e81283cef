using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Core.Weighting;
using Shad.Models;
using Shad.Models.Adapters;
using Shad.Models.Configuration;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Objectives;
using Shad.Sidecar.Tests.Reference;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests;

public sealed class TrainerTests
{
    private static readonly RftWeighting Paper = new() { Temperature = 0.7 };

    private static readonly ITuneObjective[] Objectives =
    [
        new SftObjective(), new RftObjective(Paper), new RftObjective(Paper with { BySize = true, BoilerplateFloor = 0.8 }),
        new WeightedObjective(), new MaskObjective(),
    ];

    private sealed class Bench : IDisposable
    {
        public Bench(ModelFolder model, ITuneObjective objective, TunedPart? part = null, int tokensPerBatch = 4096,
            TunePrecision precision = TunePrecision.Float32)
        {
            Parameters = new DecoderParameters(model.Config, part ?? TunedPart.All, precision, CPU);
            Parameters.Load(model.Weights);
            Decoder = new TorchDecoder(Parameters, CPU);
            Optimizer = new AdamW(Parameters, new AdamWOptions());
            Trainer = new Trainer(
                Decoder, Optimizer, objective, new TrainerOptions { TokensPerBatch = tokensPerBatch, Precision = precision }, CPU);
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

    /// <summary>
    /// The gradient of every kind of tensor, against central differences of the double-precision reference. The coefficients are held
    /// at their values at the point, as the objectives define.
    /// </summary>
    [Test]
    public void The_gradient_is_that_of_the_reference(
        [ValueSource(typeof(TinyModels), nameof(TinyModels.Configs))] DecoderConfig config,
        [ValueSource(nameof(Objectives))] ITuneObjective objective)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config, deviation: 0.15);
        var samples = TinyModels.Samples(4, longest: 14);
        using var bench = new Bench(model, objective, tokensPerBatch: 20);
        var weighting = bench.Trainer.Accumulate(samples, default).Weighting;
        var reference = new ReferenceDecoder(model);
        var ordered = MicroBatches.LongestFirst(samples);

        double Objective()
        {
            double sum = 0;
            int at = 0;
            foreach (var sample in ordered)
            {
                foreach (double loss in reference.Losses(sample))
                    if (!double.IsNaN(loss)) sum += weighting.Coefficients[at++] * loss;
            }

            return sum;
        }

        var random = new SeededRandom(17);
        foreach (var block in bench.Parameters.Blocks)
        {
            float[] gradient = block.Gradient!.reshape(-1).data<float>().ToArray();
            double scale = gradient.Max(Math.Abs);
            Assert.That(scale, Is.GreaterThan(0), $"{block.Parts[0].Name} has no gradient");
            int offset = 0;
            foreach (var part in block.Parts)
            {
                double[] weights = reference.Weights[part.Name];
                for (int k = 0; k < 2; k++)
                {
                    int i = random.NextInt32(weights.Length);
                    double value = weights[i];
                    // Central differences are off by h²/6 of the third derivative, and by 2⁻⁵³/h of rounding: both below 1e-9.
                    const double h = 1e-5;
                    weights[i] = value + h;
                    double above = Objective();
                    weights[i] = value - h;
                    double below = Objective();
                    weights[i] = value;
                    double expected = (above - below) / (2 * h);
                    // float32 sums of a few hundred terms no larger than the tensor's largest gradient: √300 · 2⁻²⁴ ≈ 1e-6 of it,
                    // times the depth of the graph.
                    Assert.That(
                        gradient[offset + i], Is.EqualTo(expected).Within(2e-4 * scale + 1e-7), $"{part.Name}[{i}]");
                }

                offset += weights.Length;
            }
        }
    }

    [Test]
    public void One_batch_of_N_and_N_batches_of_one_give_the_same_step(
        [ValueSource(nameof(Objectives))] ITuneObjective objective)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.LlamaUntiedGrouped);
        var samples = TinyModels.Samples(9, longest: 50);
        using var one = new Bench(model, objective, tokensPerBatch: 100_000);
        using var many = new Bench(model, objective, tokensPerBatch: 1);
        using var some = new Bench(model, objective, tokensPerBatch: 120);

        double whole = one.Trainer.Accumulate(samples, default).Loss;
        double pieces = many.Trainer.Accumulate(samples, default).Loss;
        some.Trainer.Accumulate(samples, default);

        Assert.That(pieces, Is.EqualTo(whole).Within(1e-5));
        // The same sums in another order: relative to the largest gradient, √(tokens) · 2⁻²⁴ through a few layers.
        float tolerance = 2e-5f * one.Gradient.Max(MathF.Abs);
        Assert.That(many.Gradient, Is.EqualTo(one.Gradient).Within(tolerance));
        Assert.That(some.Gradient, Is.EqualTo(one.Gradient).Within(tolerance));
    }

    [Test]
    public void The_RFT_loss_is_the_papers_over_the_whole_step([Values(1, 100_000)] int tokensPerBatch)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        var samples = TinyModels.Samples(6);
        const double temperature = 0.7;
        using var bench = new Bench(model, new RftObjective(new RftWeighting { Temperature = temperature }), tokensPerBatch: tokensPerBatch);

        var (loss, _, _, weighting) = bench.Trainer.Accumulate(samples, default);

        var reference = new ReferenceDecoder(model);
        var byRole = samples
            .SelectMany(sample => reference.Losses(sample).Select((value, i) => (value, role: sample.Roles![i])))
            .Where(static token => token.role is not null)
            .ToLookup(static token => token.role, static token => token.value);
        double boilerplate = byRole[TokenRole.Boilerplate].Average(), reasoning = byRole[TokenRole.Reasoning].Average();
        double b = Math.Exp(boilerplate / temperature), r = Math.Exp(reasoning / temperature);
        Assert.Multiple(() =>
        {
            Assert.That(weighting.ReasoningWeight, Is.EqualTo(r / (b + r)).Within(1e-5));
            Assert.That(loss, Is.EqualTo((b * boilerplate + r * reasoning) / (b + r)).Within(1e-4));
        });
    }

    [Test]
    public void RFT_with_one_group_only_is_that_groups_mean([Values] TokenRole role)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        var samples = TinyModels.Samples(4)
            .Select(sample => sample with { Roles = Array.ConvertAll(sample.Labels, label => label >= 0 ? (TokenRole?)role : null) })
            .ToList();
        using var rft = new Bench(model, new RftObjective(new RftWeighting()));
        using var sft = new Bench(model, new SftObjective());
        Assert.That(
            rft.Trainer.Accumulate(samples, default).Loss,
            Is.EqualTo(sft.Trainer.Accumulate(samples, default).Loss).Within(1e-6));
        Assert.That(rft.Gradient, Is.EqualTo(sft.Gradient).Within(1e-6f));
    }

    [Test]
    public void RFT_by_size_weighs_each_token_by_its_groups_loss([Values(1, 100_000)] int tokensPerBatch)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        var samples = TinyModels.Samples(6);
        const double temperature = 0.3;
        using var bench = new Bench(
            model, new RftObjective(new RftWeighting { Temperature = temperature, BySize = true }), tokensPerBatch: tokensPerBatch);
        double loss = bench.Trainer.Accumulate(samples, default).Loss;

        var reference = new ReferenceDecoder(model);
        var groups = samples
            .SelectMany(sample => reference.Losses(sample).Select((value, i) => (value, role: sample.Roles![i])))
            .Where(static token => token.role is not null)
            .GroupBy(static token => token.role, static token => token.value)
            .Select(static group => (Mean: group.Average(), Count: group.Count())).ToList();
        double weights = groups.Sum(group => group.Count * Math.Exp(group.Mean / temperature));
        double expected = groups.Sum(group => group.Count * Math.Exp(group.Mean / temperature) * group.Mean) / weights;
        Assert.That(loss, Is.EqualTo(expected).Within(1e-4));
    }

    [Test]
    public void Weights_enter_as_a_weighted_mean_and_all_zero_weights_move_nothing()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        var samples = TinyModels.Samples(5);
        using var bench = new Bench(model, new WeightedObjective());
        double loss = bench.Trainer.Accumulate(samples, default).Loss;

        var reference = new ReferenceDecoder(model);
        double sum = 0, weight = 0;
        foreach (var sample in samples)
        {
            double[] losses = reference.Losses(sample);
            for (int i = 0; i < losses.Length; i++)
            {
                if (!sample.IsTarget(i)) continue;
                sum += sample.Weights![i] * losses[i];
                weight += sample.Weights[i];
            }
        }

        Assert.That(loss, Is.EqualTo(sum / weight).Within(1e-4));

        var silent = samples.Select(static sample => sample with { Weights = new float[sample.Length] }).ToList();
        Assert.That(bench.Trainer.Accumulate(silent, default).Loss, Is.Zero);
        Assert.That(bench.Gradient, Is.All.Zero);
    }

    [Test]
    public void The_mask_objective_is_the_mean_over_reasoning_tokens_and_a_step_without_one_has_no_gradient()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        var samples = TinyModels.Samples(5);
        using var bench = new Bench(model, new MaskObjective());
        double loss = bench.Trainer.Accumulate(samples, default).Loss;

        var reference = new ReferenceDecoder(model);
        double expected = samples
            .SelectMany(sample => reference.Losses(sample).Where((_, i) => sample.Roles![i] == TokenRole.Reasoning)).Average();
        Assert.That(loss, Is.EqualTo(expected).Within(1e-4));

        var boilerplate = samples
            .Select(sample => sample with { Roles = Array.ConvertAll(sample.Labels, label => label >= 0 ? (TokenRole?)TokenRole.Boilerplate : null) })
            .ToList();
        Assert.That(bench.Trainer.Accumulate(boilerplate, default).Loss, Is.Zero);
        Assert.That(bench.Gradient, Is.All.Zero);
        // Its moments are 0 as well: nothing moves but what decays.
        float[] before = bench.Parameters.Values.data<float>().ToArray();
        bench.Trainer.Step(boilerplate, 1, 0.01, default);
        float[] after = bench.Parameters.Values.data<float>().ToArray();
        int decayed = (int)bench.Parameters.DecayedCount;
        Assert.That(after[decayed..], Is.EqualTo(before[decayed..]));
        Assert.That(after[..decayed], Is.EqualTo(before[..decayed].Select(static value => value * (1 - 0.01f * 0.01f))).Within(1e-6f));
    }

    [Test]
    public void Tuning_the_last_layers_leaves_the_lower_ones_the_embedding_and_a_tied_head_bit_for_bit(
        [ValueSource(typeof(TinyModels), nameof(TinyModels.Configs))] DecoderConfig config,
        [Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config);
        using var bench = new Bench(model, new SftObjective(), TunedPart.Last(1), precision: precision);
        bench.Trainer.Step(TinyModels.Samples(6), 1, 0.01, default);

        string last = $"model.layers.{config.LayerCount - 1}.";
        foreach (var part in bench.Parameters.Parts)
        {
            bool tuned = part.Name.StartsWith(last, StringComparison.Ordinal) || part.Name is "model.norm.weight" or "lm_head.weight";
            float[] before = model.Weights.ReadFloat32(part.Name);
            float[] after = bench.Parameters[part.Name].reshape(-1).data<float>().ToArray();
            if (tuned) Assert.That(after, Is.Not.EqualTo(before), part.Name);
            else Assert.That(after, Is.EqualTo(before), part.Name);
        }
    }

    [Test]
    public void The_gradient_of_the_last_layers_is_the_one_of_the_whole_model(
        [ValueSource(typeof(TinyModels), nameof(TinyModels.Configs))] DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config);
        var samples = TinyModels.Samples(6);
        using var all = new Bench(model, new SftObjective());
        using var last = new Bench(model, new SftObjective(), TunedPart.Last(2));
        all.Trainer.Accumulate(samples, default);
        last.Trainer.Accumulate(samples, default);
        foreach (var block in last.Parameters.Blocks.Where(static block => block.IsTuned))
        {
            var same = all.Parameters.Blocks.Single(other => other.Parts[0].Name == block.Parts[0].Name);
            Assert.That(
                block.Gradient!.reshape(-1).data<float>().ToArray(),
                Is.EqualTo(same.Gradient!.reshape(-1).data<float>().ToArray()).Within(1e-6f), block.Parts[0].Name);
        }
    }

    [Test]
    public void A_bfloat16_gradient_points_where_the_float32_one_does(
        [ValueSource(typeof(TinyModels), nameof(TinyModels.Configs))] DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config, deviation: 0.1);
        var samples = TinyModels.Samples(16);
        using var exact = new Bench(model, new SftObjective());
        using var rounded = new Bench(model, new SftObjective(), tokensPerBatch: 60, precision: TunePrecision.BFloat16);
        exact.Trainer.Accumulate(samples, default);
        rounded.Trainer.Accumulate(samples, default);

        foreach (var block in exact.Parameters.Blocks)
        {
            var other = rounded.Parameters.Blocks.Single(candidate => candidate.Parts[0].Name == block.Parts[0].Name);
            double cosine = nn.functional.cosine_similarity(block.Gradient!.reshape(1, -1), other.Gradient!.reshape(1, -1)).item<float>();
            double ratio = (other.Gradient!.norm() / block.Gradient!.norm()).item<float>();
            // Rounding to 8 bits is a random relative error of about 2⁻⁹ an operand; a dozen of them in a row stay below 2 %.
            Assert.That(cosine, Is.GreaterThan(0.999), block.Parts[0].Name);
            Assert.That(ratio, Is.EqualTo(1).Within(0.02), block.Parts[0].Name);
        }
    }

    [Test]
    public void A_step_leaves_no_tensor_behind([ValueSource(nameof(Objectives))] ITuneObjective objective, [Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Qwen3);
        using var bench = new Bench(model, objective, tokensPerBatch: 60, precision: precision);
        var samples = TinyModels.Samples(8);
        // The first step makes what stays: the rotary table.
        bench.Trainer.Step(samples, 1, 1e-3, default);
        long before = NativeTensors.SettledCount();
        for (int step = 2; step < 6; step++) bench.Trainer.Step(samples, step, 1e-3, default);
        SampleLosses.ByRole(bench.Decoder, samples, 60, CPU, default);
        Assert.That(Tensor.TotalCount, Is.EqualTo(before));
    }

    /// <summary>Recomputed layers run the same operations in the same order: not one bit may differ.</summary>
    [Test]
    public void Recomputing_layers_gives_exactly_the_same_gradients(
        [ValueSource(typeof(TinyModels), nameof(TinyModels.Configs))] DecoderConfig config, [Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision,
        [Values("all", "last", "lora")] string part)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config, deviation: 0.15);
        var samples = TinyModels.Samples(8);
        var tuned = part switch
        {
            "all" => TunedPart.All,
            "last" => TunedPart.Last(2),
            _ => TunedPart.Of(new AdapterConfig { Rank = 2, Alpha = 4, Targets = ["q_proj", "down_proj"], Layers = [1, 2] }),
        };
        float[] Gradient(bool recompute)
        {
            using var parameters = new DecoderParameters(config, tuned, precision, CPU);
            parameters.Load(model.Weights);
            if (part == "lora")
            {
                manual_seed(4);
                using (no_grad()) parameters.Values.normal_(0, 0.2);
                parameters.RefreshHalf();
            }

            using var decoder = new TorchDecoder(parameters, CPU);
            using var optimizer = new AdamW(parameters, new AdamWOptions());
            var options = new TrainerOptions { TokensPerBatch = 60, Precision = precision, RecomputeLayers = recompute, Dropout = 0.2, Seed = 1 };
            new Trainer(decoder, optimizer, new RftObjective(new RftWeighting { Temperature = 0.7 }), options, CPU).Accumulate(samples, default);
            return parameters.Gradient.data<float>().ToArray();
        }

        float[] plain = Gradient(recompute: false);
        Assert.That(plain.Max(MathF.Abs), Is.GreaterThan(0));
        Assert.That(Gradient(recompute: true), Is.EqualTo(plain));
    }

    [Test]
    public void Tuning_learns_the_samples([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.LlamaUntiedGrouped, deviation: 0.05);
        using var bench = new Bench(model, new SftObjective(), precision: precision);
        var samples = TinyModels.Samples(4);
        double first = bench.Trainer.Step(samples, 1, 0.01, default).Loss;
        double last = 0;
        for (int step = 2; step <= 60; step++) last = bench.Trainer.Step(samples, step, 0.01, default).Loss;
        Assert.That(first, Is.EqualTo(Math.Log(TinyModels.Vocabulary)).Within(0.5));
        Assert.That(last, Is.LessThan(0.2));
    }

    [Test]
    public void A_step_that_is_cut_short_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        using var bench = new Bench(model, new SftObjective(), tokensPerBatch: 10);
        float[] before = bench.Parameters.Values.data<float>().ToArray();
        using var ended = new CancellationTokenSource();
        ended.Cancel();
        Assert.Throws<OperationCanceledException>(() => bench.Trainer.Step(TinyModels.Samples(5), 1, 0.1, ended.Token));
        Assert.That(bench.Parameters.Values.data<float>().ToArray(), Is.EqualTo(before));
    }

    [Test]
    public void A_step_that_is_not_finite_changes_nothing([ValueSource(nameof(Objectives))] ITuneObjective objective)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama, deviation: double.NaN);
        using var bench = new Bench(model, objective, tokensPerBatch: 30);
        float[] before = bench.Parameters.Values.data<float>().ToArray();
        var stopped = Assert.Throws<NonFiniteStepException>(() => bench.Trainer.Step(TinyModels.Samples(5), 1, 0.1, default));
        Assert.That(stopped!.What, Is.EqualTo("loss"));
        Assert.That(bench.Parameters.Values.data<float>().ToArray(), Is.EqualTo(before));
    }
}
