using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Onnx.Graphs;
using Shad.Onnx.Sessions;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Scoring;

/// <summary>
/// Scores samples with a model, or with several at once: the loss of each target given all before it, in nats. The graph is built
/// in memory and reads the weights where they lie; nothing is written to a model folder.
/// </summary>
/// <remarks>
/// Several models are one graph and one pass: what they have in common, by the values of their tensors, is computed once. A probe
/// with its last k of L layers tuned costs k/L of a pass beside its base model.
/// One scoring at a time: <see cref="ScoreAsync{T}"/> and <see cref="Score"/> are not for concurrent use.
/// </remarks>
public sealed class ScoringSession : IDisposable
{
    private readonly BatchScorer _scorer;
    private readonly int _window;
    private readonly int _tokensPerBatch;
    private readonly int _contextLength;
    private readonly int _vocabularySize;

    private ScoringSession(
        InferenceSession session, ScoringOptions options, MemoryPlan plan, bool isPacked, SharedTrunk trunk, ChosenDevice device, DataType type)
    {
        Chosen = device;
        Precision = options.Precision == ScoringPrecision.Int8 ? "int8" : ComputeTypes.NameOf(type);
        SharedLayers = trunk.SharedLayers;
        ModelCount = trunk.ModelCount;
        _window = options.Window;
        _tokensPerBatch = plan.TokensPerBatch;
        var boundaries = LengthBoundaries.Of(trunk.Models.Select(static model => model.Config));
        IBatchLayout layout = isPacked ? new PackedBatches(plan.LayerRows, options.SharePrefixes, boundaries) : new PaddedBatches(boundaries);
        var graph = new GraphRun(session, options.BindValues ?? Device != ComputeDevice.Cpu);
        _scorer = new BatchScorer(graph, layout, [.. trunk.Models.Select(static model => model.Path)]);
        _contextLength = trunk.Models.Min(static model => model.Config.ContextLength);
        _vocabularySize = trunk.Models.Min(static model => model.Config.VocabularySize);
    }

    /// <summary>The device that computes: CPU or CUDA.</summary>
    public ComputeDevice Device => Chosen.Device;

    /// <summary>The device, and why it is that one.</summary>
    public ChosenDevice Chosen { get; }

    /// <summary>Number format of the activations: <c>float32</c>, <c>float16</c> or <c>bfloat16</c>.</summary>
    public string Precision { get; }

    /// <summary>Most padded tokens of a batch, by the options and the memory.</summary>
    public int TokensPerBatch => _tokensPerBatch;

    /// <summary>Number of models.</summary>
    public int ModelCount { get; }

    /// <summary>Leading layers that all models share and that are computed once; all of a single model's.</summary>
    public int SharedLayers { get; }

    /// <summary>Loads a model for scoring.</summary>
    /// <param name="model">The model folder; it may be disposed afterwards.</param>
    /// <param name="options">How to score; null takes the defaults.</param>
    /// <exception cref="ShadException">The device is not there, an option is out of range, or the runtime refuses
    /// the model.</exception>
    public static ScoringSession Open(ModelFolder model, ScoringOptions? options = null) => Open([model], options);

    /// <summary>Loads models to score with all of them in one pass.</summary>
    /// <param name="models">The model folders; they may be disposed afterwards.</param>
    /// <param name="options">How to score; null takes the defaults.</param>
    /// <exception cref="ShadException">The device is not there, an option is out of range, or the runtime refuses
    /// a model.</exception>
    public static ScoringSession Open(IReadOnlyList<ModelFolder> models, ScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(models);
        ArgumentOutOfRangeException.ThrowIfZero(models.Count);
        options ??= new ScoringOptions();
        options.Validate();
        var trunk = SharedTrunk.Of(models);
        var device = ExecutionProvider.Choose(options);
        try
        {
            return Load(trunk, options, device);
        }
        catch (ShadException error) when (error.Code == "onnx.no_cuda" && options.Device == ComputeDevice.Auto)
        {
            // All that can be looked for is there, and the provider does not begin all the same.
            var cpu = options with { Device = ComputeDevice.Cpu, DeviceReason = $"no CUDA: {error.What}" };
            return Load(trunk, cpu, ExecutionProvider.Choose(cpu));
        }
    }

