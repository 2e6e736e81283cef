using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Scoring;
using Shad.Data.Corpora;
using Shad.Data.Reports;

namespace Shad.Cli.Stages;

/// <summary>Measures the base model and the tuned models on the held-out samples, by role, through ONNX Runtime.</summary>
/// <param name="recipe">The recipe.</param>
public sealed class EvalStage(Recipe recipe) : Stage
{
    /// <summary>Name of the base model in the result.</summary>
    public const string BaseName = "base";

    /// <inheritdoc/>
    public override string Name => StageNames.Eval;

    /// <inheritdoc/>
    public override string Title => "Measure the models on the held-out samples";

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run)
    {
        Dictionary<string, string> files = Models(run).ToDictionary(model => model.Name, model => model.Folder);
        if (File.Exists(HeldOutOf(run))) files["held_out"] = HeldOutOf(run);
        return new StageInputs(RecipeWriter.ToJson(recipe.Score), files);
    }

    /// <inheritdoc/>
    public override async Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        RunFolder run = context.Run;
        string heldOut = HeldOutOf(run);
        if (!File.Exists(heldOut))
        {
            context.Warn("eval.nothing_held_out", "No samples were held out, so nothing is measured");
            return new StageOutcome { Result = Json(new EvalResult(null, [])) };
        }

        long tokens = 0;
        await foreach (var sample in TokenizedSampleReader.ReadAsync(heldOut, cancellationToken: cancellationToken).ConfigureAwait(false))
            tokens += sample.Length;
        List<(string Name, string Folder)> models = [.. Models(run)];
        var meter = new TokenMeter(context, tokens * models.Count);
        var losses = new List<ModelLosses>();
        foreach ((string name, string folder) in models)
        {
            losses.Add(await RoleLosses.MeasureAsync(
                recipe.Score, name, folder, TokenizedSampleReader.ReadAsync(heldOut, cancellationToken: cancellationToken), meter.Add,
                cancellationToken).ConfigureAwait(false));
        }

        string? roles = run.RequireRecord(StageNames.Annotate).ResultAs<AnnotateResult>().HeldOutRoles;
        return new StageOutcome
        {
            Summary = string.Join(", ", losses.Select(Describe)),
            Tokens = meter.Tokens,
            Result = Json(new EvalResult(roles, losses)),
        };
    }

    private IEnumerable<(string Name, string Folder)> Models(RunFolder run) =>
        recipe.Tune.Arms.Select(arm => (StageNames.NameOf(arm), ExportStage.ModelOf(run, arm))).Prepend((BaseName, recipe.Model.Path));

    private static string HeldOutOf(RunFolder run) => Path.Combine(run.StageFolder(StageNames.Annotate), AnnotateStage.HeldOutFile);

    private static string Describe(ModelLosses losses) => losses.Reasoning is { } reasoning
        ? string.Create(CultureInfo.InvariantCulture, $"{losses.Model} {losses.All:0.000} (reasoning {reasoning:0.000})")
        : string.Create(CultureInfo.InvariantCulture, $"{losses.Model} {losses.All:0.000}");

    private static JsonNode? Json(EvalResult result) => JsonSerializer.SerializeToNode(result, RunJson.Line);
}

/// <summary>The numbers of the <c>eval</c> stage.</summary>
/// <param name="Roles">Where the roles come from: <c>known</c> or <c>rule</c>; null where nothing was measured.</param>
/// <param name="Losses">Mean losses in nats per response token, the base model first.</param>
public sealed record EvalResult(string? Roles, IReadOnlyList<ModelLosses> Losses);
