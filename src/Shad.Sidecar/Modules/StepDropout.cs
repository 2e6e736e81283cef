using Shad.Core.Randomness;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>
/// The dropout of one optimizer step. A mask follows from the seed, the number of the step, the sample's place in it and the place
/// in the model, and from nothing else: so a second pass over the step, a resumed tune and a step cut into other micro-batches
/// drop the same values.
/// </summary>
/// <param name="rate">Share of the values that become 0; from 0, below 1. The others are scaled by <c>1 / (1 − rate)</c>.</param>
/// <param name="seed">Seed of the tune.</param>
/// <param name="step">Number of the optimizer step.</param>
public sealed class StepDropout(double rate, ulong seed, int step)
{
    private readonly SeededRandom _ofStep = new SeededRandom(seed).Fork((ulong)step);

    /// <summary>Drops values of rows that belong to a batch.</summary>
    /// <param name="x">float32 <c>[rows, W]</c>.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="targetsOnly">True where the rows are the batch's targets; false where they are all its tokens.</param>
    /// <param name="site">Number of the place in the model.</param>
    public Tensor Apply(Tensor x, TokenBatch batch, bool targetsOnly, int site)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(batch);
        if (rate == 0) return x;
        using var scope = NewDisposeScope();
        var masks = new List<Tensor>(batch.Samples.Count);
        for (int i = 0; i < batch.Samples.Count; i++)
        {
            long rows = targetsOnly ? batch.Samples[i].TargetCount : batch.Samples[i].Length;
            ulong stream = _ofStep.Fork((ulong)(batch.FirstSample + i)).Fork((ulong)site).NextUInt64();
            using var generator = new Generator(stream, x.device);
            masks.Add(empty([rows, x.shape[1]], float32, x.device).bernoulli_(1 - rate, generator));
        }

        using Scalar scale = 1 / (1 - rate);
        return (x * cat(masks, 0).mul_(scale)).MoveToOuterDisposeScope();
    }
}
