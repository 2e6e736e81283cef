using System.Diagnostics;
using Shad.Cli.Runs;

namespace Shad.Cli.Terminal;

/// <summary>Events as plain lines, for files and pipes: every start, end and warning, and progress every few seconds.</summary>
/// <param name="writer">Where the lines go.</param>
internal sealed class ProgressLines(TextWriter writer)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private long _last = Stopwatch.GetTimestamp();

    /// <summary>Shows an event.</summary>
    public void Show(RunEvent item)
    {
        lock (_lock)
        {
            switch (item)
            {
                case RunStarted run:
                    Line($"run {run.Name} in {run.Folder}");
                    break;
                case StageStarted stage:
                    Line(stage.Reason == "new" ? $"{stage.Stage}: {stage.Title}" : $"{stage.Stage}: {stage.Title} ({stage.Reason})");
                    break;
                case StageProgress progress when Stopwatch.GetElapsedTime(_last) >= Interval:
                    Line($"{progress.Stage}: {ProgressText.Of(progress)}");
                    break;
                case StageSkipped stage:
                    Line($"{stage.Stage}: unchanged, not run again");
                    break;
                case StageDone stage:
                    Line($"{stage.Stage}: done in {ProgressText.Seconds(stage.Seconds)}"
                        + (stage.Summary is null ? "" : $" · {stage.Summary}"));
                    break;
                case StageFailed stage:
                    Line($"{stage.Stage}: {(stage.Code == "interrupted" ? "interrupted" : "failed")}");
                    break;
                case RunWarning warning:
                    Line($"{warning.Stage}: warning: {ProgressText.Of(warning)}");
                    break;
            }
        }
    }

    private void Line(string text)
    {
        writer.WriteLine(text);
        writer.Flush();
        _last = Stopwatch.GetTimestamp();
    }
}
