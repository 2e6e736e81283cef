using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Models.Configuration;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Tests.Reference;
using Shad.Sidecar.Tuning;
using TorchSharp;

namespace Shad.Sidecar.Tests;

public sealed class TorchDecoderTests
{
    // float32 carries 24 bits. A logit is a sum of H ≤ 32 products of magnitude ≤ 10 after some 10 roundings a layer, 3 layers:
    // an error of about 10 · 2⁻²⁴ · √(10 · 3 · 32) ≈ 2e-5. The project asks for 1e-4 nats between backends.
    private const double Tolerance = 5e-5;

    [TestCaseSource(typeof(TinyModels), nameof(TinyModels.All))]
    public void Losses_agree_with_a_double_precision_reference(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config);
        var samples = TinyModels.Samples(12);
        var reference = new ReferenceDecoder(model);

        float[][] losses = Losses(model, samples, tokensPerBatch: 100);

        double spread = 0;
        for (int s = 0; s < samples.Count; s++)
        {
            double[] expected = reference.Losses(samples[s]);
            for (int i = 0; i < expected.Length; i++)
            {
                if (double.IsNaN(expected[i])) Assert.That(losses[s][i], Is.NaN);
                else Assert.That(losses[s][i], Is.EqualTo(expected[i]).Within(Tolerance), $"sample {s}, token {i}");
                if (!double.IsNaN(expected[i])) spread = Math.Max(spread, Math.Abs(expected[i] - Math.Log(TinyModels.Vocabulary)));
            }
        }

        // A model that predicts nothing would agree however it were computed.
        Assert.That(spread, Is.GreaterThan(0.5));
    }

    [TestCaseSource(typeof(TinyModels), nameof(TinyModels.All))]
    public void Batch_size_padding_and_order_change_no_loss(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config);
        var samples = TinyModels.Samples(20, longest: 60);

        float[][] together = Losses(model, samples, tokensPerBatch: 100_000);
        float[][] alone = Losses(model, samples, tokensPerBatch: 1);
        var turned = samples.AsEnumerable().Reverse().ToList();
        float[][] inReverse = Losses(model, turned, tokensPerBatch: 130).Reverse().ToArray();

        for (int s = 0; s < samples.Count; s++)
        {
            Assert.That(together[s], Is.EqualTo(alone[s]).Within(1e-5f), $"sample {s} together and alone");
            Assert.That(inReverse[s], Is.EqualTo(alone[s]).Within(1e-5f), $"sample {s} in reverse and alone");
        }
    }

    [Test]
    public void Groups_of_similar_length_hold_every_sample_in_order([Values(1, 7, 40)] int count)
    {
        int[] lengths = [.. TinyModels.Samples(count, longest: 400).Select(static sample => sample.Length).OrderDescending()];
        var groups = AttentionGroup.Of(lengths);
        Assert.That(groups.Sum(static group => group.TokenCount), Is.EqualTo(lengths.Sum()));

        using var scope = torch.NewDisposeScope();
        int start = 0;
        foreach (var group in groups)
        {
            var packed = torch.randn(group.TokenCount, 3);
            var padded = group.Pad(packed);
            Assert.That(padded.shape[1], Is.EqualTo(group.MaximumLength));
            Assert.That(group.Unpad(padded).equal(packed).all().item<bool>(), Is.True);
            int samples = (int)padded.shape[0];
            int shortest = lengths[start..(start + samples)].Min();
            Assert.That(group.MaximumLength - shortest, Is.LessThanOrEqualTo(Math.Max(16, group.MaximumLength / 8)));
            start += samples;
        }

        Assert.That(start, Is.EqualTo(count));
    }

    [TestCaseSource(typeof(TinyModels), nameof(TinyModels.All))]
    public void Every_tensor_of_the_model_is_a_parameter_and_no_other(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config);
        using var parameters = new DecoderParameters(config, TunedPart.All, TunePrecision.Float32, torch.CPU);
        var held = parameters.Parts.ToDictionary(static part => part.Name, static part => part.Shape);
        Assert.That(held.Keys, Is.EquivalentTo(model.Weights.Tensors.Keys));
        foreach (var (name, entry) in model.Weights.Tensors) Assert.That(held[name], Is.EqualTo(entry.Shape), name);

        parameters.Load(model.Weights);
        foreach (string name in held.Keys)
            Assert.That(parameters[name].reshape(-1).data<float>().ToArray(), Is.EqualTo(model.Weights.ReadFloat32(name)), name);
    }

    [Test]
    public void A_tied_head_is_the_embedding_itself_not_a_copy()
    {
        using var tied = new DecoderParameters(TinyModels.Llama, TunedPart.All, TunePrecision.Float32, torch.CPU);
        using var untied = new DecoderParameters(TinyModels.LlamaUntiedGrouped, TunedPart.All, TunePrecision.Float32, torch.CPU);
        Assert.That(tied.Head, Is.SameAs(tied.Embedding));
        Assert.That(untied.Head, Is.Not.SameAs(untied.Embedding));
    }

    [TestCaseSource(typeof(TinyModels), nameof(TinyModels.All))]
    public void Bfloat16_products_change_losses_by_no_more_than_their_rounding(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        // Small weights, as trained models have: with logits of a few nats only.
        using var model = TinyModels.Create(folder, config, deviation: 0.1);
        var samples = TinyModels.Samples(16);
        float[] exact = Flat(model, samples, TunePrecision.Float32);
        float[] rounded = Flat(model, samples, TunePrecision.BFloat16);

        // bfloat16 keeps 8 bits: products of two roundings are off by 2⁻⁸ each at most; logits here are below 4, passed through
        // 3 layers of 2 blocks whose errors add like √6. 4 · 2⁻⁸ · √6 ≈ 0.04 at most, a fraction of it on average.
        double mean = exact.Zip(rounded).Average(static pair => Math.Abs(pair.First - pair.Second));
        Assert.That(rounded, Is.EqualTo(exact).Within(0.06f));
        Assert.That(mean, Is.LessThan(0.015).And.GreaterThan(0));
    }

    private static float[][] Losses(Models.ModelFolder model, List<TokenizedSample> samples, int tokensPerBatch)
    {
        using var parameters = new DecoderParameters(model.Config, TunedPart.None, TunePrecision.Float32, torch.CPU);
        parameters.Load(model.Weights);
        using var decoder = new TorchDecoder(parameters, torch.CPU);
        return SampleLosses.Of(decoder, samples, tokensPerBatch, torch.CPU, default);
    }

    private static float[] Flat(Models.ModelFolder model, List<TokenizedSample> samples, TunePrecision precision)
    {
        using var parameters = new DecoderParameters(model.Config, TunedPart.None, precision, torch.CPU);
        parameters.Load(model.Weights);
        using var decoder = new TorchDecoder(parameters, torch.CPU);
        var ordered = MicroBatches.LongestFirst(samples);
        var losses = new float[samples.Sum(static sample => sample.TargetCount)];
        Trainer.LossesOf(decoder, ordered, [0..ordered.Length], precision, losses, torch.CPU, default);
        return losses;
    }
}
