using Shad.Cli.Runs;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Shad.Cli.Terminal;

/// <summary>Events as bars that move, for a person at a terminal.</summary>
internal sealed class ProgressBars
{
    private const int BarWidth = 20;

    // Name of the stage, bar, percentage, and a space between columns.
    private const int WidthOfOthers = 10 + BarWidth + 4 + 4;

    private readonly IAnsiConsole _console;
    private readonly ProgressContext _context;
    private readonly Dictionary<string, ProgressTask> _tasks = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    private ProgressBars(IAnsiConsole console, ProgressContext context)
    {
        _console = console;
        _context = context;
    }

    /// <summary>Does work while its events move the bars.</summary>
    public static Task<T> ShowAsync<T>(IAnsiConsole console, Func<Action<RunEvent>, Task<T>> work) =>
        console.Progress()
            .AutoClear(false)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn { Width = BarWidth },
                new PercentageColumn(),
                new StateColumn())
            .StartAsync(context => work(new ProgressBars(console, context).Show));

    private void Show(RunEvent item)
    {
        lock (_lock)
        {
            switch (item)
            {
                case StageStarted stage:
                    ProgressTask started = TaskOf(stage.Stage);
                    started.IsIndeterminate = true;
                    SetState(started, stage.Title);
                    break;
                case StageProgress progress:
                    ProgressTask task = TaskOf(progress.Stage);
                    task.IsIndeterminate = progress.Total is null;
                    if (progress.Total is { } total)
                    {
                        // A bar that is full counts as ended; the stage ends with its StageDone.
                        task.MaxValue = Math.Max(total, 1) * 1.0001;
                        task.Value = Math.Min(progress.Done, total);
                    }

                    SetState(task, ProgressText.Of(progress));
                    break;
                case StageSkipped stage:
                    End(TaskOf(stage.Stage), "unchanged, not run again");
                    break;
                case StageDone stage:
                    string summary = stage.Summary is null ? "" : $" · {stage.Summary}";
                    End(TaskOf(stage.Stage), ProgressText.Seconds(stage.Seconds) + summary);
                    break;
                case StageFailed stage:
                    ProgressTask failed = TaskOf(stage.Stage);
                    failed.IsIndeterminate = false;
                    SetState(failed, stage.Code == "interrupted" ? "interrupted" : "failed");
                    failed.StopTask();
                    break;
                case RunWarning warning:
                    _console.MarkupLineInterpolated($"[yellow]Warning[/] ({warning.Stage}): {ProgressText.Of(warning)}");
                    break;
            }
        }
    }

    private ProgressTask TaskOf(string stage)
    {
        if (!_tasks.TryGetValue(stage, out ProgressTask? task))
            _tasks[stage] = task = _context.AddTask(Markup.Escape(stage), autoStart: true);
        return task;
    }

    private static void End(ProgressTask task, string state)
    {
        task.IsIndeterminate = false;
        task.Value = task.MaxValue;
        SetState(task, state);
        task.StopTask();
    }

    private static void SetState(ProgressTask task, string text) => task.Tag = text;

    /// <summary>What the stage says of itself, right of its bar.</summary>
    private sealed class StateColumn : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
        {
            string text = task.Tag as string ?? "";
            int width = Math.Max(10, options.ConsoleSize.Width - WidthOfOthers);
            return new Text(text.Length <= width ? text : string.Concat(text.AsSpan(0, width - 1), "…"));
        }
    }
}
