using Shad.Core.Samples;

namespace Shad.Sidecar.Objectives;

/// <summary>
/// Boilerplate left out: <c>Σ lossᵢ / n_r</c> over the reasoning tokens of the optimizer step, of which there are <c>n_r</c>. Where a
/// step has none (<c>n_r = 0</c>), the objective is 0 and so is its gradient: the step still counts, and moves the parameters by
/// what is left of earlier gradients and by weight decay only.
/// </summary>
public sealed class MaskObjective : ITuneObjective
{
    /// <inheritdoc/>
    public bool NeedsLosses => false;

    /// <inheritdoc/>
    public void Check(TokenizedSample sample, string path) => StepTargets.RequireRoles(sample, path);

    /// <inheritdoc/>
    public StepWeighting Weigh(StepTargets targets, ReadOnlySpan<float> losses)
    {
        ArgumentNullException.ThrowIfNull(targets);
        int count = targets.Roles.Count(static role => role == TokenRole.Reasoning);
        var coefficients = new float[targets.Count];
        for (int i = 0; i < coefficients.Length; i++)
            if (targets.Roles[i] == TokenRole.Reasoning) coefficients[i] = 1f / count;
        return new StepWeighting(coefficients);
    }
}
