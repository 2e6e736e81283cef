using Shad.Core.Errors;
using Shad.Core.Randomness;

namespace Shad.Core.Shuffling;

/// <summary>Random permutations that leave nothing in its place.</summary>
public static class Derangement
{
    /// <summary>A derangement of <c>0 … count − 1</c>, each equally likely.</summary>
    /// <returns><c>[count]</c>, a permutation with <c>result[i] != i</c> for every i.</returns>
    /// <exception cref="ShadException"><paramref name="count"/> is below 2: there is no derangement.</exception>
    /// <remarks>
    /// Uniform permutations are drawn until one is a derangement, hence uniform among them; the expected number of draws tends
    /// to e. Fisher–Yates from the end settles place i for good when it reaches it, so a draw is given up at its first fixed
    /// point.
    /// </remarks>
    public static int[] Create(int count, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (count < 2) throw CoreErrors.NothingToShuffleWith(count);

        var permutation = new int[count];
        while (!TryDraw(permutation, random))
        {
        }

        return permutation;
    }

    private static bool TryDraw(int[] permutation, SeededRandom random)
    {
        for (int i = 0; i < permutation.Length; i++) permutation[i] = i;
        for (int last = permutation.Length - 1; last >= 0; last--)
        {
            int other = random.NextInt32(last + 1);
            (permutation[last], permutation[other]) = (permutation[other], permutation[last]);
            if (permutation[last] == last) return false;
        }

        return true;
    }
}
