using CsCheck;
using Shad.Core.Samples;

namespace Shad.Data.Tests.Corpora;

/// <summary>Random tokenized samples and their comparison by content.</summary>
internal static class Samples
{
    internal static readonly Gen<TokenizedSample> Generate =
        from id in Gen.String[Gen.Char['\u0001', '\ud7ff'], 0, 8]
        from tokens in Gen.Select(Gen.Int[0, 200_000], Gen.Bool, Gen.Float[0, 10], Gen.Int[-1, 1]).Array[2, 40]
        from hasWeights in Gen.Bool
        from hasRoles in Gen.Bool
        select Create(id, tokens, hasWeights, hasRoles);

    internal static void AssertEqual(TokenizedSample actual, TokenizedSample expected)
    {
        Assert.That(actual.Id, Is.EqualTo(expected.Id));
        Assert.That(actual.InputIds, Is.EqualTo(expected.InputIds));
        Assert.That(actual.Labels, Is.EqualTo(expected.Labels));
        Assert.That(actual.Weights, Is.EqualTo(expected.Weights));
        Assert.That(actual.Roles, Is.EqualTo(expected.Roles));
    }

    private static TokenizedSample Create(
        string id, (int Token, bool Target, float Weight, int Role)[] tokens, bool hasWeights, bool hasRoles)
    {
        int last = tokens.Length - 1;
        bool IsTarget(int i) => i > 0 && (tokens[i].Target || i == last);
        return new TokenizedSample(
            id,
            [.. tokens.Select(t => t.Token)],
            [.. tokens.Select((t, i) => IsTarget(i) ? t.Token : TokenizedSample.IgnoredLabel)])
        {
            Weights = hasWeights ? [.. tokens.Select((t, i) => IsTarget(i) ? t.Weight : 0)] : null,
            Roles = hasRoles ? [.. tokens.Select((t, i) => IsTarget(i) && t.Role >= 0 ? (TokenRole?)t.Role : null)] : null,
        };
    }
}
