using System.Globalization;

namespace Shad.Data.Reports.Charts;

/// <summary>How values are spaced along an axis.</summary>
internal enum ScaleKind
{
    /// <summary>Equal distances for equal differences.</summary>
    Linear,

    /// <summary>By square root, so that small counts stay visible beside large ones; values are not negative.</summary>
    SquareRoot,
}

/// <summary>Maps values to SVG coordinates.</summary>
/// <param name="Low">Value at <paramref name="From"/>.</param>
/// <param name="High">Value at <paramref name="To"/>; greater than <paramref name="Low"/>.</param>
/// <param name="From">Coordinate of <paramref name="Low"/>.</param>
/// <param name="To">Coordinate of <paramref name="High"/>; may be less than <paramref name="From"/>, as SVG's y grows downwards.</param>
/// <param name="Kind">Spacing.</param>
internal readonly record struct ChartScale(double Low, double High, double From, double To, ScaleKind Kind = ScaleKind.Linear)
{
    /// <summary>The coordinate of a value; values outside the scale are placed at its ends.</summary>
    public double Place(double value)
    {
        double low = Spaced(Low), high = Spaced(High);
        double share = Math.Clamp((Spaced(value) - low) / (high - low), 0, 1);
        return From + share * (To - From);
    }

    /// <summary>Round values on the scale, ascending: about <paramref name="count"/> of them.</summary>
    public IReadOnlyList<double> Ticks(int count)
    {
        if (Kind == ScaleKind.Linear) return Linear(Low, High, count);
        // On a square-root scale the round value next to each of evenly spaced places, by the same 1-2-5 steps.
        var ticks = new List<double>();
        for (int i = 0; i <= count; i++)
        {
            double place = Math.Sqrt(Low) + (Math.Sqrt(High) - Math.Sqrt(Low)) * i / count;
            // A hair more, so that a round value squared is not rounded down to the one before.
            double value = RoundDown(place * place * (1 + 1e-9));
            if (value >= Low && (ticks.Count == 0 || value > ticks[^1])) ticks.Add(value);
        }

        return ticks;
    }

    /// <summary>A range with round ends around the values.</summary>
    public static (double Low, double High) RoundRange(double low, double high, int count)
    {
        if (high <= low) (low, high) = (low - (low == 0 ? 1 : Math.Abs(low) / 2), high + (high == 0 ? 1 : Math.Abs(high) / 2));
        double step = Step(low, high, count);
        return (Math.Floor(low / step + 1e-9) * step, Math.Ceiling(high / step - 1e-9) * step);
    }

    /// <summary>The labels of ticks, all with the decimals that tell them apart.</summary>
    public static IReadOnlyList<string> Labels(IReadOnlyList<double> ticks)
    {
        double largest = ticks.Count == 0 ? 0 : ticks.Max(Math.Abs);
        if (largest >= 10_000) return [.. ticks.Select(static tick => Page.Numbers.Short(tick))];
        if (largest is > 0 and < 0.01)
            return [.. ticks.Select(static tick => tick == 0 ? "0" : tick.ToString("0.#e0", CultureInfo.InvariantCulture))];
        int decimals = 0;
        while (decimals < 4 && ticks.Any(tick => Math.Abs(Math.Round(tick, decimals) - tick) > 1e-9 * Math.Max(1, largest))) decimals++;
        return [.. ticks.Select(tick => largest >= 1000 ? Page.Numbers.Count((long)Math.Round(tick)) : Page.Numbers.Decimal(tick, decimals))];
    }

    private static double[] Linear(double low, double high, int count)
    {
        double step = Step(low, high, count);
        long first = (long)Math.Ceiling(low / step - 1e-9), last = (long)Math.Floor(high / step + 1e-9);
        return [.. Enumerable.Range(0, (int)(last - first + 1)).Select(i => (first + i) * step)];
    }

    /// <summary>The step of 1, 2 or 5 × 10ⁿ that divides the range into about <paramref name="count"/> parts.</summary>
    private static double Step(double low, double high, int count)
    {
        double rough = (high - low) / count;
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double lead = rough / power;
        return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
    }

    private static double RoundDown(double value)
    {
        if (value <= 0) return 0;
        double power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        double lead = value / power;
        return power * (lead < 2 ? 1 : lead < 5 ? 2 : 5);
    }

    private double Spaced(double value) => Kind == ScaleKind.SquareRoot ? Math.Sqrt(Math.Max(value, 0)) : value;
}
