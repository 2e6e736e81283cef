using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Annotation;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Core.Samples;
using Shad.Data.Annotations;
using Shad.Data.Corpora;

namespace Shad.Cli.Stages;

/// <summary>
/// Finds the role of every response token by the rule in use, compares both rules with known roles, and writes the annotations and
/// what is tuned on.
/// </summary>
/// <param name="recipe">The recipe.</param>
public sealed class AnnotateStage(Recipe recipe) : Stage
{
    /// <summary>The annotations of the whole corpus.</summary>
    public const string AnnotationsFile = "annotations.parquet";

    /// <summary>The training samples with their roles by the rule.</summary>
    public const string TrainFile = "train.jsonl";

    /// <summary>The held-out samples with the roles they are measured by; absent where none are held out.</summary>
    public const string HeldOutFile = "held_out.jsonl";

    /// <inheritdoc/>
    public override string Name => StageNames.Annotate;

    /// <inheritdoc/>
    public override string Title => "Find the role of every response token";

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run)
    {
        var files = new Dictionary<string, string>();
        foreach (string shard in ScoreStage.ShardsOf(run)) files[Path.GetFileName(shard)] = shard;
        return new StageInputs(
            new JsonObject
            {
                ["rule"] = RecipeWriter.ToJson(recipe.Rule),
                ["temperature"] = recipe.Tune.Temperature,
                ["held_out"] = JsonSerializer.SerializeToNode(HeldOut(run), RunJson.Line),
            },
            files);
    }

    /// <inheritdoc/>
    public override async Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        RunFolder run = context.Run;
        IReadOnlyList<string> shards = ScoreStage.ShardsOf(run);
        var corpus = run.RequireRecord(StageNames.Sample).ResultAs<SampleResult>();
        HashSet<int> heldOut = [.. HeldOut(run)];

        using AnnotationWriter annotations = AnnotationWriter.Create(context.PathOf(AnnotationsFile), AnnotationColumns.All);
        using TokenizedSampleWriter train = TokenizedSampleWriter.Create(context.PathOf(TrainFile));
        using TokenizedSampleWriter? held = heldOut.Count > 0 ? TokenizedSampleWriter.Create(context.PathOf(HeldOutFile)) : null;
        bool rolesKnown = true;
        var annotator = new CorpusAnnotator(recipe.Rule, recipe.Tune.Temperature, run.StageFolder(StageNames.Score));
        AnnotationSummary summary = await annotator.AnnotateAsync(
            () => ReadAsync(shards, cancellationToken),
            row =>
            {
                int index = (int)annotations.Count;
                annotations.Write(row);
                var tokens = new TokenizedSample(row.Id, row.InputIds, row.Labels);
                if (!heldOut.Contains(index))
                {
                    train.Write(tokens with { Roles = row.Roles });
                    return;
                }

                // Known roles measure better than those of the rule that is being measured.
                rolesKnown &= row.KnownRoles is not null;
                held!.Write(tokens with { Roles = row.KnownRoles ?? row.Roles });
            },
            done => context.Progress(done, corpus.Samples, "samples"),
            cancellationToken).ConfigureAwait(false);
        annotations.Complete();
        train.Complete();
        held?.Complete();

        return new StageOutcome
        {
            Summary = Describe(summary),
            Result = JsonSerializer.SerializeToNode(
                new AnnotateResult(summary, heldOut.Count == 0 ? null : rolesKnown ? "known" : "rule"), RunJson.Line),
        };
    }

    private static IReadOnlyList<int> HeldOut(RunFolder run) =>
        run.RequireRecord(StageNames.Sample).ResultAs<SampleResult>().HeldOut;

    private static async IAsyncEnumerable<AnnotationRow> ReadAsync(
        IReadOnlyList<string> shards,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (string shard in shards)
        {
            await foreach (AnnotationRow row in AnnotationReader.Open(shard).ReadAsync(cancellationToken).ConfigureAwait(false))
                yield return row;
        }
    }

    private static string Describe(AnnotationSummary summary)
    {
        RuleSummary rule = summary.InUse;
        string text = string.Create(
            CultureInfo.InvariantCulture, $"{summary.ResponseTokens:N0} response tokens, {rule.BoilerplateShare:P0} boilerplate");
        string against = rule.Known is not null ? "known" : "structural";
        return rule.Agreement is { Auc: { } auc, F1: { } f1 }
            ? text + string.Create(CultureInfo.InvariantCulture, $"; against {against} roles AUC {auc:0.000}, F1 {f1:0.000}")
            : text;
    }
}

/// <summary>The numbers of the <c>annotate</c> stage.</summary>
/// <param name="Annotation">What the rules have found.</param>
/// <param name="HeldOutRoles">Where the roles of the held-out samples come from: <c>known</c> from the corpus or from the <c>rule</c>; null
/// without held-out samples.</param>
public sealed record AnnotateResult(AnnotationSummary Annotation, string? HeldOutRoles);
