using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Onnx.Sessions;

namespace Shad.Onnx.Scoring;

/// <summary>
/// Scoring on one device, or divided between several: a session with all the models on each, windows of samples handed to whichever
/// is free, and the results given back in the order of the samples.
/// </summary>
/// <remarks>One scoring at a time, as with <see cref="ScoringSession"/>.</remarks>
public sealed class ScoringGroup : IDisposable
{
    private readonly IReadOnlyList<ScoringSession> _sessions;
    private readonly int _window;

    private ScoringGroup(IReadOnlyList<ScoringSession> sessions, int window) => (_sessions, _window) = (sessions, window);

    /// <summary>The devices, and why they are these.</summary>
    public IReadOnlyList<ChosenDevice> Devices => [.. _sessions.Select(static session => session.Chosen)];

    /// <summary>The devices as they are written for <c>--device</c>: <c>cpu</c>, <c>cuda:0,1</c>.</summary>
    public string DeviceName => _sessions.Count == 1
        ? _sessions[0].Chosen.Name
        : $"cuda:{string.Join(',', _sessions.Select(static session => session.Chosen.Index))}";

    /// <summary>Why the devices are these, for people.</summary>
    public string DeviceReason => string.Join("; ", _sessions.Select(static session => session.Chosen.Reason).Distinct());

    /// <summary>Number format of the activations.</summary>
    public string Precision => _sessions[0].Precision;

    /// <summary>Most padded tokens of a batch on the device with the least room.</summary>
    public int TokensPerBatch => _sessions.Min(static session => session.TokensPerBatch);

    /// <summary>Number of models.</summary>
    public int ModelCount => _sessions[0].ModelCount;

    /// <summary>Leading layers that all models share.</summary>
    public int SharedLayers => _sessions[0].SharedLayers;

    /// <summary>Loads models onto devices.</summary>
    /// <param name="models">The model folders; they may be disposed afterwards.</param>
    /// <param name="choice">The devices.</param>
    /// <param name="options">How to score; its device is that of <paramref name="choice"/>.</param>
    /// <exception cref="ShadException">A device is not there, or see <see cref="ScoringSession.Open(ModelFolder, ScoringOptions?)"/>.</exception>
    public static ScoringGroup Open(IReadOnlyList<ModelFolder> models, DeviceChoice choice, ScoringOptions options)
    {
        ArgumentNullException.ThrowIfNull(choice);
        ArgumentNullException.ThrowIfNull(options);
        var sessions = new List<ScoringSession>();
        try
        {
            foreach (int index in choice.Indices)
                sessions.Add(ScoringSession.Open(models, options with { Device = choice.Device, DeviceIndex = index }));
            return new ScoringGroup(sessions, options.Window);
        }
        catch
        {
            foreach (var session in sessions) session.Dispose();
            throw;
        }
    }

    /// <summary>A group of sessions that were loaded elsewhere; they are disposed with it.</summary>
    internal static ScoringGroup Of(IReadOnlyList<ScoringSession> sessions, int window) => new(sessions, window);

