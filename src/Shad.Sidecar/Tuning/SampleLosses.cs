using Shad.Core.Evaluation;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using TorchSharp;

namespace Shad.Sidecar.Tuning;

/// <summary>Per-token losses of samples, in float32 whatever the precision of the tune.</summary>
public static class SampleLosses
{
    /// <summary>Samples worth sorting by length together; bounds the memory of their losses.</summary>
    public const int Window = 512;

    /// <summary>The losses of samples, in the order given.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="samples">The samples; those without targets get losses that are all NaN.</param>
    /// <param name="tokensPerBatch">Most padded tokens of a batch.</param>
    /// <param name="device">Device of the model.</param>
    /// <param name="cancellationToken">Asked between batches.</param>
    /// <returns>For each sample its losses <c>[S]</c> in nats, NaN where no target.</returns>
    /// <exception cref="OperationCanceledException">It was cut short.</exception>
    public static float[][] Of(
        TorchDecoder decoder, IReadOnlyList<TokenizedSample> samples, int tokensPerBatch, torch.Device device,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(samples);
        int[] order = [.. Enumerable.Range(0, samples.Count).OrderByDescending(i => samples[i].Length)];
        var longestFirst = Array.ConvertAll(order, i => samples[i]);
        var flat = new float[longestFirst.Sum(static sample => sample.TargetCount)];
        Trainer.LossesOf(
            decoder, longestFirst, MicroBatches.Cut(longestFirst, tokensPerBatch, decoder.Parameters.Config.LengthBoundaries), TunePrecision.Float32, flat,
            device, cancellationToken);
        var result = new float[samples.Count][];
        int at = 0;
        foreach (int index in order)
        {
            var sample = samples[index];
            var losses = result[index] = new float[sample.Length];
            for (int i = 0; i < losses.Length; i++) losses[i] = sample.IsTarget(i) ? flat[at++] : float.NaN;
        }

        return result;
    }

    /// <summary>Mean losses over samples, by role.</summary>
    /// <exception cref="OperationCanceledException">It was cut short.</exception>
    public static LossByRole ByRole(
        TorchDecoder decoder, IEnumerable<TokenizedSample> samples, int tokensPerBatch, torch.Device device,
        CancellationToken cancellationToken)
    {
        var total = new LossByRole();
        foreach (var window in samples.Chunk(Window))
        {
            var losses = Of(decoder, window, tokensPerBatch, device, cancellationToken);
            for (int i = 0; i < window.Length; i++) total.Add(losses[i], window[i].Roles);
        }

        return total;
    }
}
