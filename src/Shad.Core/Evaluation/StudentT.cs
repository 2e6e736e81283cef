namespace Shad.Core.Evaluation;

/// <summary>Student's t distribution with whole degrees of freedom.</summary>
/// <remarks>
/// The distribution function in closed form (Abramowitz and Stegun 26.7.3 and 26.7.4): with θ = arctan(t/√ν),
/// <c>P(|T| ≤ t) = (2/π)(θ + sin θ (cos θ + (2/3) cos³ θ + …))</c> for odd ν, of which only θ is left at ν = 1, and
/// <c>sin θ (1 + (1/2) cos² θ + (1·3)/(2·4) cos⁴ θ + …)</c> for even ν.
/// </remarks>
public static class StudentT
{
    /// <summary>The t that <c>|T|</c> does not exceed in 95 % of all cases.</summary>
    /// <param name="degrees">Degrees of freedom, at least 1.</param>
    public static double TwoSided95(int degrees)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degrees, 1);

        // 12.71 at one degree of freedom is the largest.
        double low = 0, high = 16;
        for (int i = 0; i < 60; i++)
        {
            double middle = (low + high) / 2;
            if (Within(middle, degrees) < 0.95) low = middle;
            else high = middle;
        }

        return (low + high) / 2;
    }

    /// <summary><c>P(|T| ≤ t)</c>.</summary>
    /// <param name="t">At least 0.</param>
    /// <param name="degrees">Degrees of freedom ν, at least 1.</param>
    public static double Within(double t, int degrees)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(t);
        ArgumentOutOfRangeException.ThrowIfLessThan(degrees, 1);
        double angle = Math.Atan(t / Math.Sqrt(degrees));
        (double sine, double cosine) = Math.SinCos(angle);
        bool odd = degrees % 2 == 1;
        if (degrees == 1) return 2 / Math.PI * angle;
        double term = odd ? cosine : 1, sum = term;
        for (int k = odd ? 3 : 2; k < degrees; k += 2)
        {
            term *= cosine * cosine * (k - 1) / k;
            sum += term;
        }

        return odd ? 2 / Math.PI * (angle + sine * sum) : sine * sum;
    }
}
