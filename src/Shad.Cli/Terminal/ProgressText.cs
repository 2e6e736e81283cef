using System.Globalization;
using Shad.Cli.Runs;

namespace Shad.Cli.Terminal;

/// <summary>Progress in words.</summary>
internal static class ProgressText
{
    /// <summary><c>40/120 steps · loss 2.31 · 5,120 tokens/s · 0:35 left</c>.</summary>
    public static string Of(StageProgress progress)
    {
        var parts = new List<string> { Count(progress) };
        if (progress.Detail is not null) parts.Add(progress.Detail);
        if (progress.TokensPerSecond is { } rate) parts.Add(Rate(rate));
        if (progress.SecondsLeft is { } left) parts.Add($"{Time(left)} left");
        return string.Join(" · ", parts);
    }

    /// <summary><c>40/120 steps</c>.</summary>
    public static string Count(StageProgress progress) => progress.Total is { } total
        ? string.Create(CultureInfo.InvariantCulture, $"{progress.Done:N0}/{total:N0} {progress.Unit}")
        : string.Create(CultureInfo.InvariantCulture, $"{progress.Done:N0} {progress.Unit}");

    /// <summary><c>5,120 tokens/s</c>.</summary>
    public static string Rate(double tokensPerSecond) =>
        string.Create(CultureInfo.InvariantCulture, $"{tokensPerSecond:N0} tokens/s");

    /// <summary><c>0:35</c> or <c>1:02:03</c>.</summary>
    public static string Time(double seconds)
    {
        if (!double.IsFinite(seconds) || seconds < 0 || seconds > 1e8) return "?";
        var time = TimeSpan.FromSeconds(Math.Round(seconds));
        return time.TotalHours >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}")
            : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:00}");
    }

    /// <summary><c>12.3 s</c>.</summary>
    public static string Seconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:N1} s");

    /// <summary>A warning in one line.</summary>
    public static string Of(RunWarning warning)
    {
        string examples = warning.Examples is { Count: > 0 } places ? $" ({string.Join("; ", places)})" : "";
        return $"{warning.Message.TrimEnd('.')}{examples}";
    }
}
