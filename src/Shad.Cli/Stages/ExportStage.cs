using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Models;
using Shad.Onnx.Export;

namespace Shad.Cli.Stages;

/// <summary>Writes the ONNX graphs of the tuned models, beside the weights they point into, and checks them.</summary>
/// <param name="recipe">The recipe.</param>
public sealed class ExportStage(Recipe recipe) : Stage
{
    /// <inheritdoc/>
    public override string Name => StageNames.Export;

    /// <inheritdoc/>
    public override string Title => "Export the tuned models to ONNX";

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run) => new(
        new JsonObject(), recipe.Tune.Arms.ToDictionary(StageNames.NameOf, arm => ModelOf(run, arm)));

    /// <summary>The folder of a tuned model.</summary>
    public static string ModelOf(RunFolder run, TuneArm arm)
    {
        ArgumentNullException.ThrowIfNull(run);
        return Path.Combine(run.StageFolder(StageNames.Tune(arm)), StageNames.ModelFolder);
    }

    /// <inheritdoc/>
    public override async Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var written = new List<string>();
        foreach (TuneArm arm in recipe.Tune.Arms)
        {
            cancellationToken.ThrowIfCancellationRequested();
            context.Progress(written.Count / 3.0, recipe.Tune.Arms.Count, "models");
            written.AddRange(await Task.Run(() => Export(ModelOf(context.Run, arm)), cancellationToken).ConfigureAwait(false));
        }

        return new StageOutcome
        {
            Summary = $"{recipe.Tune.Arms.Count} models, graphs checked",
            Result = new JsonObject
            {
                ["models"] = new JsonArray([.. recipe.Tune.Arms.Select(arm => (JsonNode)Path.GetRelativePath(context.Run.Path, ModelOf(context.Run, arm)))]),
            },
            OutputsElsewhere = written,
        };
    }

    /// <summary>Writes and checks the graphs of one model folder.</summary>
    /// <param name="modelFolder">The folder.</param>
    /// <param name="check">False to leave them unchecked: nothing is loaded.</param>
    /// <returns>The files written.</returns>
    /// <exception cref="Shad.Core.Errors.ShadException">The export failed its check, and was removed.</exception>
    public static IReadOnlyList<string> Export(string modelFolder, bool check = true)
    {
        using ModelFolder model = ModelFolder.Open(modelFolder);
        IReadOnlyList<string> files = OnnxExport.Write(model);
        if (check) OnnxExport.Check(model);
        return files;
    }
}
