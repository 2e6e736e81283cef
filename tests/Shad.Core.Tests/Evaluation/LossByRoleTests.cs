using CsCheck;
using Shad.Core.Evaluation;
using Shad.Core.Samples;

namespace Shad.Core.Tests.Evaluation;

public sealed class LossByRoleTests
{
    private const TokenRole R = TokenRole.Reasoning;
    private const TokenRole B = TokenRole.Boilerplate;

    [Test]
    public void Means_are_taken_over_the_tokens_of_each_role()
    {
        var losses = new LossByRole();
        losses.Add([float.NaN, 1, 2, 6, 8], [null, B, B, R, null]);
        losses.Add([3], [R]);
        Assert.That((losses.BoilerplateTokens, losses.ReasoningTokens, losses.UnknownTokens), Is.EqualTo((2L, 2L, 1L)));
        Assert.That(losses.BoilerplateLoss, Is.EqualTo(1.5));
        Assert.That(losses.ReasoningLoss, Is.EqualTo(4.5));
        Assert.That(losses.Loss, Is.EqualTo(4));
        Assert.That(losses.BoilerplateShare, Is.EqualTo(0.5));
    }

    [Test]
    public void Without_roles_only_the_overall_mean_is_known()
    {
        var losses = new LossByRole();
        losses.Add([1, float.NaN, 3], []);
        Assert.That(losses.Loss, Is.EqualTo(2));
        Assert.That(losses.BoilerplateLoss, Is.Null);
        Assert.That(losses.BoilerplateShare, Is.Null);
        Assert.That(new LossByRole().Loss, Is.Null);
    }

    [Test]
    public void Two_accumulators_merge_into_one() =>
        Gen.Select(Gen.Float[0, 9], Gen.Int[0, 2].Select(i => new TokenRole?[] { null, B, R }[i])).Array[0, 40].Sample(tokens =>
        {
            float[] values = [.. tokens.Select(token => token.Item1)];
            TokenRole?[] roles = [.. tokens.Select(token => token.Item2)];
            int half = tokens.Length / 2;
            var (whole, first, second) = (new LossByRole(), new LossByRole(), new LossByRole());
            whole.Add(values, roles);
            first.Add(values.AsSpan(..half), roles.AsSpan(..half));
            second.Add(values.AsSpan(half..), roles.AsSpan(half..));
            first.Add(second);

            // At most 40 additions of numbers below 9, in another order.
            return first.Tokens == whole.Tokens && Math.Abs((first.Loss ?? 0) - (whole.Loss ?? 0)) < 1e-12
                && Math.Abs((first.ReasoningLoss ?? 0) - (whole.ReasoningLoss ?? 0)) < 1e-12;
        });

    [Test]
    public void A_role_without_a_loss_is_refused()
    {
        var losses = new LossByRole();
        Assert.That(() => losses.Add([1, float.NaN], [B, R]), Throws.ArgumentException);
        Assert.That(() => losses.Add([1, 2], [B]), Throws.ArgumentException);
        Assert.That(losses.Tokens, Is.Zero);
    }
}
