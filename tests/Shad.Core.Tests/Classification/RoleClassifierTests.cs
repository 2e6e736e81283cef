using CsCheck;
using NUnit.Framework.Constraints;
using Shad.Core.Classification;
using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Core.Tests.Classification;

public sealed class RoleClassifierTests
{
    [Test]
    public void The_paper_compares_with_the_base_model_and_cuts_at_0()
    {
        var rule = new PaperRule();
        Assert.That(rule.Reference, Is.EqualTo(ReferenceModel.Base));
        Assert.That(rule.Margin, Is.Zero);
        Assert.That(rule.Classify(0), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That(rule.Classify(double.Epsilon), Is.EqualTo(TokenRole.Reasoning));
        Assert.That(rule.Classify(-3), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That(rule.Classify(double.NaN), Is.Null);
    }

    [Test]
    public void The_control_rule_compares_with_the_aligned_control_and_cuts_at_its_margin()
    {
        Assert.That(new AlignedControlRule().Margin, Is.EqualTo(0.1));
        var rule = new AlignedControlRule(0.25);
        Assert.That(rule.Reference, Is.EqualTo(ReferenceModel.AlignedControl));
        Assert.That(rule.Classify(0.25), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That(rule.Classify(0.2500001), Is.EqualTo(TokenRole.Reasoning));
        Assert.That((rule with { Margin = 0 }).Classify(0.1), Is.EqualTo(TokenRole.Reasoning));
        Assert.That(rule, Is.EqualTo(new AlignedControlRule(0.25)).And.Not.EqualTo(new AlignedControlRule(0.2)));
    }

    [TestCase(-0.01)]
    [TestCase(double.NaN)]
    [TestCase(double.PositiveInfinity)]
    public void A_margin_out_of_range_is_refused(double margin)
    {
        Assert.That(() => new AlignedControlRule(margin), HasCode("classification.bad_margin"));
        Assert.That(() => new AlignedControlRule() with { Margin = margin }, HasCode("classification.bad_margin"));
        Assert.That(() => new PaperRule { Margin = margin }, HasCode("classification.bad_margin"));
    }

    [Test]
    public void A_token_is_reasoning_exactly_where_its_difference_exceeds_the_margin() =>
        Gen.Select(Gen.Select(Gen.Float[0, 20], Gen.Float[0, 20], Gen.Bool).Array, Gen.Double[0, 2]).Sample((tokens, margin) =>
        {
            float[] probe = [.. tokens.Select(token => token.Item3 ? token.Item1 : float.NaN)];
            float[] reference = [.. tokens.Select(token => token.Item3 ? token.Item2 : float.NaN)];
            float[] difference = RoleClassifier.LossDifference(probe, reference);
            TokenRole?[] roles = RoleClassifier.Classify(difference, new AlignedControlRule(margin));
            return tokens.Select((token, i) =>
                token.Item3
                    ? difference[i].Equals(token.Item1 - token.Item2)
                        && (roles[i] == TokenRole.Reasoning) == (token.Item1 - token.Item2 > margin) && roles[i] is not null
                    : float.IsNaN(difference[i]) && roles[i] is null).All(right => right);
        });

    [Test]
    public void A_token_scored_by_one_model_only_is_refused() =>
        Assert.That(
            () => RoleClassifier.LossDifference([float.NaN, 1], [float.NaN, float.NaN]), HasCode("classification.loss_missing"));

    [Test]
    public void Infinite_losses_are_refused() =>
        Assert.That(
            () => RoleClassifier.LossDifference([float.PositiveInfinity], [float.PositiveInfinity]),
            HasCode("classification.loss_not_finite"));

    [Test]
    public void Different_lengths_are_refused() =>
        Assert.That(() => RoleClassifier.LossDifference([1, 2], [1]), Throws.ArgumentException);

    private static EqualStringConstraint HasCode(string code) =>
        Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo(code);
}
