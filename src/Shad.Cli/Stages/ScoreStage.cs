using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Scoring;
using Shad.Data.Annotations;
using Shad.Onnx.Scoring;

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
        var meter = new TokenMeter(context, corpus.Tokens);
        context.Progress(0, corpus.Tokens, "tokens", detail: scorer.Setting);
        int shards = 0;
        long told = 0;
        IAsyncEnumerable<((int Shard, AnnotationRow Row) Item, AnnotationRow Row)> scored = scorer.ScoreAsync(
            UnscoredAsync(), static item => item.Row, Tell, cancellationToken);
        AnnotationWriter? writer = null;
        try
        {
            int current = -1;
            await foreach (((int shard, _), AnnotationRow row) in scored.ConfigureAwait(false))
            {
                // Shards appear under their names only when they are whole.
                if (shard != current)
                {
                    writer?.Complete();
                    writer?.Dispose();
                    writer = AnnotationWriter.Create(
                        PathOf(shard),
                        AnnotationColumns.ProbeLoss | AnnotationColumns.ControlLoss | AnnotationColumns.KnownRole | AnnotationColumns.Weight);
                    current = shard;
                }

                writer!.Write(row);
            }

            writer?.Complete();
        }
        finally
        {
            writer?.Dispose();
        }

        scorer.Warn(context);
        return new StageOutcome
        {
            Summary = string.Create(
                CultureInfo.InvariantCulture,
                $"{corpus.Samples:N0} samples by {scorer.ModelCount} models that share {scorer.SharedLayers} layers, on {scorer.Setting}, {meter.TokensPerSecond:N0} tokens/s, {scorer.Progress.Shared:P1} of them in shared prefixes, {scorer.Progress.Padding:P1} padding"),
            Tokens = meter.Tokens,
            Result = new JsonObject
            {
                ["samples"] = corpus.Samples, ["shards"] = shards, ["models"] = scorer.ModelCount, ["shared_layers"] = scorer.SharedLayers,
                ["device"] = scorer.Device, ["device_reason"] = scorer.DeviceReason, ["precision"] = scorer.Precision,
                ["padding"] = Math.Round(scorer.Progress.Padding, 4), ["shared_prefixes"] = Math.Round(scorer.Progress.Shared, 4),
            },
        };

        async IAsyncEnumerable<(int Shard, AnnotationRow Row)> UnscoredAsync()
        {
            IAsyncEnumerable<List<AnnotationRow>> all = AnnotationReader.Open(CorpusOf(run)).ReadAsync(cancellationToken)
                .InShardsOfAsync(recipe.Score.SamplesPerShard, cancellationToken);
            await foreach (List<AnnotationRow> rows in all.ConfigureAwait(false))
            {
                int shard = shards++;
                if (File.Exists(PathOf(shard)))
                {
                    meter.Skip(rows.Sum(row => (long)row.InputIds.Length));
                    continue;
                }

                foreach (AnnotationRow row in rows) yield return (shard, row);
            }
        }

        void Tell(ScoringProgress state)
        {
            meter.Add(state.Tokens - told);
            told = state.Tokens;
        }

        string PathOf(int shard) => context.PathOf(string.Create(CultureInfo.InvariantCulture, $"shard-{shard:D5}.parquet"));
    }

    private static string ModelOf(RunFolder run, string stage) => Path.Combine(run.StageFolder(stage), StageNames.ModelFolder);

    private static string CorpusOf(RunFolder run) => Path.Combine(run.StageFolder(StageNames.Sample), SampleStage.CorpusFile);
}
