using Microsoft.ML.OnnxRuntime;
using Shad.Core.Samples;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Scoring;

/// <summary>Runs batches of samples through a scoring graph.</summary>
/// <param name="graph">The graph; disposed with this.</param>
/// <param name="models">The models of the graph in the order of its outputs, for errors.</param>
internal sealed class BatchScorer(GraphRun graph, IReadOnlyList<string> models) : IDisposable
{
    private static readonly string[] Inputs =
        [ScoringGraph.InputIds, ScoringGraph.Lengths, ScoringGraph.TargetRows, ScoringGraph.TargetIds];

    private static readonly string[] OutOfMemory =
        ["failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "smaller than requested bytes"];

    private readonly string[] _outputs = [.. Enumerable.Range(0, models.Count).Select(ScoringGraph.LossOf)];

    /// <summary>Tokens that must go through the model: those before the last target.</summary>
    public static int ComputedLength(TokenizedSample sample) =>
        Math.Max(0, sample.Labels.AsSpan().LastIndexOfAnyExcept(TokenizedSample.IgnoredLabel));

    /// <summary>Batches that memory did not hold and that were halved.</summary>
    public int Splits { get; private set; }

    /// <summary>Padded tokens of a batch that memory is likely to hold, by the batches it did not.</summary>
    public int TokensThatFit { get; private set; } = int.MaxValue;

    /// <summary>Scores one batch. Every sample has a target. A batch that memory does not hold is halved until it does.</summary>
    /// <param name="samples">The samples, longest first.</param>
    /// <param name="losses">Receives the losses: by sample, by model, by token.</param>
    /// <param name="run">Options of the run.</param>
    /// <param name="cancellationToken">Signalled where <paramref name="run"/> was told to end.</param>
    /// <exception cref="Core.Errors.ShadException">The runtime failed, as where memory does not hold a single sample, or a loss is
    /// not finite.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was signalled.</exception>
    public void Score(TokenizedSample[] samples, float[][][] losses, RunOptions run, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int half = (samples.Length + 1) / 2;
        int width = samples.Max(ComputedLength);
        try
        {
            Run(samples, width, losses, run);
            return;
        }
        catch (OnnxRuntimeException error)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (samples.Length == 1 || !IsOutOfMemory(error.Message))
                throw OnnxErrors.Incomputable($"batch of {samples.Length} samples of up to {width} tokens", error);
        }

        Splits++;
        TokensThatFit = Math.Min(TokensThatFit, half * width);
        Score(samples[..half], losses[..half], run, cancellationToken);
        Score(samples[half..], losses[half..], run, cancellationToken);
    }

    /// <summary>True for what the runtime says where memory ran out: its own arena, the C++ library, CUDA.</summary>
    internal static bool IsOutOfMemory(string message) => OutOfMemory.Any(
        sign => message.Contains(sign, StringComparison.OrdinalIgnoreCase));

    private void Run(TokenizedSample[] samples, int width, float[][][] losses, RunOptions run)
    {
        // The logits of position i − 1 score token i, so what follows a sample's last target, and that target itself, need
        // not go through the model:
        //
        //   tokens   t0 t1 t2 t3 t4 t5      targets t2, t4
        //   input    t0 t1 t2 t3            rows    1,  3     (flat: b·S + 1, b·S + 3)
        //
        // Padding stands behind the tokens, where causal attention never looks.
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

        float[][] batchLosses = [.. models.Select(_ => new float[count])];
        OrtValue[] lossValues = [.. batchLosses.Select(values => OrtValue.CreateTensorValueFromMemory(values, [count]))];
        try
        {
            using var idsValue = OrtValue.CreateTensorValueFromMemory(ids, [samples.Length, width]);
            using var lengthsValue = OrtValue.CreateTensorValueFromMemory(lengths, [samples.Length]);
            using var rowsValue = OrtValue.CreateTensorValueFromMemory(rows, [count]);
            using var targetsValue = OrtValue.CreateTensorValueFromMemory(targets, [count]);
            graph.Run(run, Inputs, [idsValue, lengthsValue, rowsValue, targetsValue], _outputs, lossValues);
        }
        finally
        {
            foreach (var value in lossValues) value.Dispose();
        }

        for (int model = 0; model < models.Count; model++)
        {
            next = 0;
            for (int b = 0; b < samples.Length; b++)
            {
                for (int i = 1; i < samples[b].Length; i++)
                {
                    if (!samples[b].IsTarget(i)) continue;
                    float loss = batchLosses[model][next++];
                    if (!float.IsFinite(loss)) throw OnnxErrors.NotFinite(samples[b].Id, i, loss, models[model]);
                    losses[b][model][i] = loss;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => graph.Dispose();
}
