using Shad.Core.Errors;

namespace Shad.Core.Classification;

/// <summary>
/// Finds the margin of the aligned-control rule from the noise of the corpus itself. Add every sample, then ask for the margin.
/// </summary>
/// <remarks>
/// Where a token is boilerplate, probe and control have learned the same, and the difference of their losses is the noise of two short tunes:
/// as likely above 0 as below. With no other cause of a difference below −m, the tokens below −m are about as many as the boilerplate tokens
/// above +m; any other cause makes them more, and the margin larger. The margin is the least m for which <c>(1 + #{LD &lt; −m}) / #{LD &gt; m}</c>, the estimated share of boilerplate among what would be called reasoning, is at most the share
/// asked for: the estimate of the false discovery rate of Barber and Candès (2015, arXiv:1404.5609), whose knockoffs have the same symmetry.
/// Counts are kept in steps of <see cref="Resolution"/>, so that memory does not grow with the corpus.
/// </remarks>
public sealed class MarginEstimate
{
    /// <summary>Margins are multiples of this, nats: a power of two, so that no rounding moves a difference over a margin.</summary>
    public const double Resolution = 1.0 / 64;

    /// <summary>The largest margin considered, nats. Where so much is not enough, more is no remedy: a token seven times as likely to the control as
    /// to the probe is no noise, and what would be left is the tip of the reasoning tokens.</summary>
    public const double Largest = 2;

    /// <summary>The least and the most share of boilerplate that can be asked for.</summary>
    public const double LeastFalseShare = 0.0001, MostFalseShare = 0.5;

    private readonly long[] _above = new long[(int)(Largest / Resolution) + 1];
    private readonly long[] _below = new long[(int)(Largest / Resolution) + 1];

    /// <summary>Counts the response tokens of a sample.</summary>
    /// <param name="lossDifference">LD, nats, <c>[S]</c>; NaN where no target.</param>
    /// <param name="words">As in <see cref="RoleClassifier.Evidence"/>.</param>
    /// <param name="rule">The rule whose margin is sought; its own is not read.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void Add(ReadOnlySpan<float> lossDifference, ReadOnlySpan<int> words, ClassificationRule rule)
    {
        Count(_above, RoleClassifier.Evidence(lossDifference, words, rule));
        float[] mirrored = lossDifference.ToArray();
        for (int i = 0; i < mirrored.Length; i++) mirrored[i] = -mirrored[i];
        Count(_below, RoleClassifier.Evidence(mirrored, words, rule));
    }

    /// <summary>The least margin with at most the given estimated share of boilerplate among the tokens called reasoning.</summary>
    /// <param name="falseShare">The share, from <see cref="LeastFalseShare"/> to <see cref="MostFalseShare"/>.</param>
    /// <returns>The margin, nats, a multiple of <see cref="Resolution"/>; null where none up to <see cref="Largest"/> has so small a share, as
    /// where probe and control do not differ by more than noise, or differ by more than noise on either side.</returns>
    /// <exception cref="ShadException">The share is out of range.</exception>
    public double? Margin(double falseShare)
    {
        if (!(falseShare is >= LeastFalseShare and <= MostFalseShare)) throw CoreErrors.BadFalseShare(falseShare);

        // From the largest margin down, so that the counts beyond it grow along; the least one that passes is the last to be seen.
        double? least = null;
        long above = 0, below = 0;
        for (int bin = _above.Length - 1; bin >= 0; bin--)
        {
            above += _above[bin];
            below += _below[bin];
            if (above > 0 && 1 + below <= falseShare * above) least = bin * Resolution;
        }

        return least;
    }

    // Bin b holds what exceeds b · Resolution and not (b + 1) · Resolution, so that the counts from b on are of what a margin of
    // b · Resolution lets pass.
    private static void Count(long[] counts, float[] evidence)
    {
        foreach (float value in evidence)
        {
            if (value > 0) counts[Math.Min((int)Math.Ceiling(value / Resolution) - 1, counts.Length - 1)]++;
        }
    }
}