    /// <summary>Scores samples and gives them back in their order.</summary>
    /// <typeparam name="T">What the caller wants back beside the losses.</typeparam>
    /// <param name="items">The items; enumerated on another thread, ahead of the scoring.</param>
    /// <param name="sampleOf">The sample of an item.</param>
    /// <param name="progress">Told the sum over the devices after every batch.</param>
    /// <param name="cancellationToken">Ends the scoring, within a running batch too.</param>
    /// <exception cref="ShadException">A sample does not fit a model, or a loss is not finite.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was signalled.</exception>
    public IAsyncEnumerable<ScoredSample<T>> ScoreAsync<T>(
        IAsyncEnumerable<T> items, Func<T, TokenizedSample> sampleOf, IProgress<ScoringProgress>? progress = null,
        CancellationToken cancellationToken = default) => _sessions.Count == 1
        ? _sessions[0].ScoreAsync(items, sampleOf, progress, cancellationToken)
        : DivideAsync(items, sampleOf, progress, cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var session in _sessions) session.Dispose();
    }

    private async IAsyncEnumerable<ScoredSample<T>> DivideAsync<T>(
        IAsyncEnumerable<T> items, Func<T, TokenizedSample> sampleOf, IProgress<ScoringProgress>? progress,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // items ─ cut ─┬▶ windows ─▶ session 0 ┐ each window's results complete its promise
        //              │            session 1 ┘
        //              └▶ promises, in the order of the windows ─▶ caller
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var windows = Channel.CreateBounded<Window<T>>(_sessions.Count);
        var promises = Channel.CreateBounded<Task<List<ScoredSample<T>>>>(2 * _sessions.Count);
        var total = new Total(progress, _sessions.Count);
        var cutting = Task.Run(() => CutAsync(items, windows.Writer, promises.Writer, stop.Token), CancellationToken.None);
        Task[] scoring = [.. _sessions.Select((session, place) => Task.Run(
            () => ScoreWindowsAsync(session, place, windows.Reader, sampleOf, total, stop.Token), CancellationToken.None))];
        try
        {
            await foreach (var promise in promises.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                foreach (var result in await promise.ConfigureAwait(false)) yield return result;
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll([cutting, .. scoring]).ConfigureAwait(false);
        }
    }

    private async Task CutAsync<T>(
        IAsyncEnumerable<T> items, ChannelWriter<Window<T>> windows, ChannelWriter<Task<List<ScoredSample<T>>>> promises,
        CancellationToken cancellationToken)
    {
        var window = new Window<T>();
        Exception? ended = null;
        try
        {
            await foreach (var item in items.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                window.Items.Add(item);
                if (window.Items.Count < _window) continue;
                await HandOutAsync().ConfigureAwait(false);
                window = new Window<T>();
            }
        }
        catch (Exception error)
        {
            // What was read before it is scored all the same, as with one session.
            ended = error;
        }

        try
        {
            if (window.Items.Count > 0) await HandOutAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException cancelled)
        {
            ended ??= cancelled;
        }

        windows.TryComplete();
        promises.TryComplete(ended);

        async Task HandOutAsync()
        {
            await promises.WriteAsync(window.Results.Task, cancellationToken).ConfigureAwait(false);
            await windows.WriteAsync(window, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task ScoreWindowsAsync<T>(
        ScoringSession session, int place, ChannelReader<Window<T>> windows, Func<T, TokenizedSample> sampleOf, Total total,
        CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var window in windows.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                try
                {
                    var before = total.Of(place);
                    var results = await session.ScoreAsync(
                        window.Items.ToAsyncEnumerable(), sampleOf, new Part(total, place, before), cancellationToken)
                        .ToListAsync(cancellationToken).ConfigureAwait(false);
                    window.Results.SetResult(results);
                }
                catch (Exception error)
                {
                    window.Results.SetException(error);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Windows that nobody took are not waited for any more.
        }
    }

    /// <summary>Samples that go to one session together.</summary>
    private sealed class Window<T>
    {
        public List<T> Items { get; } = [];

        public TaskCompletionSource<List<ScoredSample<T>>> Results { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Adds up what the sessions tell.</summary>
    private sealed class Total(IProgress<ScoringProgress>? progress, int sessions)
    {
        private readonly Lock _gate = new();
        private readonly ScoringProgress[] _parts = new ScoringProgress[sessions];
        private readonly System.Diagnostics.Stopwatch _watch = System.Diagnostics.Stopwatch.StartNew();

        public ScoringProgress Of(int place)
        {
            lock (_gate) return _parts[place];
        }

        public void Set(int place, ScoringProgress part)
        {
            lock (_gate)
            {
                _parts[place] = part;
                var sum = _parts.Aggregate(Sum);
                progress?.Report(sum with { Elapsed = _watch.Elapsed });
            }
        }
    }

    /// <summary>The progress of one window, on top of that of the windows the session had before.</summary>
    private sealed class Part(Total total, int place, ScoringProgress before) : IProgress<ScoringProgress>
    {
        public void Report(ScoringProgress value) => total.Set(place, Sum(before, value));
    }

    private static ScoringProgress Sum(ScoringProgress one, ScoringProgress other) => new(
        one.Samples + other.Samples, one.Tokens + other.Tokens, one.Targets + other.Targets, one.ComputedTokens + other.ComputedTokens,
        one.SharedTokens + other.SharedTokens, one.PaddedTokens + other.PaddedTokens, one.Splits + other.Splits, one.Elapsed + other.Elapsed);
}
