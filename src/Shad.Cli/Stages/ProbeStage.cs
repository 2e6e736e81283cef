using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;

namespace Shad.Cli.Stages;

/// <summary>
/// Tunes the probe on the shuffled sample, or its aligned control on the same sample unshuffled. Both see the same samples in the
/// same order for the same steps, so that they differ by the shuffling alone.
/// </summary>
/// <param name="recipe">The recipe.</param>
/// <param name="sidecar">The sidecar.</param>
/// <param name="isControl">True for the control.</param>
public sealed class ProbeStage(Recipe recipe, SidecarProcess sidecar, bool isControl) : Stage
{
    /// <inheritdoc/>
    public override string Name => isControl ? StageNames.Control : StageNames.Probe;

    /// <inheritdoc/>
    public override string Title => isControl ? "Tune the aligned control on the same sample, unshuffled" : "Tune the probe on the shuffled sample";

    /// <inheritdoc/>
    public override bool IsResumable => true;

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run) => new(
        new JsonObject { ["probe"] = RecipeWriter.ToJson(recipe.Probe), ["seed"] = recipe.Seed, ["max_length"] = recipe.Corpus.MaxLength },
        new Dictionary<string, string> { ["model"] = recipe.Model.Path, ["data"] = Data(run) });

    /// <inheritdoc/>
    public override Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var job = TuningWork.JobOf(recipe.Probe, recipe.Model.Path, Data(context.Run), recipe.Seed);
        job = job with
        {
            // The untuned rest is the base model's: it is neither stored nor computed twice.
            ChangesOnly = job.LastLayers is not null,

            // The order is that of the files, which is the same for both.
            ShuffleData = false,
            MaximumLength = recipe.Corpus.MaxLength,
        };
        return new TuningWork(context, sidecar).RunAsync(job, cancellationToken);
    }

    private string Data(RunFolder run) =>
        Path.Combine(run.StageFolder(StageNames.Sample), isControl ? SampleStage.AlignedFile : SampleStage.ShuffledFile);
}
