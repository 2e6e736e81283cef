using System.Globalization;

namespace Shad.Data.Reports.Page;

/// <summary>Numbers as people read them in the report.</summary>
internal static class Numbers
{
    /// <summary>Shown where there is no number.</summary>
    public const string None = "–";

    /// <summary><c>1,150</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary><c>12.3 k</c>, <c>4.56 M</c>; counts below 10,000 in full.</summary>
    public static string Short(double count) => count switch
    {
        double.NaN => None,
        < 10_000 => count.ToString("N0", CultureInfo.InvariantCulture),
        < 1e6 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e3:G3} k"),
        < 1e9 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e6:G3} M"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{count / 1e9:0.##} G"),
    };

    /// <summary><c>71 %</c>, <c>0.4 %</c> of a share in [0, 1].</summary>
    public static string Percent(double share)
    {
        if (!double.IsFinite(share)) return None;
        double percent = 100 * share;
        // One decimal where whole numbers would say "none" or "all" of something that is neither.
        bool fine = percent is > 0 and < 1 or > 99 and < 100;
        return percent.ToString(fine ? "0.0" : "0", CultureInfo.InvariantCulture) + " %";
    }

    /// <summary>A number with a fixed count of decimals.</summary>
    public static string Decimal(double? number, int decimals) =>
        number is { } value && double.IsFinite(value)
            ? Minus(value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture))
            : None;

    /// <summary>A setting as it was given: <c>0.1</c>, <c>0.125</c>, at most four decimals.</summary>
    public static string Setting(double number) => number.ToString("0.####", CultureInfo.InvariantCulture);

    /// <summary>A difference with its sign: <c>+0.31</c>, <c>−0.31</c>.</summary>
    public static string Signed(double number, int decimals) =>
        number > 0 ? "+" + Decimal(number, decimals) : Decimal(number, decimals);

    /// <summary><c>0.42 s</c>, <c>12 s</c>, <c>3 min 20 s</c>, <c>2 h 05 min</c>.</summary>
    public static string Duration(double seconds)
    {
        if (!double.IsFinite(seconds)) return None;
        if (seconds < 10) return string.Create(CultureInfo.InvariantCulture, $"{seconds:0.##} s");
        long whole = (long)Math.Round(seconds);
        if (whole < 60) return string.Create(CultureInfo.InvariantCulture, $"{whole} s");
        if (whole < 3600) return string.Create(CultureInfo.InvariantCulture, $"{whole / 60} min {whole % 60:00} s");
        return string.Create(CultureInfo.InvariantCulture, $"{whole / 3600} h {whole % 3600 / 60:00} min");
    }

    private static string Minus(string number)
    {
        // "-0.00" is 0 to the reader.
        if (number[0] != '-') return number;
        return number.AsSpan(1).IndexOfAnyExcept('0', '.') < 0 ? number[1..] : "−" + number[1..];
    }
}
