using Microsoft.ML.OnnxRuntime;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Scoring;

/// <summary>Runs batches of samples through a scoring graph.</summary>
/// <param name="graph">The graph; disposed with this.</param>
/// <param name="layout">How the graph takes a batch.</param>
/// <param name="models">The models of the graph in the order of its outputs, for errors.</param>
internal sealed class BatchScorer(GraphRun graph, IBatchLayout layout, IReadOnlyList<string> models) : IDisposable
{
    private static readonly string[] OutOfMemory =
        ["failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "smaller than requested bytes"];

    private readonly string[] _outputs = [.. Enumerable.Range(0, models.Count).Select(ScoringGraph.LossOf)];

    /// <summary>Tokens that must go through the model: those before the last target.</summary>
    public static int ComputedLength(TokenizedSample sample) =>
        Math.Max(0, sample.Labels.AsSpan().LastIndexOfAnyExcept(TokenizedSample.IgnoredLabel));

    /// <summary>Batches that memory did not hold and that were halved.</summary>
    public int Splits { get; private set; }

    /// <summary>Tokens of a batch, padding included, that memory is likely to hold, by the batches it did not.</summary>
    public int TokensThatFit { get; private set; } = int.MaxValue;

    /// <summary>Cuts samples into batches; what did not fit in memory before is cut smaller.</summary>
    /// <param name="samples">The samples; those without a target are left out.</param>
    /// <param name="tokensPerBatch">Most tokens of a batch, padding included; a longer sequence goes alone.</param>
    public IEnumerable<Placement[]> Cut(IReadOnlyList<TokenizedSample> samples, int tokensPerBatch) =>
        layout.Cut(samples, () => Math.Min(tokensPerBatch, TokensThatFit));

    /// <summary>What goes through the model for a batch.</summary>
    public BatchSize SizeOf(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch) => layout.SizeOf(samples, batch);

    /// <summary>Scores one batch. A batch that memory does not hold is halved until it does.</summary>
    /// <param name="samples">The samples.</param>
    /// <param name="batch">Those of them to score, longest first; each has a target.</param>
    /// <param name="losses">Receives the losses: by sample, by model, by token.</param>
    /// <param name="run">Options of the run.</param>
    /// <param name="cancellationToken">Signalled where <paramref name="run"/> was told to end.</param>
    /// <exception cref="ShadException">The runtime failed, as where memory does not hold a single sample, or a loss is
    /// not finite.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was signalled.</exception>
    public void Score(
        IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch, float[][][] losses, RunOptions run,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int half = (batch.Length + 1) / 2;
        try
        {
            Run(samples, batch, losses, run);
            return;
        }
        catch (OnnxRuntimeException error)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (batch.Length == 1 || !IsOutOfMemory(error.Message)) throw Failed(samples, batch, error);
        }

        Splits++;
        var size = layout.SizeOf(samples, batch[..half]);
        TokensThatFit = Math.Min(TokensThatFit, size.Tokens + size.Padding);
        Score(samples, batch[..half], losses, run, cancellationToken);
        Score(samples, batch[half..], losses, run, cancellationToken);
    }

    /// <summary>True for what the runtime says where memory ran out: its own arena, the C++ library, CUDA.</summary>
    internal static bool IsOutOfMemory(string message) => OutOfMemory.Any(
        sign => message.Contains(sign, StringComparison.OrdinalIgnoreCase));

    private void Run(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch, float[][][] losses, RunOptions run)
    {
        using var inputs = layout.Lay(samples, batch);
        float[][] batchLosses = [.. models.Select(_ => new float[inputs.LossShape.Aggregate(1L, static (size, length) => size * length)])];
        OrtValue[] lossValues = [.. batchLosses.Select(values => OrtValue.CreateTensorValueFromMemory(values, inputs.LossShape))];
        try
        {
            graph.Run(run, inputs.Names, inputs.Values, _outputs, lossValues);
        }
        finally
        {
            foreach (var value in lossValues) value.Dispose();
        }

        for (int model = 0; model < models.Count; model++)
        {
            int next = 0;
            foreach (var placement in batch)
            {
                var sample = samples[placement.Sample];
                for (int i = 1; i < sample.Length; i++)
                {
                    if (!sample.IsTarget(i)) continue;
                    float loss = batchLosses[model][next++];
                    if (!float.IsFinite(loss)) throw OnnxErrors.NotFinite(sample.Id, i, loss, models[model]);
                    losses[placement.Sample][model][i] = loss;
                }
            }
        }
    }

    private static ShadException Failed(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch, Exception error)
    {
        int longest = 0;
        foreach (var placement in batch) longest = Math.Max(longest, ComputedLength(samples[placement.Sample]));
        return OnnxErrors.Incomputable($"batch of {batch.Length} samples of up to {longest} tokens", error);
    }

    /// <inheritdoc/>
    public void Dispose() => graph.Dispose();
}