    private static ScoringSession Load(SharedTrunk trunk, ScoringOptions options, ChosenDevice device)
    {
        var type = ComputeTypes.Of(options, device, trunk.Models[0]);
        options = DeviceMemory.Bound(options with { Device = device.Device, DeviceReason = device.Reason }, trunk, device, type);
        bool isPacked = false;
        MemoryPlan plan = default;
        var session = DecoderSession.Load(
            trunk, options,
            (weightsOf, hasOwnOperators) =>
            {
                isPacked = hasOwnOperators && !options.Pad;
                plan = MemoryPlan.Of(options, trunk, isPacked, ComputeTypes.SizeOf(type));
                return isPacked ? ScoringGraph.BuildPacked(trunk, weightsOf) : ScoringGraph.BuildPadded(trunk, weightsOf, plan.HeadRows);
            },
            out _);
        return new ScoringSession(session, options, plan, isPacked, trunk, device, type);
    }

    /// <summary>Scores with a graph that was loaded elsewhere, on the CPU.</summary>
    internal static ScoringSession Wrap(
        InferenceSession session, SharedTrunk trunk, ScoringOptions? options = null, bool isPacked = false)
    {
        options ??= new ScoringOptions();
        return new(
            session, options, MemoryPlan.Of(options, trunk, isPacked), isPacked, trunk,
            new ChosenDevice(ComputeDevice.Cpu, 0, "loaded elsewhere"), DataType.Float);
    }

    /// <summary>Scores one sample with the first model.</summary>
    /// <returns>Losses <c>[S]</c>, NaN where the token is no target.</returns>
    /// <exception cref="ShadException">The sample does not fit a model, or a loss is not finite.</exception>
    public float[] Score(TokenizedSample sample) => ScoreAll(sample)[0];

    /// <summary>Scores one sample with every model.</summary>
    /// <returns>By model: losses <c>[S]</c>, NaN where the token is no target.</returns>
    /// <exception cref="ShadException">The sample does not fit a model, or a loss is not finite.</exception>
    public float[][] ScoreAll(TokenizedSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        Check(sample);
        float[][] losses = NoLosses(sample);
        using var run = new RunOptions();
        if (BatchScorer.ComputedLength(sample) > 0) _scorer.Score([sample], [new Placement(0)], [losses], run, CancellationToken.None);
        return losses;
    }

