using Microsoft.ML.OnnxRuntime;
using Shad.Core.Samples;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Scoring;

/// <summary>Batches of samples of like lengths, padded to the longest.</summary>
/// <param name="boundaries">Lengths that no batch has samples on both sides of; null for none.</param>
internal sealed class PaddedBatches(LengthBoundaries? boundaries = null) : IBatchLayout
{
    private static readonly string[] Inputs =
        [ScoringGraph.InputIds, ScoringGraph.Lengths, ScoringGraph.TargetRows, ScoringGraph.TargetIds];

    private readonly LengthBoundaries _boundaries = boundaries ?? LengthBoundaries.None;

    /// <inheritdoc/>
    public IEnumerable<Placement[]> Cut(IReadOnlyList<TokenizedSample> samples, Func<int> tokensPerBatch)
    {
        // Equal lengths keep their order, so that the batches are a function of the samples.
        int[] lengths = [.. samples.Select(_boundaries.ComputedLength)];
        int[] order = [.. Enumerable.Range(0, lengths.Length).Where(i => lengths[i] > 0).OrderByDescending(i => lengths[i])];
        for (int start = 0; start < order.Length;)
        {
            int rows = Math.Max(1, tokensPerBatch() / lengths[order[start]]);
            int end = start + 1, side = _boundaries.SideOf(samples[order[start]]);
            while (end < order.Length && end < start + rows && _boundaries.SideOf(samples[order[end]]) == side) end++;
            yield return [.. order[start..end].Select(static sample => new Placement(sample))];
            start = end;
        }
    }

    /// <inheritdoc/>
    public BatchSize SizeOf(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch)
    {
        int tokens = 0, width = 0;
        foreach (var placement in batch)
        {
            int length = _boundaries.ComputedLength(samples[placement.Sample]);
            tokens += length;
            width = Math.Max(width, length);
        }

        return new BatchSize(tokens, batch.Length * width - tokens);
    }

    /// <inheritdoc/>
    public BatchInputs Lay(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch)
    {
        // The logits of position i − 1 score token i, so what follows a sample's last target, and that target itself, need
        // not go through the model:
        //
        //   tokens   t0 t1 t2 t3 t4 t5      targets t2, t4
        //   input    t0 t1 t2 t3            rows    1,  3     (flat: b·S + 1, b·S + 3)
        //
        // Padding stands behind the tokens, where causal attention never looks.
        var size = SizeOf(samples, batch);
        int width = (size.Tokens + size.Padding) / batch.Length;
        long[] ids = new long[batch.Length * width];
        int[] lengths = new int[batch.Length];
        var rows = new List<long>();
        var targets = new List<long>();
        for (int b = 0; b < batch.Length; b++)
        {
            var sample = samples[batch[b].Sample];
            lengths[b] = _boundaries.ComputedLength(sample);
            for (int i = 0; i < lengths[b]; i++) ids[b * width + i] = sample.InputIds[i];
            for (int i = 1; i <= lengths[b] && i < sample.Length; i++)
            {
                if (!sample.IsTarget(i)) continue;
                rows.Add((long)b * width + i - 1);
                targets.Add(sample.InputIds[i]);
            }
        }

        return new BatchInputs(
            Inputs,
            [
                OrtValue.CreateTensorValueFromMemory(ids, [batch.Length, width]),
                OrtValue.CreateTensorValueFromMemory(lengths, [batch.Length]),
                OrtValue.CreateTensorValueFromMemory<long>([.. rows], [rows.Count]),
                OrtValue.CreateTensorValueFromMemory<long>([.. targets], [targets.Count]),
            ],
            [targets.Count]);
    }
}
