using Shad.Core.Samples;

namespace Shad.Sidecar.Objectives;

/// <summary>
/// Fixed weights: <c>Σ wᵢ·lossᵢ / Σ wᵢ</c> over the response tokens of the optimizer step. A step whose weights are all 0 has no
/// gradient.
/// </summary>
public sealed class WeightedObjective : ITuneObjective
{
    /// <inheritdoc/>
    public bool NeedsLosses => false;

    /// <inheritdoc/>
    public void Check(TokenizedSample sample, string path)
    {
        ArgumentNullException.ThrowIfNull(sample);
        if (sample.Weights is not { } weights) throw SidecarErrors.WeightMissing(path, sample.Id);
        for (int i = 0; i < sample.Length; i++)
        {
            if (sample.IsTarget(i) && !(float.IsFinite(weights[i]) && weights[i] >= 0))
                throw SidecarErrors.WeightUnusable(path, sample.Id, i, weights[i]);
        }
    }

    /// <inheritdoc/>
    public StepWeighting Weigh(StepTargets targets, ReadOnlySpan<float> losses)
    {
        ArgumentNullException.ThrowIfNull(targets);
        double sum = 0;
        foreach (float weight in targets.Weights) sum += weight;
        var coefficients = new float[targets.Count];
        if (sum > 0)
        {
            for (int i = 0; i < coefficients.Length; i++) coefficients[i] = (float)(targets.Weights[i] / sum);
        }

        return new StepWeighting(coefficients);
    }
}
