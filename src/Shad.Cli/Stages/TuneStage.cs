using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;
using Shad.Core.Tuning;

namespace Shad.Cli.Stages;

/// <summary>Fine-tunes the base model on the whole training part of the corpus, with one objective.</summary>
/// <param name="recipe">The recipe.</param>
/// <param name="sidecar">The sidecar.</param>
/// <param name="arm">The objective.</param>
public sealed class TuneStage(Recipe recipe, SidecarProcess sidecar, TuneArm arm) : Stage
{
    /// <inheritdoc/>
    public override string Name => StageNames.Tune(arm);

    /// <inheritdoc/>
    public override string Title => arm == TuneArm.Sft
        ? "Fine-tune with every response token alike"
        : "Fine-tune with the weight on the harder role group";

    /// <inheritdoc/>
    public override bool IsResumable => true;

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run) => new(
        new JsonObject
        {
            ["tune"] = RecipeWriter.ToJson(recipe.Tune with { Arms = [arm] }),
            ["seed"] = recipe.Seed,
            ["max_length"] = recipe.Corpus.MaxLength,
        },
        Files(run));

    /// <inheritdoc/>
    public override Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        Dictionary<string, string> files = Files(context.Run);
        var job = TuningWork.JobOf(recipe.Tune, recipe.Model.Path, files["train"], recipe.Seed) with
        {
            Objective = arm == TuneArm.Sft ? TuneObjective.Sft : TuneObjective.Rft,
            Temperature = recipe.Tune.Temperature,
            WeightBySize = recipe.Tune.WeightBySize,
            BoilerplateFloor = recipe.Tune.BoilerplateFloor,
            AnnealFrom = recipe.Tune.AnnealFrom,
            HeldOut = files.GetValueOrDefault("held_out"),
            EvaluateEvery = recipe.Tune.EvaluateEvery,
            EarlyStopping = recipe.Tune.EarlyStopping,
            MaximumLength = recipe.Corpus.MaxLength,
        };
        return new TuningWork(context, sidecar).RunAsync(job, cancellationToken);
    }

    private Dictionary<string, string> Files(RunFolder run)
    {
        string annotate = run.StageFolder(StageNames.Annotate);
        var files = new Dictionary<string, string>
        {
            ["model"] = recipe.Model.Path,
            ["train"] = Path.Combine(annotate, AnnotateStage.TrainFile),
        };
        string heldOut = Path.Combine(annotate, AnnotateStage.HeldOutFile);
        if (File.Exists(heldOut)) files["held_out"] = heldOut;
        return files;
    }
}
