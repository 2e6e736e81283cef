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
        Assert.That(rule.Classify(0, 30), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That(rule.Classify(double.Epsilon, 0), Is.EqualTo(TokenRole.Reasoning));
        Assert.That(rule.Classify(-3, 30), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That(rule.Classify(double.NaN, 30), Is.Null);
    }

    [Test]
    public void The_control_rule_compares_with_the_aligned_control_and_cuts_at_its_margin()
    {
        Assert.That(new AlignedControlRule().Margin, Is.EqualTo(0.1));
        var rule = new AlignedControlRule(0.25);
        Assert.That(rule.Reference, Is.EqualTo(ReferenceModel.AlignedControl));
        Assert.That(rule.Classify(0.25, 2), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That(rule.Classify(0.2500001, 0), Is.EqualTo(TokenRole.Reasoning));
        Assert.That((rule with { Margin = 0 }).Classify(0.1, 0), Is.EqualTo(TokenRole.Reasoning));
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
            TokenRole?[] roles = RoleClassifier.Classify(difference, probe, new AlignedControlRule(margin) { Surprise = double.PositiveInfinity });
            return tokens.Select((token, i) =>
                token.Item3
                    ? difference[i].Equals(token.Item1 - token.Item2)
                        && (roles[i] == TokenRole.Reasoning) == (token.Item1 - token.Item2 > margin) && roles[i] is not null
                    : float.IsNaN(difference[i]) && roles[i] is null).All(right => right);
        });

    [Test]
    public void What_surprises_the_probe_is_reasoning_whatever_the_difference_says()
    {
        var rule = new AlignedControlRule();
        Assert.That(rule.Surprise, Is.EqualTo(2));
        Assert.That(new PaperRule().Surprise, Is.EqualTo(double.PositiveInfinity));
        Assert.That(rule.Classify(-5, 2), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That(rule.Classify(-5, 2.0001), Is.EqualTo(TokenRole.Reasoning));
        Assert.That((rule with { Surprise = 3 }).Classify(-5, 2.5), Is.EqualTo(TokenRole.Boilerplate));
        Assert.That((rule with { Surprise = 3 }).Classify(double.NaN, 9), Is.Null, "no target");
        Assert.That(
            RoleClassifier.Classify([float.NaN, 0, 1], [float.NaN, 4, 0], rule),
            Is.EqualTo(new TokenRole?[] { null, TokenRole.Reasoning, TokenRole.Reasoning }));
        Assert.That(() => RoleClassifier.Classify([0, 1], [0], rule), Throws.ArgumentException);
    }

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(double.NaN)]
    public void A_surprise_out_of_range_is_refused(double surprise)
    {
        Assert.That(() => new AlignedControlRule { Surprise = surprise }, HasCode("classification.bad_surprise"));
        Assert.That(() => new PaperRule { Surprise = surprise }, HasCode("classification.bad_surprise"));
    }

    [Test]
    public void A_word_is_decided_on_by_its_largest_difference()
    {
        float[] difference = [float.NaN, -1, 3, 0.05f, float.NaN, float.NaN, 0.2f, float.NaN];
        int[] words = [0, 1, 1, 2, 3, 4, 4, 5];
        Assert.That(
            RoleClassifier.Evidence(difference, words, new AlignedControlRule()),
            Is.EqualTo(new[] { float.NaN, 3, 3, 0.05f, float.NaN, float.NaN, 0.2f, float.NaN }));
        Assert.That(RoleClassifier.Evidence(difference, words, new PaperRule()), Is.EqualTo(difference), "the paper decides on tokens");
        Assert.That(
            RoleClassifier.Evidence(difference, words, new AlignedControlRule { Unit = EvidenceUnit.Token }), Is.EqualTo(difference));
        Assert.That(RoleClassifier.Evidence(difference, [], new AlignedControlRule()), Is.EqualTo(difference), "words are not known");
        Assert.That(() => RoleClassifier.Evidence(difference, [0], new AlignedControlRule()), Throws.ArgumentException);
    }

    [Test]
    public void Tokens_of_one_word_have_one_role_and_no_token_loses_evidence() =>
        Gen.Select(Gen.Float[-5, 5], Gen.Bool, Gen.Bool).Array.Sample(tokens =>
        {
            float[] difference = [.. tokens.Select(token => token.Item2 ? token.Item1 : float.NaN)];
            var words = new int[tokens.Length];
            for (int i = 1; i < words.Length; i++) words[i] = words[i - 1] + (tokens[i].Item3 ? 1 : 0);
            float[] evidence = RoleClassifier.Evidence(difference, words, new AlignedControlRule());
            return Enumerable.Range(0, words.Length).All(i => float.IsNaN(difference[i])
                ? float.IsNaN(evidence[i])
                : evidence[i] == Enumerable.Range(0, words.Length)
                    .Where(k => words[k] == words[i] && !float.IsNaN(difference[k])).Max(k => difference[k]));
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
