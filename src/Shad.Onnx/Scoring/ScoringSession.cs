using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;
using Shad.Onnx.Sessions;

namespace Shad.Onnx.Scoring;

/// <summary>
/// Scores samples with a model: the loss of each target given all before it, in nats. The graph is built in memory and reads
/// the weights where they lie; nothing is written to the model folder.
/// </summary>
/// <remarks>One scoring at a time: <see cref="ScoreAsync{T}"/> and <see cref="Score"/> are not for concurrent use.</remarks>
public sealed class ScoringSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly ScoringOptions _options;
    private readonly DecoderConfig _config;
    private readonly string _model;

    private ScoringSession(InferenceSession session, ScoringOptions options, ModelFolder model, ComputeDevice device)
    {
        Device = device;
        _session = session;
        _options = options;
        _config = model.Config;
        _model = model.Path;
    }

    /// <summary>The device that computes: CPU or CUDA.</summary>
    public ComputeDevice Device { get; }

    /// <summary>Loads a model for scoring.</summary>
    /// <param name="model">The model folder; it may be disposed afterwards.</param>
    /// <param name="options">How to score; null takes the defaults.</param>
    /// <exception cref="Core.Errors.ShadException">The device is not there, an option is out of range, or the runtime refuses
    /// the model.</exception>
    public static ScoringSession Open(ModelFolder model, ScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new ScoringOptions();
        options.Validate();
        var session = DecoderSession.Load(model, options, weightsOf => ScoringGraph.Build(model.Config, weightsOf), out var device);
        return new ScoringSession(session, options, model, device);
    }

    /// <summary>Scores with a graph that was loaded from a file, on the CPU.</summary>
    internal static ScoringSession Wrap(InferenceSession session, ModelFolder model) =>
        new(session, new ScoringOptions(), model, ComputeDevice.Cpu);

    /// <summary>Scores one sample.</summary>
    /// <returns>Losses <c>[S]</c>, NaN where the token is no target.</returns>
    /// <exception cref="Core.Errors.ShadException">The sample does not fit the model, or a loss is not finite.</exception>
    public float[] Score(TokenizedSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        Check(sample);
        float[] losses = NoLosses(sample);
        using var run = new RunOptions();
        if (ComputedLength(sample) > 0) ScoreBatch([sample], [losses], run, CancellationToken.None);
        return losses;
    }

    /// <summary>Scores samples in batches of like lengths and gives them back in their order.</summary>
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
    /// <exception cref="Core.Errors.ShadException">A sample does not fit the model, or a loss is not finite.</exception>
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
    public void Dispose() => _session.Dispose();

    private BoundedChannelOptions Bounded() => new(_options.Window) { SingleReader = true, SingleWriter = true };

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
            var tally = new Tally(progress);
            var window = new List<(T Item, TokenizedSample Sample)>(_options.Window);
            Exception? ended = null;
            while (ended is null)
            {
                ended = await FillAsync(reader, window, cancellationToken).ConfigureAwait(false);
                float[][] losses = [.. window.Select(static entry => NoLosses(entry.Sample))];
                int[] lengths = [.. window.Select(static entry => ComputedLength(entry.Sample))];
                tally.AddUnscored(window.Where((_, i) => lengths[i] == 0).Select(static entry => entry.Sample));
                foreach (int[] batch in BatchPlan.Cut(lengths, _options.TokensPerBatch))
                {
                    TokenizedSample[] samples = [.. batch.Select(i => window[i].Sample)];
                    ScoreBatch(samples, [.. batch.Select(i => losses[i])], run, cancellationToken);
                    tally.AddBatch(samples);
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
            while (window.Count < _options.Window)
            {
                if (!await reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false)) return EndOfItems;
                while (window.Count < _options.Window && reader.TryRead(out var entry)) window.Add(entry);
            }

            return null;
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            return error;
        }
    }

    /// <summary>Scores one batch. Every sample has a target.</summary>
    private void ScoreBatch(
        TokenizedSample[] samples, float[][] losses, RunOptions run, CancellationToken cancellationToken)
    {
        // The logits of position i − 1 score token i, so what follows a sample's last target, and that target itself, need
        // not go through the model:
        //
        //   tokens   t0 t1 t2 t3 t4 t5      targets t2, t4
        //   input    t0 t1 t2 t3            rows    1,  3     (flat: b·S + 1, b·S + 3)
        //
        // Padding stands behind the tokens, where causal attention never looks.
        int width = samples.Max(ComputedLength);
        int count = samples.Sum(static sample => sample.TargetCount);
        long[] ids = new long[samples.Length * width];
        int[] lengths = new int[samples.Length];
        long[] rows = new long[count];
        long[] targets = new long[count];
        int next = 0;
        for (int b = 0; b < samples.Length; b++)
        {
            var sample = samples[b];
            lengths[b] = ComputedLength(sample);
            for (int i = 0; i < lengths[b]; i++) ids[b * width + i] = sample.InputIds[i];
            for (int i = 1; i < sample.Length; i++)
            {
                if (!sample.IsTarget(i)) continue;
                rows[next] = (long)b * width + i - 1;
                targets[next++] = sample.InputIds[i];
            }
        }

        float[] batchLosses = new float[count];
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            using var idsValue = OrtValue.CreateTensorValueFromMemory(ids, [samples.Length, width]);
            using var lengthsValue = OrtValue.CreateTensorValueFromMemory(lengths, [samples.Length]);
            using var rowsValue = OrtValue.CreateTensorValueFromMemory(rows, [count]);
            using var targetsValue = OrtValue.CreateTensorValueFromMemory(targets, [count]);
            using var lossValue = OrtValue.CreateTensorValueFromMemory(batchLosses, [count]);
            _session.Run(
                run, [ScoringGraph.InputIds, ScoringGraph.Lengths, ScoringGraph.TargetRows, ScoringGraph.TargetIds],
                [idsValue, lengthsValue, rowsValue, targetsValue], [ScoringGraph.Loss], [lossValue]);
        }
        catch (OnnxRuntimeException error)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw OnnxErrors.Incomputable($"batch of {samples.Length} samples of up to {width} tokens", error);
        }

        next = 0;
        for (int b = 0; b < samples.Length; b++)
        {
            for (int i = 1; i < samples[b].Length; i++)
            {
                if (!samples[b].IsTarget(i)) continue;
                float loss = batchLosses[next++];
                if (!float.IsFinite(loss)) throw OnnxErrors.NotFinite(samples[b].Id, i, loss, _model);
                losses[b][i] = loss;
            }
        }
    }

    private void Check(TokenizedSample sample)
    {
        if (sample.Length > _config.ContextLength)
            throw OnnxErrors.LongerThanContext(sample.Id, sample.Length, _config.ContextLength);
        int token = sample.InputIds.AsSpan().IndexOfAnyExceptInRange(0, _config.VocabularySize - 1);
        if (token >= 0)
            throw OnnxErrors.IdOutsideVocabulary(sample.Id, token, sample.InputIds[token], _config.VocabularySize);
    }

    /// <summary>Tokens that must go through the model: those before the last target.</summary>
    private static int ComputedLength(TokenizedSample sample) =>
        Math.Max(0, sample.Labels.AsSpan().LastIndexOfAnyExcept(TokenizedSample.IgnoredLabel));

    private static float[] NoLosses(TokenizedSample sample)
    {
        float[] losses = new float[sample.Length];
        Array.Fill(losses, float.NaN);
        return losses;
    }

    /// <summary>Counts what was scored and tells it.</summary>
    private sealed class Tally(IProgress<ScoringProgress>? progress)
    {
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private ScoringProgress _total;

        public void AddUnscored(IEnumerable<TokenizedSample> samples)
        {
            foreach (var sample in samples)
                _total = _total with { Samples = _total.Samples + 1, Tokens = _total.Tokens + sample.Length };
        }

        public void AddBatch(TokenizedSample[] samples)
        {
            long computed = samples.Sum(static sample => (long)ComputedLength(sample));
            _total = _total with
            {
                Samples = _total.Samples + samples.Length,
                Tokens = _total.Tokens + samples.Sum(static sample => (long)sample.Length),
                Targets = _total.Targets + samples.Sum(static sample => (long)sample.TargetCount),
                ComputedTokens = _total.ComputedTokens + computed,
                PaddedTokens = _total.PaddedTokens + (long)samples.Length * samples.Max(ComputedLength) - computed,
                Elapsed = _watch.Elapsed,
            };
            progress?.Report(_total);
        }
    }
}
