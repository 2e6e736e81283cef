namespace Shad.Core.Randomness;

/// <summary>
/// The project's own pseudo-random generator: what a seed gives is the same on every machine and in every version, which
/// <see cref="Random"/> does not promise. Not for secrets, not for use from several threads at once.
/// </summary>
/// <remarks>
/// xoshiro256** of Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators" (ACM TOMS 47, 2021), its 256 bits
/// of state filled from the seed by SplitMix64 as its authors advise. The numbers drawn for a seed are part of the file
/// formats (probe samples, shuffles, demo corpora): never change them.
/// </remarks>
public sealed class SeededRandom
{
    private const ulong SplitMixIncrement = 0x9E3779B97F4A7C15;

    // Odd, so that multiplication by it is a bijection on 64 bits and two streams of one seed never share a child seed.
    private const ulong StreamMultiplier = 0xD1342543DE82EF95;

    private readonly ulong _seed;
    private ulong _s0, _s1, _s2, _s3;

    /// <summary>Creates the generator of a seed. Every seed is good, 0 too.</summary>
    public SeededRandom(ulong seed)
    {
        _seed = seed;
        ulong state = seed;
        _s0 = NextSplitMix(ref state);
        _s1 = NextSplitMix(ref state);
        _s2 = NextSplitMix(ref state);
        _s3 = NextSplitMix(ref state);
    }

    private SeededRandom(SeededRandomState state)
    {
        _seed = state.Seed;
        (_s0, _s1, _s2, _s3) = (state.S0, state.S1, state.S2, state.S3);
    }

    /// <summary>Where the generator stands, for a checkpoint.</summary>
    public SeededRandomState State => new(_seed, _s0, _s1, _s2, _s3);

    /// <summary>Continues from a checkpoint.</summary>
    /// <exception cref="ArgumentException">S0 to S3 are all 0: the one state the generator never leaves.</exception>
    public static SeededRandom FromState(SeededRandomState state)
    {
        if ((state.S0 | state.S1 | state.S2 | state.S3) == 0)
            throw new ArgumentException("The state is all zeros; xoshiro256** would give zeros only.", nameof(state));
        return new SeededRandom(state);
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64()
    {
        ulong result = ulong.RotateLeft(_s1 * 5, 7) * 9;
        ulong shifted = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= shifted;
        _s3 = ulong.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>An integer of <c>[0, exclusiveMax)</c>, each equally likely.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="exclusiveMax"/> is not positive.</exception>
    public int NextInt32(int exclusiveMax)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(exclusiveMax);

        // Lemire, "Fast Random Integer Generation in an Interval" (2019): the high word of a 64×64-bit product, with the few
        // low words that would make some results likelier drawn again.
        ulong range = (ulong)exclusiveMax;
        ulong high = Math.BigMul(NextUInt64(), range, out ulong low);
        if (low < range)
        {
            ulong rejectBelow = unchecked(0 - range) % range;
            while (low < rejectBelow) high = Math.BigMul(NextUInt64(), range, out low);
        }

        return (int)high;
    }

    /// <summary>An integer of <c>[inclusiveMin, exclusiveMax)</c>, each equally likely.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The interval is empty or wider than an <see cref="int"/>.</exception>
    public int NextInt32(int inclusiveMin, int exclusiveMax)
    {
        long width = (long)exclusiveMax - inclusiveMin;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width, nameof(exclusiveMax));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, int.MaxValue, nameof(exclusiveMax));
        return inclusiveMin + NextInt32((int)width);
    }

    /// <summary>A multiple of 2⁻⁵³ in <c>[0, 1)</c>, each equally likely.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>True with the given probability; 0 or less never, 1 or more always.</summary>
    public bool NextBoolean(double probability = 0.5) => NextDouble() < probability;

    /// <summary>A standard normal number (mean 0, variance 1).</summary>
    /// <remarks>Marsaglia's polar method. Its second number is dropped, so that <see cref="State"/> is the whole state.</remarks>
    public double NextGaussian()
    {
        while (true)
        {
            double x = 2 * NextDouble() - 1;
            double y = 2 * NextDouble() - 1;
            double squaredRadius = x * x + y * y;
            if (squaredRadius is > 0 and < 1)
                return x * Math.Sqrt(-2 * Math.Log(squaredRadius) / squaredRadius);
        }
    }

    /// <summary>Puts the items in random order, each order equally likely (Fisher–Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int last = items.Length - 1; last > 0; last--)
        {
            int other = NextInt32(last + 1);
            (items[last], items[other]) = (items[other], items[last]);
        }
    }

    /// <summary>One of the items, each equally likely.</summary>
    /// <exception cref="ArgumentException"><paramref name="items"/> is empty.</exception>
    public T Choose<T>(ReadOnlySpan<T> items)
    {
        if (items.IsEmpty) throw new ArgumentException("There is nothing to choose from.", nameof(items));
        return items[NextInt32(items.Length)];
    }

    /// <summary>
    /// An independent generator for a numbered part of the work. It depends on this generator's seed and on
    /// <paramref name="stream"/> only, not on what was drawn before, so parts can be done in any order.
    /// </summary>
    public SeededRandom Fork(ulong stream) =>
        new(Scramble(Scramble(unchecked(_seed + SplitMixIncrement)) + unchecked(stream * StreamMultiplier)));

    private static ulong NextSplitMix(ref ulong state)
    {
        state = unchecked(state + SplitMixIncrement);
        return Scramble(state);
    }

    /// <summary>The output function of SplitMix64, a bijection.</summary>
    private static ulong Scramble(ulong value)
    {
        unchecked
        {
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }
}

/// <summary>The whole state of a <see cref="SeededRandom"/>.</summary>
/// <param name="Seed">The seed it was created from; its forks depend on it.</param>
/// <param name="S0">First word of the xoshiro256** state.</param>
/// <param name="S1">Second word.</param>
/// <param name="S2">Third word.</param>
/// <param name="S3">Fourth word.</param>
public readonly record struct SeededRandomState(ulong Seed, ulong S0, ulong S1, ulong S2, ulong S3);
