using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;

namespace Shad.Cli.Stages;

/// <summary>Which stages a recipe means.</summary>
public static class RunPlan
{
    /// <summary>The whole method: from the corpus to tuned, exported, measured models and a report.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="sidecar">The sidecar.</param>
    /// <param name="before">Stages that make the corpus, if any.</param>
    public static IReadOnlyList<Stage> Whole(Recipe recipe, SidecarProcess sidecar, params IReadOnlyList<Stage> before)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        List<Stage> stages =
        [
            .. before,
            .. Probes(recipe, sidecar),
            new ScoreStage(recipe),
            new AnnotateStage(recipe),
            .. recipe.Tune.Arms.Select(arm => new TuneStage(recipe, sidecar, arm)),
        ];
        if (recipe.Tune.Arms.Count > 0) stages.Add(new ExportStage(recipe));
        stages.Add(new EvalStage(recipe));
        stages.Add(new ReportStage(recipe, [.. stages]));
        return stages;
    }

    /// <summary>The report of a run whose other stages are done, whatever made its corpus.</summary>
    /// <param name="recipe">The run's recipe.</param>
    /// <param name="run">The run folder.</param>
    public static ReportStage Report(Recipe recipe, RunFolder run)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(run);
        var whole = Whole(recipe, new SidecarProcess(""));
        List<Stage> stages = [.. whole.Where(stage => stage is not ReportStage)];
        if (run.RecordOf(StageNames.Demo) is not null) stages.Insert(0, new DemoCorpusStage(0, 0));
        return new ReportStage(recipe, stages);
    }

    /// <summary>Probe and control only.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="sidecar">The sidecar.</param>
    public static IReadOnlyList<Stage> Probes(Recipe recipe, SidecarProcess sidecar) =>
    [
        new SampleStage(recipe),
        new ProbeStage(recipe, sidecar, isControl: false),
        new ProbeStage(recipe, sidecar, isControl: true),
    ];
}
