using System.Diagnostics;
using Shad.Cli.Runs;

namespace Shad.Cli.Stages;

/// <summary>A single piece of work outside a run folder that reports like a stage.</summary>
internal static class StageRun
{
    /// <summary>Does the work between the events of its start and its end.</summary>
    /// <param name="name">Name in the events.</param>
    /// <param name="title">What it does, for people.</param>
    /// <param name="observe">Receives the events.</param>
    /// <param name="work">The work; the context takes progress and warnings.</param>
    public static async Task<T> ShowAsync<T>(
        string name, string title, Action<RunEvent> observe, Func<WorkContext, Task<T>> work)
    {
        long started = Stopwatch.GetTimestamp();
        observe(new StageStarted(name, title, "new"));
        try
        {
            T result = await work(new WorkContext(name, observe)).ConfigureAwait(false);
            observe(new StageDone(name, Stopwatch.GetElapsedTime(started).TotalSeconds, null));
            return result;
        }
        catch (Exception e)
        {
            observe(new StageFailed(name, e is OperationCanceledException ? "interrupted" : "failed", e.Message));
            throw;
        }
    }
}
