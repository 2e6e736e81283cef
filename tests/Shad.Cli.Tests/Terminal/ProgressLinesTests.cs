using Shad.Cli.Runs;
using Shad.Cli.Terminal;

namespace Shad.Cli.Tests.Terminal;

public sealed class ProgressLinesTests
{
    [Test]
    public void Starts_ends_and_warnings_are_always_shown_and_progress_is_not_more_than_every_few_seconds()
    {
        using var writer = new StringWriter();
        var lines = new ProgressLines(writer);
        lines.Show(new StageStarted("probe", "Tune", "new"));
        for (int step = 0; step < 1000; step++) lines.Show(new StageProgress("probe", step, 1000, "steps"));
        lines.Show(new RunWarning("probe", "a.b", "Careful.") { Examples = ["x:1", "x:2"] });
        lines.Show(new StageDone("probe", 12.34, "fine"));
        lines.Show(new StageSkipped("score", "Score", 1));
        lines.Show(new StageFailed("tune", "interrupted", "Interrupted"));

        Assert.That(writer.ToString().TrimEnd().Split(Environment.NewLine), Is.EqualTo(new[]
        {
            "probe: Tune",
            "probe: warning: Careful (x:1; x:2)",
            "probe: done in 12.3 s · fine",
            "score: unchanged, not run again",
            "tune: interrupted",
        }));
    }

    [TestCase(0, "0:00")]
    [TestCase(59.6, "1:00")]
    [TestCase(3599, "59:59")]
    [TestCase(3723, "1:02:03")]
    [TestCase(-1, "?")]
    [TestCase(double.PositiveInfinity, "?")]
    public void Times_are_shown_as_clocks_show_them(double seconds, string expected) =>
        Assert.That(ProgressText.Time(seconds), Is.EqualTo(expected));

    [Test]
    public void Progress_names_what_is_known_of_it() => Assert.That(
        ProgressText.Of(new StageProgress("tune", 40, 1200, "steps") { TokensPerSecond = 5120.4, SecondsLeft = 35, Detail = "loss 2.310" }),
        Is.EqualTo("40/1,200 steps · loss 2.310 · 5,120 tokens/s · 0:35 left"));
}
