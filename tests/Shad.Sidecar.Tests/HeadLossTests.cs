using Shad.Core.Randomness;
using Shad.Core.Tuning;
using Shad.Models.Configuration;
using Shad.Sidecar.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests;

public sealed class HeadLossTests
{
    [Test]
    public void Blocks_of_rows_give_the_loss_and_gradient_of_one_product([Values(1, 31, 33, 100)] int count)
    {
        // A vocabulary at which a block holds the floor of 32 rows: the counts are below, around and above it.
        const int vocabulary = 140_000, hidden = 8;
        var config = TinyModels.Llama with { VocabularySize = vocabulary, HiddenSize = hidden, HeadSize = 8, AttentionHeads = 1, KeyValueHeads = 1, LayerCount = 1 };
        using var parameters = new DecoderParameters(config, TunedPart.All, TunePrecision.Float32, CPU);
        using var scope = NewDisposeScope();
        manual_seed(3);
        using (no_grad()) parameters.Embedding.Master.normal_(0, 0.5);
        var states = randn(count, hidden);
        var targets = randint(0, vocabulary, new long[] { count });
        var coefficients = rand(count);

        var (losses, stateGradient) = HeadLoss.Gradient(states, targets, coefficients, parameters.Head, TunePrecision.Float32);
        var withoutGradient = HeadLoss.Losses(states, targets, parameters.Head, TunePrecision.Float32);

        // The same in float64 by autograd, all logits at once.
        var weight = parameters.Head.Master.detach().to(float64).requires_grad_();
        var x = states.to(float64).requires_grad_();
        var expected = nn.functional.cross_entropy(x.matmul(weight.t()), targets, reduction: nn.Reduction.None);
        (expected * coefficients.to(float64)).sum().backward();

        Assert.Multiple(() =>
        {
            // Losses near ln 140,000 ≈ 12 in float32: 12 · 2⁻²⁴ with a few roundings.
            Assert.That(LargestDifference(losses, expected), Is.LessThan(1e-5));
            Assert.That(LargestDifference(withoutGradient, losses), Is.Zero);
            // Sums of 140,000 products, in all about 1, in float32 and in an order the library chooses: between the random walk of
            // roundings, √140,000 · 2⁻²⁴ ≈ 2e-5, and their worst case, 140,000 · 2⁻²⁴ ≈ 8e-3; near the former.
            Assert.That(LargestDifference(stateGradient, x.grad!), Is.LessThan(1e-4));
            // Sums of at most 100 products.
            Assert.That(LargestDifference(parameters.Head.Gradient!, weight.grad!), Is.LessThan(1e-5));
        });
    }

    /// <summary>
    /// The vocabulary of Qwen at 4,096 targets: all logits at once would be 2.5 GB, and autograd keeps them two or three times.
    /// </summary>
    [Test]
    public void A_large_vocabulary_adds_less_than_300_MB([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision)
    {
        const int vocabulary = 151_936, hidden = 64, count = 4096;
        var config = TinyModels.Llama with
        {
            VocabularySize = vocabulary, HiddenSize = hidden, HeadSize = 16, AttentionHeads = 4, KeyValueHeads = 4, LayerCount = 1,
        };
        using var parameters = new DecoderParameters(config, TunedPart.All, precision, CPU);
        using var scope = NewDisposeScope();
        manual_seed(3);
        using (no_grad()) parameters.Embedding.Master.normal_(0, 0.05);
        parameters.RefreshHalf();
        parameters.Head.Gradient!.zero_();
        var states = randn(count, hidden);
        var targets = randint(0, vocabulary, new long[] { count });
        var coefficients = full(count, 1f / count);

        ProcessMemory.ResetPeak();
        long before = ProcessMemory.Resident;
        var (losses, _) = HeadLoss.Gradient(states, targets, coefficients, parameters.Head, precision);
        long added = ProcessMemory.Peak - before;

        TestContext.Out.WriteLine($"{added / 1e6:F0} MB beside the parameters and their gradient");
        Assert.That(added, Is.LessThan(300_000_000));
        Assert.That(losses.mean().item<float>(), Is.EqualTo(Math.Log(vocabulary)).Within(0.5), "nearly uniform predictions");
    }

    private static double LargestDifference(Tensor actual, Tensor expected) =>
        (actual.detach().to(float64) - expected.detach().to(float64)).abs().max().item<double>();
}
