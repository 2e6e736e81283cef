namespace Shad.Core.Evaluation;

/// <summary>Counts of values in bins of equal width over <c>[Minimum, Maximum)</c>, with what lies outside counted too.</summary>
public sealed class Histogram
{
    private readonly long[] _counts;

    /// <summary>Creates an empty histogram.</summary>
    /// <param name="minimum">Lower edge of the first bin.</param>
    /// <param name="maximum">Upper edge of the last bin.</param>
    /// <param name="bins">Number of bins.</param>
    /// <exception cref="ArgumentException">The range is empty or not finite, or there is no bin.</exception>
    public Histogram(double minimum, double maximum, int bins)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        if (!double.IsFinite(minimum) || !double.IsFinite(maximum) || !(minimum < maximum) || !double.IsFinite(maximum - minimum))
            throw new ArgumentException($"[{minimum}, {maximum}) is no finite range.", nameof(maximum));
        Minimum = minimum;
        Maximum = maximum;
        _counts = new long[bins];
    }

    /// <summary>Lower edge of the first bin.</summary>
    public double Minimum { get; }

    /// <summary>Upper edge of the last bin.</summary>
    public double Maximum { get; }

    /// <summary>Values in each bin, <c>[bins]</c>. A value on an edge belongs to the bin above it.</summary>
    public IReadOnlyList<long> Counts => _counts;

    /// <summary>Values below <see cref="Minimum"/>.</summary>
    public long Below { get; private set; }

    /// <summary>Values of <see cref="Maximum"/> and more.</summary>
    public long Above { get; private set; }

    /// <summary>Values added.</summary>
    public long Total { get; private set; }

    /// <summary>Lower edge of a bin; <c>Edge(Counts.Count)</c> is <see cref="Maximum"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such edge.</exception>
    public double Edge(int bin)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bin);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bin, _counts.Length);
        return bin == _counts.Length ? Maximum : Minimum + (Maximum - Minimum) * bin / _counts.Length;
    }

    /// <summary>Counts a value.</summary>
    /// <exception cref="ArgumentException">The value is NaN.</exception>
    public void Add(double value)
    {
        if (double.IsNaN(value)) throw new ArgumentException("NaN has no place in a histogram.", nameof(value));
        Total++;
        if (value < Minimum)
        {
            Below++;
        }
        else if (value >= Maximum)
        {
            Above++;
        }
        else
        {
            int bin = Math.Min((int)((value - Minimum) / (Maximum - Minimum) * _counts.Length), _counts.Length - 1);

            // The quotient may be rounded across an edge; the edges decide.
            if (value < Edge(bin)) bin--;
            else if (value >= Edge(bin + 1)) bin++;
            _counts[bin]++;
        }
    }

    /// <summary>Counts values; NaN (no target) is left out.</summary>
    public void AddTargets(ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            if (!float.IsNaN(value)) Add(value);
        }
    }
}
