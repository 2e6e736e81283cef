using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Weighting;

namespace Shad.Core.Tests.Weighting;

public sealed class RftWeightingTests
{
    private static readonly Gen<(double Boilerplate, int BoilerplateTokens, double Reasoning, int ReasoningTokens, double Temperature)> Steps =
        Gen.Select(Gen.Double[0, 12], Gen.Int[1, 5000], Gen.Double[0, 12], Gen.Int[1, 5000], Gen.Double[0.1, 10]);

    [Test]
    public void As_it_stands_it_is_the_papers() => Steps.Sample(step =>
        new RftWeighting { Temperature = step.Temperature }.Weigh(step.Boilerplate, step.BoilerplateTokens, step.Reasoning, step.ReasoningTokens)
        == RftWeights.Compute(step.Boilerplate, step.Reasoning, step.Temperature));

    [Test]
    public void By_size_the_weight_of_a_token_is_the_exponential_of_its_groups_loss() => Steps.Sample(step =>
    {
        var weighting = new RftWeighting { Temperature = step.Temperature, BySize = true };
        var weights = weighting.Weigh(step.Boilerplate, step.BoilerplateTokens, step.Reasoning, step.ReasoningTokens);

        // The definition itself: exp(120) is far from overflow.
        double b = step.BoilerplateTokens * Math.Exp(step.Boilerplate / step.Temperature);
        double r = step.ReasoningTokens * Math.Exp(step.Reasoning / step.Temperature);

        // A logit of up to 130 carries a rounding of a few times 130 · 2⁻⁵³.
        Assert.That(weights.Boilerplate, Is.EqualTo(b / (b + r)).Within(2e-13));
        Assert.That(weights.Reasoning, Is.EqualTo(r / (b + r)).Within(2e-13));
    });

    [Test]
    public void By_size_equal_losses_weigh_every_token_alike() => Steps.Sample(step =>
    {
        var weights = new RftWeighting { BySize = true }.Weigh(step.Boilerplate, step.BoilerplateTokens, step.Boilerplate, step.ReasoningTokens);
        (double boilerplate, double reasoning) = weights.PerToken(step.BoilerplateTokens, step.ReasoningTokens);
        Assert.That(boilerplate, Is.EqualTo(1).Within(1e-12));
        Assert.That(reasoning, Is.EqualTo(1).Within(1e-12));
    });

    [Test]
    public void The_floor_lifts_boilerplate_against_reasoning_and_never_lowers_it() =>
        Gen.Select(Steps, Gen.Double[0, 1], Gen.Bool).Sample((step, floor, bySize) =>
        {
            var weighting = new RftWeighting { Temperature = step.Temperature, BySize = bySize };
            var without = weighting.Weigh(step.Boilerplate, step.BoilerplateTokens, step.Reasoning, step.ReasoningTokens);
            var with = (weighting with { BoilerplateFloor = floor })
                .Weigh(step.Boilerplate, step.BoilerplateTokens, step.Reasoning, step.ReasoningTokens);
            double all = step.BoilerplateTokens + step.ReasoningTokens;
            double boilerplate = Math.Max(without.Boilerplate, floor * step.BoilerplateTokens / all);
            Assert.That(with.Boilerplate + with.Reasoning, Is.EqualTo(1).Within(1e-14));

            // Compared crosswise, since a weight may be 0.
            Assert.That(with.Boilerplate * without.Reasoning, Is.EqualTo(with.Reasoning * boilerplate).Within(1e-14));
            Assert.That(with.Boilerplate, Is.GreaterThanOrEqualTo(without.Boilerplate - 1e-14));
        });

    [Test]
    public void After_a_share_of_the_tune_the_weights_go_over_to_those_of_supervised_fine_tuning() =>
        Gen.Select(Steps, Gen.Double[0, 1], Gen.Double[0, 1]).Sample((step, from, progress) =>
        {
            var weighting = new RftWeighting { Temperature = step.Temperature, BoilerplateFloor = 0.3 };
            var plain = weighting.Weigh(step.Boilerplate, step.BoilerplateTokens, step.Reasoning, step.ReasoningTokens);
            RftWeights At(double share) => (weighting with { AnnealFrom = from })
                .Weigh(step.Boilerplate, step.BoilerplateTokens, step.Reasoning, step.ReasoningTokens, share);
            double alike = step.ReasoningTokens / ((double)step.ReasoningTokens + step.BoilerplateTokens);
            double gone = progress <= from ? 0 : (progress - from) / (1 - from);
            Assert.That(At(progress).Reasoning, Is.EqualTo(plain.Reasoning + gone * (alike - plain.Reasoning)).Within(1e-13));
            Assert.That(At(progress).Boilerplate + At(progress).Reasoning, Is.EqualTo(1).Within(1e-13));
            Assert.That(At(from), Is.EqualTo(plain));
            Assert.That(At(1).Reasoning, Is.EqualTo(from < 1 ? alike : plain.Reasoning).Within(1e-13));
        });

    [Test]
    public void Where_it_is_never_to_go_over_progress_changes_nothing() => Steps.Sample(step =>
        new RftWeighting().Weigh(step.Boilerplate, step.BoilerplateTokens, step.Reasoning, step.ReasoningTokens, 1)
        == RftWeights.Compute(step.Boilerplate, step.Reasoning, 1));

    [TestCase(-0.1)]
    [TestCase(1.1)]
    [TestCase(double.NaN)]
    public void A_share_out_of_range_is_refused(double share)
    {
        Assert.That(
            () => new RftWeighting { AnnealFrom = share },
            Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("rft.bad_anneal_from"));
        Assert.That(() => new RftWeighting().Weigh(1, 1, 1, 1, share), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_group_that_is_alone_has_all_the_weight([Values] bool bySize, [Values(0, 1)] double floor)
    {
        var weighting = new RftWeighting { BySize = bySize, BoilerplateFloor = floor };
        Assert.That((weighting with { AnnealFrom = 0 }).Weigh(2, 7, double.NaN, 0, 0.5), Is.EqualTo(new RftWeights(1, 0)));
        Assert.That(weighting.Weigh(2, 7, double.NaN, 0), Is.EqualTo(new RftWeights(1, 0)));
        Assert.That(weighting.Weigh(double.NaN, 0, 2, 7), Is.EqualTo(new RftWeights(0, 1)));
        Assert.That(() => weighting.Weigh(1, 0, 1, 0), Throws.ArgumentException);
        Assert.That(() => weighting.Weigh(1, -1, 1, 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [TestCase(-0.1)]
    [TestCase(1.1)]
    [TestCase(double.NaN)]
    public void A_floor_out_of_range_is_refused(double floor) => Assert.That(
        () => new RftWeighting { BoilerplateFloor = floor },
        Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("rft.bad_boilerplate_floor"));

    [TestCase(0.0)]
    [TestCase(double.PositiveInfinity)]
    public void A_temperature_out_of_range_is_refused(double temperature) => Assert.That(
        () => new RftWeighting { Temperature = temperature },
        Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("rft.bad_temperature"));
}
