using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Scoring;
using Shad.Data.Annotations;

namespace Shad.Cli.Stages;

/// <summary>Scores the whole corpus with base model, probe and control. Written in shards, so that a killed run repeats one at most.</summary>
/// <param name="recipe">The recipe.</param>
public sealed class ScoreStage(Recipe recipe) : Stage
{
    /// <inheritdoc/>
    public override string Name => StageNames.Score;

    /// <inheritdoc/>
    public override string Title => "Score the corpus with base model, probe and control";

    /// <inheritdoc/>
    public override bool IsResumable => true;

    /// <summary>The shards of a scored corpus, in order.</summary>
    public static IReadOnlyList<string> ShardsOf(RunFolder run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return [.. Directory.EnumerateFiles(run.StageFolder(StageNames.Score), "shard-*.parquet").Order(StringComparer.Ordinal)];
    }

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return new StageInputs(
            RecipeWriter.ToJson(recipe.Score),
            new Dictionary<string, string>
            {
                ["base"] = recipe.Model.Path,
                ["probe"] = ModelOf(run, StageNames.Probe),
                ["control"] = ModelOf(run, StageNames.Control),
                ["corpus"] = CorpusOf(run),
            });
    }

    /// <inheritdoc/>
    public override async Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        RunFolder run = context.Run;
        using CorpusScorer scorer = CorpusScorer.Open(
            recipe.Score, recipe.Model.Path, ModelOf(run, StageNames.Probe), ModelOf(run, StageNames.Control));
        var corpus = run.RequireRecord(StageNames.Sample).ResultAs<SampleResult>();
        var meter = new TokenMeter(context, corpus.Tokens * scorer.ModelCount);
        int index = 0;
        IAsyncEnumerable<List<AnnotationRow>> shards = AnnotationReader.Open(CorpusOf(run)).ReadAsync(cancellationToken)
            .InShardsOfAsync(recipe.Score.SamplesPerShard, cancellationToken);
        await foreach (List<AnnotationRow> shard in shards.ConfigureAwait(false))
        {
            string path = context.PathOf(string.Create(CultureInfo.InvariantCulture, $"shard-{index++:D5}.parquet"));
            // Shards appear under their names only when they are whole.
            if (File.Exists(path))
            {
                meter.Skip(shard.Sum(row => (long)row.InputIds.Length) * scorer.ModelCount);
                continue;
            }

            AnnotationRow[] scored = await scorer.ScoreAsync(shard, meter.Add, cancellationToken).ConfigureAwait(false);
            using AnnotationWriter writer = AnnotationWriter.Create(
                path, AnnotationColumns.ProbeLoss | AnnotationColumns.ControlLoss | AnnotationColumns.KnownRole | AnnotationColumns.Weight);
            foreach (AnnotationRow row in scored) writer.Write(row);
            writer.Complete();
        }

        return new StageOutcome
        {
            Summary = string.Create(
                CultureInfo.InvariantCulture, $"{corpus.Samples:N0} samples by {scorer.ModelCount} models, {meter.TokensPerSecond:N0} tokens/s"),
            Tokens = meter.Tokens,
            Result = new JsonObject { ["samples"] = corpus.Samples, ["shards"] = index, ["models"] = scorer.ModelCount },
        };
    }

    private static string ModelOf(RunFolder run, string stage) => Path.Combine(run.StageFolder(stage), StageNames.ModelFolder);

    private static string CorpusOf(RunFolder run) => Path.Combine(run.StageFolder(StageNames.Sample), SampleStage.CorpusFile);
}
