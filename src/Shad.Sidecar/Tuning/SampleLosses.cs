using Shad.Core.Evaluation;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using TorchSharp;

namespace Shad.Sidecar.Tuning;

/// <summary>Per-token losses of samples, in float32 whatever the precision of the tune.</summary>
public static class SampleLosses
{
    /// <summary>Samples sorted and batched together; bounds the memory of results.</summary>
    private const int SamplesAtOnce = 512;

    /// <summary>The losses of each sample, in the order given.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="samples">The samples; those without targets get losses that are all NaN.</param>
    /// <param name="tokensPerBatch">Most padded tokens of a batch.</param>
    /// <param name="device">Device of the model.</param>
    /// <param name="cancellationToken">Asked between batches.</param>
    /// <returns>For each sample its losses <c>[S]</c> in nats, NaN where no target.</returns>
    /// <exception cref="OperationCanceledException">It was cut short.</exception>
    public static IEnumerable<(TokenizedSample Sample, float[] Losses)> Of(
        TorchDecoder decoder, IEnumerable<TokenizedSample> samples, int tokensPerBatch, torch.Device device,
        CancellationToken cancellationToken)
    {
        foreach (var window in samples.Chunk(SamplesAtOnce))
        {
            var ordered = MicroBatches.LongestFirst(window);
            var flat = new float[ordered.Sum(static sample => sample.TargetCount)];
            Trainer.LossesOf(
                decoder, ordered, MicroBatches.Cut(ordered, tokensPerBatch), TunePrecision.Float32, flat, device, cancellationToken);
            var bySample = new Dictionary<TokenizedSample, float[]>(ReferenceEqualityComparer.Instance);
            int at = 0;
            foreach (var sample in ordered)
            {
                var losses = new float[sample.Length];
                for (int i = 0; i < losses.Length; i++) losses[i] = sample.IsTarget(i) ? flat[at++] : float.NaN;
                bySample[sample] = losses;
            }

            foreach (var sample in window) yield return (sample, bySample[sample]);
        }
    }

    /// <summary>Mean losses over samples, by role.</summary>
    /// <exception cref="OperationCanceledException">It was cut short.</exception>
    public static LossByRole ByRole(
        TorchDecoder decoder, IEnumerable<TokenizedSample> samples, int tokensPerBatch, torch.Device device,
        CancellationToken cancellationToken)
    {
        var total = new LossByRole();
        foreach (var (sample, losses) in Of(decoder, samples, tokensPerBatch, device, cancellationToken))
            total.Add(losses, sample.Roles);
        return total;
    }
}
