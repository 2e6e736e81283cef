using System.Runtime.CompilerServices;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Annotations;
using Shad.Models;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;

namespace Shad.Cli.Scoring;

/// <summary>
/// Scores samples with the base model and, where given, the probe and its aligned control: all in one pass, which computes once what
/// the models have in common. Streams: reading runs ahead of scoring, and scoring ahead of what the caller does with the rows.
/// </summary>
public sealed class CorpusScorer : IDisposable
{
    private readonly ScoringGroup _session;
    private readonly string _models;
    private readonly List<Func<AnnotationRow, float[], AnnotationRow>> _columns;

    private CorpusScorer(
        ScoringGroup session, string models, List<Func<AnnotationRow, float[], AnnotationRow>> columns)
    {
        _session = session;
        _models = models;
        _columns = columns;
    }

    /// <summary>Number of models.</summary>
    public int ModelCount => _session.ModelCount;

    /// <summary>Leading layers that all models share and that are computed once.</summary>
    public int SharedLayers => _session.SharedLayers;

    /// <summary>The devices that compute, as they are written for <c>--device</c>.</summary>
    public string Device => _session.DeviceName;

    /// <summary>Why it is these devices.</summary>
    public string DeviceReason => _session.DeviceReason;

    /// <summary>Number format of the activations.</summary>
    public string Precision => _session.Precision;

    /// <summary>Device, precision and reason in a line for people.</summary>
    public string Setting => $"{Device} in {Precision} ({DeviceReason})";

    /// <summary>How far the last scoring has come.</summary>
    public ScoringProgress Progress { get; private set; }

    /// <summary>Loads the models.</summary>
    /// <param name="recipe">How to score.</param>
    /// <param name="baseModel">Its losses become <see cref="AnnotationRow.BaseLoss"/>.</param>
    /// <param name="probe">Its losses become <see cref="AnnotationRow.ProbeLoss"/>; null for none.</param>
    /// <param name="control">Its losses become <see cref="AnnotationRow.ControlLoss"/>; null for none.</param>
    /// <exception cref="ShadException">A model cannot be loaded.</exception>
    public static CorpusScorer Open(ScoreRecipe recipe, string baseModel, string? probe = null, string? control = null)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        List<string> paths = [baseModel];
        List<Func<AnnotationRow, float[], AnnotationRow>> columns = [static (row, losses) => row with { BaseLoss = losses }];
        Add(probe, static (row, losses) => row with { ProbeLoss = losses });
        Add(control, static (row, losses) => row with { ControlLoss = losses });
        var models = new List<ModelFolder>();
        try
        {
            foreach (string path in paths) models.Add(ModelFolder.Open(path));
            return new CorpusScorer(ScoringGroup.Open(models, DeviceOf(recipe), OptionsOf(recipe)), string.Join(", ", paths), columns);
        }
        finally
        {
            foreach (ModelFolder model in models) model.Dispose();
        }

        void Add(string? path, Func<AnnotationRow, float[], AnnotationRow> put)
        {
            if (path is null) return;
            paths.Add(path);
            columns.Add(put);
        }
    }

    /// <summary>Scores samples with every model.</summary>
    /// <typeparam name="T">What the caller wants back beside the row.</typeparam>
    /// <param name="items">The items; enumerated on another thread.</param>
    /// <param name="rowOf">The sample of an item.</param>
    /// <param name="progress">Told after every batch, by the scoring thread.</param>
    /// <param name="cancellationToken">Ends the scoring.</param>
    /// <returns>The items in their order, each with its row and the losses in it.</returns>
    /// <exception cref="ShadException">A sample does not fit a model, or a loss is not finite.</exception>
    public async IAsyncEnumerable<(T Item, AnnotationRow Row)> ScoreAsync<T>(
        IAsyncEnumerable<T> items, Func<T, AnnotationRow> rowOf, Action<ScoringProgress>? progress,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(rowOf);
        long read = 0, written = 0;
        var batches = new DirectProgress(state =>
        {
            Progress = state;
            progress?.Invoke(state);
        });
        IAsyncEnumerable<ScoredSample<(T Item, AnnotationRow Row)>> scored = _session.ScoreAsync(
            items.Select(item =>
            {
                read++;
                return (Item: item, Row: rowOf(item));
            }),
            static pair => new TokenizedSample(pair.Row.Id, pair.Row.InputIds, pair.Row.Labels), batches, cancellationToken);
        await foreach (ScoredSample<(T Item, AnnotationRow Row)> sample in scored.ConfigureAwait(false))
        {
            (T item, AnnotationRow row) = sample.Item;
            for (int model = 0; model < _columns.Count; model++) row = _columns[model](row, sample.LossesByModel[model]);
            written++;
            yield return (item, row);
        }

        if (read != written) throw ScoringErrors.CountDiffers(_models, read, written);
    }

    /// <summary>Tells where memory ran out in the last scoring.</summary>
    public void Warn(WorkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (Progress.Splits == 0) return;
        context.Warn(
            "score.out_of_memory",
            $"Memory did not hold {Progress.Splits:N0} batches; they were halved. Fewer tokens per batch, or a bound on memory, avoids it",
            Progress.Splits);
    }

    /// <summary>The options that a recipe means.</summary>
    public static ScoringOptions OptionsOf(ScoreRecipe recipe)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        return new ScoringOptions
        {
            TokensPerBatch = recipe.TokensPerBatch ?? ScoreRecipe.DefaultTokensPerBatch,
            TokensPerBatchOnCuda = recipe.TokensPerBatch ?? new ScoringOptions().TokensPerBatchOnCuda,
            Window = recipe.SamplesPerShard,
            Memory = recipe.MemoryMb is { } megabytes ? (long)megabytes << 20 : null,
            Device = DeviceOf(recipe).Device,
            DeviceIndex = DeviceOf(recipe).Indices[0],
            ProviderLibrary = recipe.ProviderLibrary,
            Precision = Enum.Parse<ScoringPrecision>(recipe.Precision, ignoreCase: true),
        };
    }

    /// <summary>The devices that a recipe means.</summary>
    public static DeviceChoice DeviceOf(ScoreRecipe recipe)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        return DeviceChoice.Parse(recipe.Device) ?? throw new ArgumentException($"'{recipe.Device}' is no device.", nameof(recipe));
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    /// <summary>Unlike <see cref="Progress{T}"/>, tells at once and in order.</summary>
    private sealed class DirectProgress(Action<ScoringProgress> tell) : IProgress<ScoringProgress>
    {
        public void Report(ScoringProgress value) => tell(value);
    }
}
