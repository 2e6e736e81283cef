using Shad.Cli.Recipes;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Annotations;
using Shad.Models;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;

namespace Shad.Cli.Scoring;

/// <summary>
/// Scores samples with the base model and, where given, the probe and its aligned control: one pass each over a shard of samples that
/// is held in memory.
/// </summary>
public sealed class CorpusScorer : IDisposable
{
    private readonly List<Scorer> _scorers = [];

    private CorpusScorer()
    {
    }

    /// <summary>Number of models.</summary>
    public int ModelCount => _scorers.Count;

    /// <summary>Loads the models.</summary>
    /// <param name="recipe">How to score.</param>
    /// <param name="baseModel">Its losses become <see cref="AnnotationRow.BaseLoss"/>.</param>
    /// <param name="probe">Its losses become <see cref="AnnotationRow.ProbeLoss"/>; null for none.</param>
    /// <param name="control">Its losses become <see cref="AnnotationRow.ControlLoss"/>; null for none.</param>
    /// <exception cref="ShadException">A model cannot be loaded.</exception>
    public static CorpusScorer Open(ScoreRecipe recipe, string baseModel, string? probe = null, string? control = null)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        var scorer = new CorpusScorer();
        try
        {
            scorer.Add(recipe, baseModel, static (row, losses) => row with { BaseLoss = losses });
            if (probe is not null) scorer.Add(recipe, probe, static (row, losses) => row with { ProbeLoss = losses });
            if (control is not null) scorer.Add(recipe, control, static (row, losses) => row with { ControlLoss = losses });
            return scorer;
        }
        catch
        {
            scorer.Dispose();
            throw;
        }
    }

    /// <summary>Scores a shard with every model.</summary>
    /// <param name="shard">The samples; those of the result are the same with their losses, in the same order.</param>
    /// <param name="progress">Told the tokens that have passed through a model since the last call.</param>
    /// <param name="cancellationToken">Ends the scoring.</param>
    /// <exception cref="ShadException">A sample does not fit a model, or a loss is not finite.</exception>
    public async Task<AnnotationRow[]> ScoreAsync(
        IReadOnlyList<AnnotationRow> shard, Action<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(shard);
        AnnotationRow[] rows = [.. shard];
        foreach (Scorer scorer in _scorers)
        {
            long told = 0;
            var batches = new DirectProgress(state =>
            {
                progress?.Invoke(state.Tokens - told);
                told = state.Tokens;
            });
            IAsyncEnumerable<ScoredSample<int>> scored = scorer.Session.ScoreAsync(
                Enumerable.Range(0, rows.Length).ToAsyncEnumerable(), i => TokensOf(shard[i]), batches, cancellationToken);
            int count = 0;
            await foreach ((int i, float[] losses) in scored.ConfigureAwait(false))
            {
                rows[i] = scorer.Put(rows[i], losses);
                count++;
            }

            if (count != rows.Length) throw ScoringErrors.CountDiffers(scorer.Model, rows.Length, count);
        }

        return rows;
    }

    /// <summary>The options that a recipe means.</summary>
    public static ScoringOptions OptionsOf(ScoreRecipe recipe)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        return new ScoringOptions
        {
            TokensPerBatch = recipe.TokensPerBatch,
            Window = recipe.SamplesPerShard,
            Device = recipe.Device switch
            {
                "cpu" => ComputeDevice.Cpu,
                "cuda" => ComputeDevice.Cuda,
                _ => ComputeDevice.Auto,
            },
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Scorer scorer in _scorers) scorer.Session.Dispose();
    }

    private void Add(ScoreRecipe recipe, string path, Func<AnnotationRow, float[], AnnotationRow> put)
    {
        using ModelFolder model = ModelFolder.Open(path);
        _scorers.Add(new Scorer(path, ScoringSession.Open(model, OptionsOf(recipe)), put));
    }

    private static TokenizedSample TokensOf(AnnotationRow row) => new(row.Id, row.InputIds, row.Labels);

    private sealed record Scorer(string Model, ScoringSession Session, Func<AnnotationRow, float[], AnnotationRow> Put);

    /// <summary>Unlike <see cref="Progress{T}"/>, tells at once and in order.</summary>
    private sealed class DirectProgress(Action<ScoringProgress> tell) : IProgress<ScoringProgress>
    {
        public void Report(ScoringProgress value) => tell(value);
    }
}
