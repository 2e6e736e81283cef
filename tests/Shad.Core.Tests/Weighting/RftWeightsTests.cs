using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Weighting;

namespace Shad.Core.Tests.Weighting;

public sealed class RftWeightsTests
{
    [Test]
    public void They_are_the_softmax_of_the_mean_losses() =>
        Gen.Select(Gen.Double[0, 12], Gen.Double[0, 12], Gen.Double[0.05, 20]).Sample((boilerplate, reasoning, temperature) =>
        {
            // The definition itself; exp(240) is far from overflow.
            double b = Math.Exp(boilerplate / temperature), r = Math.Exp(reasoning / temperature);
            RftWeights weights = RftWeights.Compute(boilerplate, reasoning, temperature);

            // exp of a logit of up to 240 that carries a rounding of 2⁻⁵³ relative: 240 · 1.1e-16, a few times.
            return Math.Abs(weights.Boilerplate - b / (b + r)) < 2e-13 && Math.Abs(weights.Reasoning - r / (b + r)) < 2e-13;
        });

    [Test]
    public void They_add_up_to_1_and_follow_the_larger_loss_whatever_the_losses() =>
        Gen.Select(Gen.Double[-1e300, 1e300], Gen.Double[-1e300, 1e300], Gen.Double[1e-300, 1e300]).Sample(
            (boilerplate, reasoning, temperature) =>
            {
                RftWeights weights = RftWeights.Compute(boilerplate, reasoning, temperature);
                return weights.Boilerplate >= 0 && weights.Reasoning >= 0
                    && Math.Abs(weights.Boilerplate + weights.Reasoning - 1) < 1e-15
                    && (reasoning >= boilerplate ? weights.Reasoning >= 0.5 : weights.Boilerplate >= 0.5);
            });

    [TestCase(0.0, 1e6, 0.0, 1.0)]
    [TestCase(1e6, 0.0, 1.0, 0.0)]
    [TestCase(1e308, -1e308, 1.0, 0.0)]
    [TestCase(5e8, 5e8, 0.5, 0.5)]
    [TestCase(0.0, 0.0, 0.5, 0.5)]
    public void Extreme_losses_stay_stable(double boilerplateLoss, double reasoningLoss, double boilerplate, double reasoning) =>
        Assert.That(
            RftWeights.Compute(boilerplateLoss, reasoningLoss, 0.01), Is.EqualTo(new RftWeights(boilerplate, reasoning)));

    [Test]
    public void A_high_temperature_evens_them_out_and_a_low_one_picks_the_larger_loss()
    {
        Assert.That(RftWeights.Compute(0.1, 3, 1e9).Reasoning, Is.EqualTo(0.5).Within(1e-8));
        Assert.That(RftWeights.Compute(0.1, 3, 1e-3).Reasoning, Is.EqualTo(1));
        Assert.That(RftWeights.Compute(0.1, 3, double.Epsilon).Boilerplate, Is.Zero);
    }

    [Test]
    public void A_group_that_is_alone_has_all_the_weight()
    {
        Assert.That(RftWeights.Compute(2.5, null, 1), Is.EqualTo(new RftWeights(1, 0)));
        Assert.That(RftWeights.Compute(null, 2.5, 1), Is.EqualTo(new RftWeights(0, 1)));
        Assert.That(() => RftWeights.Compute(null, null, 1), Throws.ArgumentException);
    }

    [TestCase(0.0)]
    [TestCase(-1.0)]
    [TestCase(double.NaN)]
    [TestCase(double.PositiveInfinity)]
    public void A_temperature_out_of_range_is_refused(double temperature) =>
        Assert.That(
            () => RftWeights.Compute(1, 2, temperature),
            Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("rft.bad_temperature"));

    [TestCase(double.NaN, 1.0)]
    [TestCase(1.0, double.PositiveInfinity)]
    public void A_loss_that_is_no_number_is_not_taken_for_an_absent_group(double boilerplateLoss, double reasoningLoss) =>
        Assert.That(() => RftWeights.Compute(boilerplateLoss, reasoningLoss, 1), Throws.ArgumentException);

    [Test]
    public void Per_token_weights_give_the_loss_as_a_weighted_mean() =>
        Gen.Select(Gen.Double[0, 9].Array[1, 40], Gen.Double[0, 9].Array[1, 40]).Sample((boilerplate, reasoning) =>
        {
            RftWeights weights = RftWeights.Compute(boilerplate.Average(), reasoning.Average(), 1);
            (double b, double r) = weights.PerToken(boilerplate.Length, reasoning.Length);
            double sum = boilerplate.Sum() * b + reasoning.Sum() * r;
            double total = boilerplate.Length * b + reasoning.Length * r;
            double loss = weights.Boilerplate * boilerplate.Average() + weights.Reasoning * reasoning.Average();

            // A few dozen additions of numbers below 9 · 80: relative rounding below 1e-14.
            return Math.Abs(sum / total - loss) < 1e-12 && Math.Abs(total - boilerplate.Length - reasoning.Length) < 1e-11;
        });

    [Test]
    public void Per_token_weights_of_a_group_that_is_alone_are_1()
    {
        var weights = new RftWeights(0.3, 0.7);
        Assert.That(weights.PerToken(5, 0), Is.EqualTo((1.0, 0.0)));
        Assert.That(weights.PerToken(0, 5), Is.EqualTo((0.0, 1.0)));
        Assert.That(weights.PerToken(0, 0), Is.EqualTo((0.0, 0.0)));
        Assert.That(() => weights.PerToken(-1, 5), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
