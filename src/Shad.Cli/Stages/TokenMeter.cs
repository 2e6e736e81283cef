using System.Diagnostics;
using Shad.Cli.Runs;

namespace Shad.Cli.Stages;

/// <summary>Counts the tokens that pass through models and tells how far the work is.</summary>
/// <param name="context">The work.</param>
/// <param name="total">Tokens in all; null where not known.</param>
internal sealed class TokenMeter(WorkContext context, long? total)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _skipped;

    /// <summary>Tokens so far, by this process.</summary>
    public long Tokens { get; private set; }

    /// <summary>Tokens a second, by this process.</summary>
    public double TokensPerSecond => Tokens / Math.Max(1e-9, Stopwatch.GetElapsedTime(_started).TotalSeconds);

    /// <summary>Counts tokens.</summary>
    public void Add(long tokens)
    {
        Tokens += tokens;
        double rate = TokensPerSecond;
        long done = Math.Min(total ?? long.MaxValue, _skipped + Tokens);
        context.Progress(done, total, "tokens", rate, rate > 0 ? (total - done) / rate : null);
    }

    /// <summary>Passes over tokens that an earlier process has done.</summary>
    public void Skip(long tokens) => _skipped += tokens;
}
