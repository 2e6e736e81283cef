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

    /// <summary>The role of each token.</summary>
    /// <param name="lossDifference">LD, nats, <c>[S]</c>; NaN where no target.</param>
    /// <param name="rule">The rule; its <see cref="ClassificationRule.Reference"/> is the model LD was taken against.</param>
    /// <returns><c>[S]</c>; null where no target.</returns>
    public static TokenRole?[] Classify(ReadOnlySpan<float> lossDifference, ClassificationRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        var roles = new TokenRole?[lossDifference.Length];
        for (int i = 0; i < roles.Length; i++) roles[i] = rule.Classify(lossDifference[i]);
        return roles;
    }
}
