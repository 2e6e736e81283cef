using Shad.Core.Samples;

namespace Shad.Sidecar.Objectives;

/// <summary>Supervised fine-tuning: the mean loss over the response tokens of the optimizer step.</summary>
public sealed class SftObjective : ITuneObjective
{
    /// <inheritdoc/>
    public bool NeedsLosses => false;

    /// <inheritdoc/>
    public void Check(TokenizedSample sample, string path)
    {
        // Every sample with a target will do, and the reader of the data lets no other pass.
    }

    /// <inheritdoc/>
    public StepWeighting Weigh(StepTargets targets, ReadOnlySpan<float> losses)
    {
        ArgumentNullException.ThrowIfNull(targets);
        var coefficients = new float[targets.Count];
        Array.Fill(coefficients, 1f / targets.Count);
        return new StepWeighting(coefficients);
    }
}