    /// <summary>Scores samples in batches and gives them back in their order.</summary>
    /// <remarks>
    /// The items are enumerated (read, tokenized) on another thread, ahead of the scoring, which in turn runs ahead of the
    /// caller; each by at most a window. An error of the enumeration, or of a sample, ends the scoring with that error after
    /// the windows before it.
    /// </remarks>
    /// <typeparam name="T">What the caller wants back beside the losses.</typeparam>
    /// <param name="items">The items.</param>
    /// <param name="sampleOf">The sample of an item.</param>
    /// <param name="progress">Told after every batch.</param>
    /// <param name="cancellationToken">Ends the scoring, within a running batch too.</param>
    /// <exception cref="ShadException">A sample does not fit the model, or a loss is not finite.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was signalled.</exception>
    public async IAsyncEnumerable<ScoredSample<T>> ScoreAsync<T>(
        IAsyncEnumerable<T> items, Func<T, TokenizedSample> sampleOf, IProgress<ScoringProgress>? progress = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(sampleOf);

        // items ─ read ─▶ channel (a window) ─ score a window ─▶ channel (a window) ─ caller
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var read = Channel.CreateBounded<(T Item, TokenizedSample Sample)>(Bounded());
        var scored = Channel.CreateBounded<ScoredSample<T>>(Bounded());
        var reading = Task.Run(() => ReadAsync(items, sampleOf, read.Writer, stop.Token), CancellationToken.None);
        var scoring = Task.Run(() => ScoreWindowsAsync(read.Reader, scored.Writer, progress, stop.Token), CancellationToken.None);
        try
        {
            await foreach (var result in scored.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return result;
        }
        finally
        {
            // Also where the caller stops early: neither task may outlive the enumeration, since the session may be disposed next.
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(reading, scoring).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _scorer.Dispose();

    private BoundedChannelOptions Bounded() => new(_window) { SingleReader = true, SingleWriter = true };

    private async Task ReadAsync<T>(
        IAsyncEnumerable<T> items, Func<T, TokenizedSample> sampleOf, ChannelWriter<(T, TokenizedSample)> writer,
        CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var item in items.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                var sample = sampleOf(item);
                Check(sample);
                await writer.WriteAsync((item, sample), cancellationToken).ConfigureAwait(false);
            }

            writer.Complete();
        }
        catch (Exception error)
        {
            writer.TryComplete(error);
        }
    }

    private async Task ScoreWindowsAsync<T>(
        ChannelReader<(T Item, TokenizedSample Sample)> reader, ChannelWriter<ScoredSample<T>> writer,
        IProgress<ScoringProgress>? progress, CancellationToken cancellationToken)
    {
        try
        {
            using var run = new RunOptions();
            await using var terminate = cancellationToken.Register(() => run.Terminate = true).ConfigureAwait(false);
            var tally = new Tally(progress, _scorer);
            var window = new List<(T Item, TokenizedSample Sample)>(_window);
            Exception? ended = null;
            while (ended is null)
            {
                ended = await FillAsync(reader, window, cancellationToken).ConfigureAwait(false);
                float[][][] losses = [.. window.Select(entry => NoLosses(entry.Sample))];
                TokenizedSample[] samples = [.. window.Select(static entry => entry.Sample)];
                tally.AddUnscored(samples.Where(static sample => BatchScorer.ComputedLength(sample) == 0));
                foreach (Placement[] batch in _scorer.Cut(samples, _tokensPerBatch))
                {
                    _scorer.Score(samples, batch, losses, run, cancellationToken);
                    tally.AddBatch(samples, batch);
                }

                for (int i = 0; i < window.Count; i++)
                    await writer.WriteAsync(new ScoredSample<T>(window[i].Item, losses[i]), cancellationToken).ConfigureAwait(false);
                window.Clear();
            }

            writer.Complete(ended == EndOfItems ? null : ended);
        }
        catch (Exception error)
        {
            writer.TryComplete(error);
        }
    }

    private static readonly Exception EndOfItems = new EndOfStreamException();

    /// <summary>Reads a window. Returns why there is no more after it, or null.</summary>
    private async Task<Exception?> FillAsync<T>(ChannelReader<T> reader, List<T> window, CancellationToken cancellationToken)
    {
        try
        {
            while (window.Count < _window)
            {
                if (!await reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false)) return EndOfItems;
                while (window.Count < _window && reader.TryRead(out var entry)) window.Add(entry);
            }

            return null;
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            return error;
        }
    }

    private void Check(TokenizedSample sample)
    {
        if (sample.Length > _contextLength) throw OnnxErrors.LongerThanContext(sample.Id, sample.Length, _contextLength);
        int token = sample.InputIds.AsSpan().IndexOfAnyExceptInRange(0, _vocabularySize - 1);
        if (token >= 0) throw OnnxErrors.IdOutsideVocabulary(sample.Id, token, sample.InputIds[token], _vocabularySize);
    }

    private float[][] NoLosses(TokenizedSample sample)
    {
        float[][] losses = new float[ModelCount][];
        for (int model = 0; model < losses.Length; model++)
        {
            losses[model] = new float[sample.Length];
            Array.Fill(losses[model], float.NaN);
        }

        return losses;
    }

    /// <summary>Counts what was scored and tells it.</summary>
    private sealed class Tally(IProgress<ScoringProgress>? progress, BatchScorer scorer)
    {
        private readonly int _splitsBefore = scorer.Splits;
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private ScoringProgress _total;

        public void AddUnscored(IEnumerable<TokenizedSample> samples)
        {
            foreach (var sample in samples)
                _total = _total with { Samples = _total.Samples + 1, Tokens = _total.Tokens + sample.Length };
        }

        public void AddBatch(TokenizedSample[] samples, Placement[] batch)
        {
            var size = scorer.SizeOf(samples, batch);
            long computed = 0, tokens = 0, targets = 0;
            foreach (var placement in batch)
            {
                var sample = samples[placement.Sample];
                computed += BatchScorer.ComputedLength(sample);
                tokens += sample.Length;
                targets += sample.TargetCount;
            }

            _total = _total with
            {
                Samples = _total.Samples + batch.Length,
                Tokens = _total.Tokens + tokens,
                Targets = _total.Targets + targets,
                ComputedTokens = _total.ComputedTokens + size.Tokens,
                SharedTokens = _total.SharedTokens + computed - size.Tokens,
                PaddedTokens = _total.PaddedTokens + size.Padding,
                Splits = scorer.Splits - _splitsBefore,
                Elapsed = _watch.Elapsed,
            };
            progress?.Report(_total);
        }
    }
}
