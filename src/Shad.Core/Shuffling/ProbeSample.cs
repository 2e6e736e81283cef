using Shad.Core.Errors;
using Shad.Core.Randomness;

namespace Shad.Core.Shuffling;

/// <summary>Which samples of a corpus the probe is tuned on.</summary>
public static class ProbeSample
{
    /// <summary>
    /// Draws <c>round(fraction · corpusCount)</c> samples, but at least <paramref name="minimum"/> and at most all, without
    /// replacement; each subset of that size is equally likely.
    /// </summary>
    /// <param name="corpusCount">Samples in the corpus.</param>
    /// <param name="fraction">Share of the corpus, above 0 and at most 1.</param>
    /// <param name="minimum">Fewest samples, where the corpus has as many.</param>
    /// <param name="random">Where the draw comes from.</param>
    /// <returns>Indices in ascending order.</returns>
    /// <exception cref="ShadException">The corpus is empty, or a number is out of its range.</exception>
    public static int[] Select(int corpusCount, double fraction, int minimum, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (corpusCount <= 0) throw CoreErrors.EmptyCorpus();
        if (!(fraction > 0 && fraction <= 1)) throw CoreErrors.BadFraction(fraction);
        if (minimum < 1) throw CoreErrors.BadMinimum(minimum);

        int wanted = (int)Math.Round(fraction * corpusCount, MidpointRounding.AwayFromZero);
        int size = Math.Min(corpusCount, Math.Max(minimum, wanted));

        // Robert Floyd's sampling: O(size) memory whatever the corpus.
        var chosen = new HashSet<int>(size);
        for (int upper = corpusCount - size; upper < corpusCount; upper++)
        {
            if (!chosen.Add(random.NextInt32(upper + 1))) chosen.Add(upper);
        }

        int[] indices = [.. chosen];
        Array.Sort(indices);
        return indices;
    }
}
