using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Core.Classification;

/// <summary>From per-token losses to loss differences to roles.</summary>
public static class RoleClassifier
{
    /// <summary>The loss difference of each token, <c>LD = probe − reference</c>.</summary>
    /// <param name="probeLosses">Losses of the probe (tuned on shuffled samples), nats, <c>[S]</c>; NaN where no target.</param>
    /// <param name="referenceLosses">Losses of the rule's <see cref="ClassificationRule.Reference"/>, nats, <c>[S]</c>; NaN where no
    /// target.</param>
    /// <returns><c>[S]</c>, nats; NaN where no target.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="ShadException">A token is scored by one model and not by the other, or a loss is infinite.</exception>
    public static float[] LossDifference(ReadOnlySpan<float> probeLosses, ReadOnlySpan<float> referenceLosses)
    {
        if (probeLosses.Length != referenceLosses.Length)
            throw new ArgumentException(
                $"There are {probeLosses.Length} losses of the probe and {referenceLosses.Length} of the reference.",
                nameof(referenceLosses));

        var difference = new float[probeLosses.Length];
        for (int i = 0; i < difference.Length; i++)
        {
            (float probe, float reference) = (probeLosses[i], referenceLosses[i]);
            if (float.IsNaN(probe) != float.IsNaN(reference)) throw CoreErrors.LossMissing(i, probe, reference);
            if (float.IsInfinity(probe) || float.IsInfinity(reference)) throw CoreErrors.LossNotFinite(i, probe, reference);
            difference[i] = probe - reference;
        }

        return difference;
    }

    /// <summary>What the rule decides each token by: its own value, or the largest of its word.</summary>
    /// <param name="values">LD, or the probe's losses, nats, <c>[S]</c>; NaN where no target.</param>
    /// <param name="words">Number of the word each token belongs to, <c>[S]</c>; equal neighbours are one word. Empty where words are
    /// not known: then every token is one.</param>
    /// <param name="rule">The rule; its <see cref="ClassificationRule.Reference"/> is the model LD was taken against.</param>
    /// <returns><c>[S]</c>, nats; NaN where no target.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static float[] Evidence(ReadOnlySpan<float> values, ReadOnlySpan<int> words, ClassificationRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        float[] evidence = values.ToArray();
        if (rule.Unit == EvidenceUnit.Token || words.IsEmpty) return evidence;
        if (words.Length != evidence.Length)
            throw new ArgumentException($"There are {evidence.Length} values and {words.Length} word numbers.", nameof(words));

        for (int start = 0; start < evidence.Length;)
        {
            int end = start + 1;
            while (end < evidence.Length && words[end] == words[start]) end++;
            float largest = float.NaN;
            foreach (float value in values[start..end])
            {
                if (!(value <= largest) && !float.IsNaN(value)) largest = value;
            }

            for (int i = start; i < end; i++)
            {
                if (!float.IsNaN(evidence[i])) evidence[i] = largest;
            }

            start = end;
        }

        return evidence;
    }

    /// <summary>The role of each token.</summary>
    /// <param name="lossDifference">What <see cref="Evidence"/> makes of LD, nats, <c>[S]</c>; NaN where no target.</param>
    /// <param name="surprise">What it makes of the probe's losses, nats, <c>[S]</c>.</param>
    /// <param name="rule">The rule.</param>
    /// <returns><c>[S]</c>; null where no target.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static TokenRole?[] Classify(ReadOnlySpan<float> lossDifference, ReadOnlySpan<float> surprise, ClassificationRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        if (lossDifference.Length != surprise.Length)
            throw new ArgumentException($"There are {lossDifference.Length} loss differences and {surprise.Length} losses of the probe.", nameof(surprise));
        var roles = new TokenRole?[lossDifference.Length];
        for (int i = 0; i < roles.Length; i++) roles[i] = rule.Classify(lossDifference[i], surprise[i]);
        return roles;
    }
}
