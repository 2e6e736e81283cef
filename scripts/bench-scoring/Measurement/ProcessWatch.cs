using System.Diagnostics;
using System.Globalization;

namespace BenchScoring.Measurement;

/// <summary>Runs a program and watches its memory, as the kernel counts them (Linux).</summary>
internal static class ProcessWatch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(25);

    /// <param name="ExitCode">Its exit code.</param>
    /// <param name="Output">Its standard output.</param>
    /// <param name="Error">The last lines of its standard error.</param>
    /// <param name="PeakResidentBytes">VmHWM: most memory resident at once, mapped files included.</param>
    /// <param name="PeakAnonymousBytes">Most RssAnon seen: without mapped files.</param>
    internal sealed record Outcome(int ExitCode, string Output, string Error, long PeakResidentBytes, long PeakAnonymousBytes);

    /// <summary>Runs a program to its end.</summary>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables it gets beside ours.</param>
    /// <param name="watch">Told its process id and time since its start, about every 25 ms.</param>
    /// <param name="follow">Told each line of its standard error.</param>
    public static async Task<Outcome> RunAsync(
        string file, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string>? environment = null,
        Action<int, TimeSpan>? watch = null, Action<string>? follow = null)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{file} did not start.");
        var clock = Stopwatch.StartNew();
        var output = process.StandardOutput.ReadToEndAsync();
        var error = FollowAsync(process.StandardError, follow);
        var ended = process.WaitForExitAsync();
        long peak = 0, anonymous = 0;
        while (await Task.WhenAny(ended, Task.Delay(Interval)).ConfigureAwait(false) != ended)
        {
            if (StatusOf(process.Id) is not { } status) continue;
            peak = Math.Max(peak, status.Peak);
            anonymous = Math.Max(anonymous, status.Anonymous);
            watch?.Invoke(process.Id, clock.Elapsed);
        }

        await ended.ConfigureAwait(false);
        string errors = await error.ConfigureAwait(false);
        return new Outcome(
            process.ExitCode, await output.ConfigureAwait(false), errors.Length > 2000 ? errors[^2000..] : errors, peak, anonymous);
    }

    private static async Task<string> FollowAsync(StreamReader reader, Action<string>? follow)
    {
        var lines = new System.Text.StringBuilder();
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            lines.AppendLine(line);
            follow?.Invoke(line);
        }

        return lines.ToString();
    }

    /// <summary>VmHWM, RssAnon and VmRSS of a process, in bytes; null where it has ended.</summary>
    public static (long Peak, long Anonymous, long Resident)? StatusOf(int process)
    {
        try
        {
            long peak = 0, anonymous = 0, resident = 0;
            foreach (string line in File.ReadLines($"/proc/{process}/status"))
            {
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal)) peak = Kilobytes(line);
                else if (line.StartsWith("RssAnon:", StringComparison.Ordinal)) anonymous = Kilobytes(line);
                else if (line.StartsWith("VmRSS:", StringComparison.Ordinal)) resident = Kilobytes(line);
            }

            return peak > 0 ? (peak, anonymous, resident) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        static long Kilobytes(string line) =>
            long.Parse(line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..^2].Trim(), CultureInfo.InvariantCulture) * 1024;
    }
}
