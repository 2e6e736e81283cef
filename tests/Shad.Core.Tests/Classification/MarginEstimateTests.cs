using CsCheck;
using Shad.Core.Classification;
using Shad.Core.Errors;
using Shad.Core.Randomness;

namespace Shad.Core.Tests.Classification;

public sealed class MarginEstimateTests
{
    private static readonly AlignedControlRule s_tokens = new() { Unit = EvidenceUnit.Token };

    [Test]
    public void The_margin_is_the_least_one_that_keeps_the_share() =>
        Gen.Select(Gen.Float[-3, 5].Array[0, 200], Gen.Double[MarginEstimate.LeastFalseShare, MarginEstimate.MostFalseShare]).Sample((values, share) =>
        {
            double? expected = null;
            for (double margin = 0; margin <= MarginEstimate.Largest && expected is null; margin += MarginEstimate.Resolution)
            {
                int above = values.Count(value => value > margin), below = values.Count(value => value < -margin);
                if (above > 0 && 1 + below <= share * above) expected = margin;
            }

            double? found = Of(values).Margin(share);
            return found == expected;
        });

    [Test]
    public void Of_symmetric_noise_and_reasoning_above_it_the_share_of_boilerplate_above_the_margin_is_as_asked()
    {
        // 40,000 boilerplate tokens with Laplace noise of scale 0.2 nats, 10,000 reasoning tokens at 1 to 5 nats with the same noise.
        var random = new SeededRandom(3);
        double Noise()
        {
            double u = random.NextDouble() - 0.5;
            return -0.2 * Math.Sign(u) * Math.Log(1 - 2 * Math.Abs(u));
        }

        float[] boilerplate = [.. Enumerable.Range(0, 40_000).Select(_ => (float)Noise())];
        float[] reasoning = [.. Enumerable.Range(0, 10_000).Select(_ => (float)(1 + 4 * random.NextDouble() + Noise()))];
        double margin = Of([.. boilerplate, .. reasoning]).Margin(0.05)!.Value;
        double wrong = boilerplate.Count(value => value > margin), right = reasoning.Count(value => value > margin);

        // About 530 of each side of the noise are beyond the margin: Poisson counts, of which the estimate is one and the truth the other. Their
        // difference has a standard deviation of √(2 · 530) = 33 in 10,500 tokens, 0.3 points; four of them are 1.3.
        Assert.That(wrong / (wrong + right), Is.EqualTo(0.05).Within(0.013));
        Assert.That(margin, Is.EqualTo(0.2 * Math.Log(20_000 / 530.0)).Within(0.05), "where the tail of the noise is that small");
    }

    [Test]
    public void Words_count_by_their_largest_difference_on_either_side()
    {
        // Words of 2 and 3 tokens. Above 1: the five tokens of both words; below −1: three of the second.
        var estimate = new MarginEstimate();
        estimate.Add([2, 0, 2, 0, -2], [0, 0, 1, 1, 1], new AlignedControlRule());
        Assert.That(estimate.Margin(0.5), Is.Null, "(1 + 3) of 5");
        for (int i = 0; i < 7; i++) estimate.Add([2, 0], [0, 0], new AlignedControlRule());
        Assert.That(estimate.Margin(0.25), Is.Zero, "(1 + 3) of 19 from the least margin on");
    }

    [Test]
    public void Where_there_is_only_noise_there_is_no_margin()
    {
        Assert.That(new MarginEstimate().Margin(0.05), Is.Null);
        float[] values = [.. Enumerable.Range(1, 500).SelectMany(i => new[] { i / 100f, -i / 100f })];
        Assert.That(Of(values).Margin(0.05), Is.Null);
    }

    [Test]
    public void A_tip_of_the_differences_that_alone_would_pass_is_no_margin() =>
        Assert.That(Of([.. Enumerable.Repeat(9f, 100), .. Enumerable.Repeat(4f, 1000), .. Enumerable.Repeat(-3f, 500)]).Margin(0.05), Is.Null);

    [Test]
    public void Differences_beyond_the_largest_margin_count_as_it() =>
        Assert.That(Of([.. Enumerable.Repeat(1e6f, 100), .. Enumerable.Repeat(-1f, 50)]).Margin(0.05), Is.EqualTo(1));

    [TestCase(0)]
    [TestCase(0.6)]
    [TestCase(double.NaN)]
    public void A_share_out_of_range_is_refused(double share) => Assert.That(
        () => new MarginEstimate().Margin(share),
        Throws.InstanceOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("classification.bad_false_share"));

    private static MarginEstimate Of(float[] values)
    {
        var estimate = new MarginEstimate();
        estimate.Add(values, [], s_tokens);
        return estimate;
    }
}
