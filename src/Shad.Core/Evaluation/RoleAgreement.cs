using Shad.Core.Samples;

namespace Shad.Core.Evaluation;

/// <summary>
/// How well a rule's roles agree with known ones. Reasoning is the positive class. Ratios without a denominator are null.
/// </summary>
/// <param name="TruePositives">Reasoning tokens found as reasoning.</param>
/// <param name="FalsePositives">Boilerplate tokens taken for reasoning.</param>
/// <param name="FalseNegatives">Reasoning tokens taken for boilerplate.</param>
/// <param name="TrueNegatives">Boilerplate tokens found as boilerplate.</param>
/// <param name="Auc">
/// Area under the ROC curve: the probability that a random reasoning token scores higher than a random boilerplate token, ties
/// counted by half. Null where one of the two roles does not occur.
/// </param>
public sealed record RoleAgreement(
    long TruePositives, long FalsePositives, long FalseNegatives, long TrueNegatives, double? Auc)
{
    /// <summary>Tokens compared.</summary>
    public long Tokens => TruePositives + FalsePositives + FalseNegatives + TrueNegatives;

    /// <summary>Share of the tokens taken for reasoning that are reasoning.</summary>
    public double? Precision => Ratio(TruePositives, TruePositives + FalsePositives);

    /// <summary>Share of the reasoning tokens found.</summary>
    public double? Recall => Ratio(TruePositives, TruePositives + FalseNegatives);

    /// <summary>Harmonic mean of precision and recall.</summary>
    public double? F1 => Ratio(2 * TruePositives, 2 * TruePositives + FalsePositives + FalseNegatives);

    /// <summary>Share of the tokens whose role is right.</summary>
    public double? Accuracy => Ratio(TruePositives + TrueNegatives, Tokens);

    /// <summary>Compares the tokens of one sample. See <see cref="RoleAgreementCounter.Add"/>.</summary>
    public static RoleAgreement Compute(
        ReadOnlySpan<float> scores, ReadOnlySpan<TokenRole?> predicted, ReadOnlySpan<TokenRole?> known)
    {
        var counter = new RoleAgreementCounter();
        counter.Add(scores, predicted, known);
        return counter.ToAgreement();
    }

    private static double? Ratio(long part, long whole) => whole == 0 ? null : (double)part / whole;
}

/// <summary>Collects predicted and known roles sample by sample. Holds 4 bytes a token, which the exact AUC needs.</summary>
public sealed class RoleAgreementCounter
{
    private readonly List<float> _reasoningScores = [];
    private readonly List<float> _boilerplateScores = [];
    private long _truePositives, _falsePositives, _falseNegatives, _trueNegatives;

    /// <summary>Adds the tokens of a sample whose role is known; the others are left out.</summary>
    /// <param name="scores">What the rule decides by, the loss difference, <c>[S]</c>; more means reasoning.</param>
    /// <param name="predicted">The rule's roles, <c>[S]</c>.</param>
    /// <param name="known">The known roles, <c>[S]</c>; null where unknown or no target.</param>
    /// <exception cref="ArgumentException">The lengths differ, or a token of known role has no score or no predicted role.</exception>
    public void Add(ReadOnlySpan<float> scores, ReadOnlySpan<TokenRole?> predicted, ReadOnlySpan<TokenRole?> known)
    {
        if (scores.Length != known.Length || predicted.Length != known.Length)
            throw new ArgumentException(
                $"There are {scores.Length} scores, {predicted.Length} predicted and {known.Length} known roles; expected as many.",
                nameof(known));

        for (int i = 0; i < known.Length; i++)
        {
            if (known[i] is { } role && (float.IsNaN(scores[i]) || predicted[i] is null))
                throw new ArgumentException($"Token {i} is known to be {role}, but it was not classified.", nameof(predicted));
        }

        for (int i = 0; i < known.Length; i++)
        {
            switch (known[i], predicted[i])
            {
                case (null, _): continue;
                case (TokenRole.Reasoning, TokenRole.Reasoning): _truePositives++; break;
                case (TokenRole.Reasoning, _): _falseNegatives++; break;
                case (_, TokenRole.Reasoning): _falsePositives++; break;
                default: _trueNegatives++; break;
            }

            (known[i] == TokenRole.Reasoning ? _reasoningScores : _boilerplateScores).Add(scores[i]);
        }
    }

    /// <summary>The agreement over everything added so far.</summary>
    public RoleAgreement ToAgreement() =>
        new(_truePositives, _falsePositives, _falseNegatives, _trueNegatives, AreaUnderCurve());

    /// <summary>The Mann–Whitney statistic over the number of pairs, counted in whole half-wins, so it is exact.</summary>
    private double? AreaUnderCurve()
    {
        if (_reasoningScores.Count == 0 || _boilerplateScores.Count == 0) return null;
        float[] reasoning = [.. _reasoningScores];
        float[] boilerplate = [.. _boilerplateScores];
        Array.Sort(reasoning);
        Array.Sort(boilerplate);

        // For ascending reasoning scores, the boilerplate scores below and up to each only move forward.
        long halfWins = 0;
        int below = 0, upTo = 0;
        foreach (float score in reasoning)
        {
            while (below < boilerplate.Length && boilerplate[below] < score) below++;
            while (upTo < boilerplate.Length && boilerplate[upTo] <= score) upTo++;
            halfWins += (long)below + upTo;
        }

        return halfWins / (2.0 * reasoning.Length * boilerplate.Length);
    }
}
