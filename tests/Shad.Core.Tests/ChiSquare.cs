namespace Shad.Core.Tests;

/// <summary>Pearson's goodness-of-fit test for equally likely cells.</summary>
internal static class ChiSquare
{
    /// <summary>
    /// The probability that counts as uneven as these, or more so, arise from equally likely cells. For an even number of
    /// degrees of freedom 2k the tail of the distribution is exact: <c>P(X &gt; x) = e^(−x/2) · Σ_{i&lt;k} (x/2)^i / i!</c>.
    /// </summary>
    public static double TailProbability(IReadOnlyCollection<long> counts)
    {
        int freedom = counts.Count - 1;
        if (freedom <= 0 || freedom % 2 != 0) throw new ArgumentException("Give an odd number of cells.", nameof(counts));
        double expected = counts.Sum() / (double)counts.Count;
        double half = counts.Sum(count => (count - expected) * (count - expected) / expected) / 2;
        double sum = 0, term = 1;
        for (int i = 0; i < freedom / 2; i++)
        {
            sum += term;
            term *= half / (i + 1);
        }

        return Math.Exp(-half) * sum;
    }
}

public sealed class ChiSquareTests
{
    [Test]
    public void The_tail_has_its_known_values()
    {
        Assert.That(ChiSquare.TailProbability([1000, 1000, 1000]), Is.EqualTo(1));
        // Two degrees of freedom: the statistic is 2 · 55² / 1000 = 6.05, and the tail e^(−x/2).
        Assert.That(ChiSquare.TailProbability([1055, 945, 1000]), Is.EqualTo(Math.Exp(-3.025)).Within(1e-12));

        // Four: 2 · 689² / 100,000 = 9.494, tabulated as the 5 % quantile 9.488.
        Assert.That(
            ChiSquare.TailProbability([100_000 + 689, 100_000 - 689, 100_000, 100_000, 100_000]),
            Is.EqualTo(0.05).Within(0.0005));
    }
}
