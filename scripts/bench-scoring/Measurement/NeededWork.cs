using Shad.Core.Samples;
using Shad.Models.Configuration;

namespace BenchScoring.Measurement;

/// <summary>
/// The floating-point operations that a scoring needs, and the fewest bytes it moves. The share of the machine's peak (MFU) is these over
/// seconds and peak: the same for every contender, so that what one computes beyond it (padding, logits nobody asked for, a trunk twice)
/// lowers its share.
/// </summary>
/// <remarks>
/// A product with a matrix of P parameters takes 2·P operations a row. For a sample of n tokens before its last target and T targets:
/// <code>
/// layer           2·(P_q + P_k + P_v + P_o + P_mlp)·n  +  4·A·n(n + 1)/2
/// last layer      2·(P_k + P_v)·n  +  2·(P_q + P_o + P_mlp)·T  +  4·A·Σ_targets (position + 1)
/// head            2·H·V·T
/// </code>
/// with A = heads × head size; the attention's two products, causal, take 2·A each a pair of positions. Norms, rotations and activations
/// are not counted. A probe with its last k layers changed adds those k layers and a head.
/// </remarks>
internal static class NeededWork
{
    /// <summary>Floating-point operations of a corpus.</summary>
    /// <param name="config">The model.</param>
    /// <param name="samples">The corpus.</param>
    /// <param name="probes">Probes beside the base model.</param>
    /// <param name="probeLayers">Layers a probe changes.</param>
    /// <param name="head">False leaves the head out, for a contender that only fills its cache.</param>
    public static double Operations(
        DecoderConfig config, IEnumerable<TokenizedSample> samples, int probes, int probeLayers, bool head)
    {
        double hidden = config.HiddenSize, attention = (double)config.AttentionHeads * config.HeadSize;
        double keyValues = 2 * hidden * config.KeyValueHeads * config.HeadSize;
        double others = 2 * hidden * attention + 3 * hidden * config.IntermediateSize;
        double layers = config.LayerCount + (double)probes * probeLayers - (1 + probes);
        double sum = 0;
        foreach (var sample in samples)
        {
            double tokens = ComputedTokens(sample), targets = 0, targetPairs = 0;
            for (int i = 1; i < sample.Length; i++)
            {
                if (!sample.IsTarget(i)) continue;
                targets++;
                targetPairs += i;
            }

            double layer = 2 * (keyValues + others) * tokens + 2 * attention * tokens * (tokens + 1);
            double last = 2 * keyValues * tokens + 2 * others * targets + 4 * attention * targetPairs;
            sum += layers * layer + (1 + probes) * (last + (head ? 2 * hidden * config.VocabularySize * targets : 0));
        }

        return sum;
    }

    /// <summary>Tokens a sample's losses depend on: those before its last target.</summary>
    public static int ComputedTokens(TokenizedSample sample) =>
        Math.Max(0, sample.Labels.AsSpan().LastIndexOfAnyExcept(TokenizedSample.IgnoredLabel));

    /// <summary>Fewest bytes that must come from memory once a forward pass: the float32 weights that take part.</summary>
    public static double WeightBytes(DecoderConfig config, int probes, int probeLayers)
    {
        double hidden = config.HiddenSize, width = (double)config.HeadSize * (2 * config.AttentionHeads + 2 * config.KeyValueHeads);
        double layer = hidden * width + 3 * hidden * config.IntermediateSize;
        return sizeof(float) * ((config.LayerCount + (double)probes * probeLayers) * layer + hidden * config.VocabularySize);
    }
}
