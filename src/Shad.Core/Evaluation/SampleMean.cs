namespace Shad.Core.Evaluation;

/// <summary>The mean of independent values, with its standard error.</summary>
/// <param name="Count">Number of values.</param>
/// <param name="Mean">Their mean; NaN where there are none.</param>
/// <param name="StandardError">Standard deviation of the mean, <c>s/√n</c> with <c>s² = Σ(x − mean)²/(n − 1)</c>; NaN below two
/// values.</param>
public readonly record struct SampleMean(int Count, double Mean, double StandardError)
{
    /// <summary>The mean of values.</summary>
    public static SampleMean Of(IEnumerable<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);

        // Welford's recurrence: no difference of large sums.
        int count = 0;
        double mean = 0, squares = 0;
        foreach (double value in values)
        {
            count++;
            double before = value - mean;
            mean += before / count;
            squares += before * (value - mean);
        }

        return new SampleMean(
            count, count > 0 ? mean : double.NaN, count > 1 ? Math.Sqrt(squares / (count - 1) / count) : double.NaN);
    }

    /// <summary>The mean of yes and no, as a share.</summary>
    public static SampleMean Of(IEnumerable<bool> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        int count = 0, yes = 0;
        foreach (bool value in values)
        {
            count++;
            if (value) yes++;
        }

        // Σ(x − mean)² of k ones and n − k zeros is k(n − k)/n.
        double share = (double)yes / count;
        return new SampleMean(count, share, count > 1 ? Math.Sqrt(share * (1 - share) / (count - 1)) : double.NaN);
    }

    /// <summary>Half the width of the interval around <see cref="Mean"/> that holds the true mean in 95 % of all cases where the values are
    /// normal: <c>t · s/√n</c> with Student's t of n − 1 degrees of freedom. NaN below two values.</summary>
    public double HalfWidth95 => Count > 1 ? StudentT.TwoSided95(Count - 1) * StandardError : double.NaN;
}
