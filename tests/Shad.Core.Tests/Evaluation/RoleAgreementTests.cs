using CsCheck;
using Shad.Core.Evaluation;
using Shad.Core.Samples;

namespace Shad.Core.Tests.Evaluation;

public sealed class RoleAgreementTests
{
    private const TokenRole R = TokenRole.Reasoning;
    private const TokenRole B = TokenRole.Boilerplate;

    private static readonly Gen<TokenRole?> GenRole = Gen.Int[0, 2].Select(i => new TokenRole?[] { null, B, R }[i]);

    [Test]
    public void The_area_under_the_curve_is_the_share_of_pairs_in_order() =>
        Gen.Select(Gen.Int[-4, 4], GenRole).Array[0, 60].Sample(tokens =>
        {
            float[] scores = [.. tokens.Select(token => token.Item1 / 3f)];
            TokenRole?[] known = [.. tokens.Select(token => token.Item2)];
            double wins = 0;
            long pairs = 0;
            for (int i = 0; i < scores.Length; i++)
            {
                for (int j = 0; j < scores.Length; j++)
                {
                    if (known[i] != R || known[j] != B) continue;
                    pairs++;
                    wins += scores[i] > scores[j] ? 1 : scores[i].Equals(scores[j]) ? 0.5 : 0;
                }
            }

            // Both are sums of halves, exact in double precision, divided once.
            double? expected = pairs == 0 ? null : wins / pairs;
            Assert.That(RoleAgreement.Compute(scores, known, known).Auc, Is.EqualTo(expected));
        }, iter: 1000, threads: 1);

    [Test]
    public void Precision_recall_and_F1_follow_from_the_counts()
    {
        RoleAgreement agreement = RoleAgreement.Compute(
            [5, 4, 3, 2, 1, 0, float.NaN, 9],
            [R, R, R, B, B, B, null, R],
            [R, R, B, R, B, B, null, null]);
        Assert.That(
            (agreement.TruePositives, agreement.FalsePositives, agreement.FalseNegatives, agreement.TrueNegatives),
            Is.EqualTo((2L, 1L, 1L, 2L)));
        Assert.That(agreement.Tokens, Is.EqualTo(6));
        Assert.That(agreement.Precision, Is.EqualTo(2.0 / 3));
        Assert.That(agreement.Recall, Is.EqualTo(2.0 / 3));
        Assert.That(agreement.F1, Is.EqualTo(2.0 / 3));
        Assert.That(agreement.Accuracy, Is.EqualTo(4.0 / 6));
        Assert.That(agreement.Auc, Is.EqualTo(8.0 / 9));
    }

    [Test]
    public void F1_is_the_harmonic_mean_of_precision_and_recall() =>
        Gen.Select(GenRole.Where(role => role is not null), GenRole.Where(role => role is not null)).Array[1, 50].Sample(tokens =>
        {
            RoleAgreement agreement = RoleAgreement.Compute(
                new float[tokens.Length], [.. tokens.Select(token => token.Item1)], [.. tokens.Select(token => token.Item2)]);
            if (agreement.Precision is not { } precision || agreement.Recall is not { } recall || precision + recall == 0)
                return agreement.TruePositives == 0;
            return Math.Abs(agreement.F1!.Value - 2 * precision * recall / (precision + recall)) < 1e-15;
        });

    [Test]
    public void What_has_no_denominator_is_unknown_and_not_0()
    {
        RoleAgreement agreement = RoleAgreement.Compute([1], [B], [B]);
        Assert.That(new double?[] { agreement.Auc, agreement.Precision, agreement.Recall, agreement.F1 }, Is.All.Null);
        Assert.That(agreement.Accuracy, Is.EqualTo(1));
        Assert.That(new RoleAgreementCounter().ToAgreement().Accuracy, Is.Null);
    }

    [Test]
    public void Samples_added_one_by_one_agree_with_all_at_once() =>
        Gen.Select(Gen.Float[-2, 2], GenRole, Gen.Bool).Array[2, 60].Sample(tokens =>
        {
            float[] scores = [.. tokens.Select(token => token.Item1)];
            TokenRole?[] known = [.. tokens.Select(token => token.Item2)];
            TokenRole?[] predicted = [.. tokens.Select(token => (TokenRole?)(token.Item3 ? R : B))];
            var counter = new RoleAgreementCounter();
            int half = tokens.Length / 2;
            counter.Add(scores.AsSpan(..half), predicted.AsSpan(..half), known.AsSpan(..half));
            counter.Add(scores.AsSpan(half..), predicted.AsSpan(half..), known.AsSpan(half..));
            return counter.ToAgreement() == RoleAgreement.Compute(scores, predicted, known);
        });

    [Test]
    public void A_token_of_known_role_that_was_not_classified_is_refused()
    {
        var counter = new RoleAgreementCounter();
        Assert.That(() => counter.Add([1, float.NaN], [R, R], [B, R]), Throws.ArgumentException);
        Assert.That(() => counter.Add([1, 2], [R, null], [B, R]), Throws.ArgumentException);
        Assert.That(() => counter.Add([1], [R, R], [B, R]), Throws.ArgumentException);
        Assert.That(counter.ToAgreement().Tokens, Is.Zero, "a refused sample leaves no trace");
    }
}
