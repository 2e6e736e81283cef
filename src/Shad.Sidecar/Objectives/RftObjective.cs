using Shad.Core.Samples;
using Shad.Core.Weighting;

namespace Shad.Sidecar.Objectives;

/// <summary>
/// Reasoning-highlighted fine-tuning (arXiv:2412.14780): <c>ω_b · L_b + ω_r · L_r</c>, where <c>L_b</c> and <c>L_r</c> are the mean
/// losses over the boilerplate and the reasoning tokens of the optimizer step and <c>(ω_b, ω_r) = softmax(L_b/τ, L_r/τ)</c> are
/// constants. A step with one group only uses that group's mean loss. <see cref="RftWeighting"/> has variations of it.
/// </summary>
/// <remarks>
/// So the coefficient of a token is <c>ω/n</c> of its group. The weights need both mean losses before the first backward pass: a
/// step that goes through the model in one micro-batch computes the head twice, a step of several first passes through the model
/// without gradient. Both are exact, which a running estimate of the means would not be.
/// </remarks>
/// <param name="weighting">How the weights follow from the losses.</param>
public sealed class RftObjective(RftWeighting weighting) : ITuneObjective
{
    /// <inheritdoc/>
    public bool NeedsLosses => true;

    /// <inheritdoc/>
    public void Check(TokenizedSample sample, string path) => StepTargets.RequireRoles(sample, path);

    /// <inheritdoc/>
    public StepWeighting Weigh(StepTargets targets, ReadOnlySpan<float> losses)
    {
        ArgumentNullException.ThrowIfNull(targets);
        double boilerplate = 0, reasoning = 0;
        int boilerplateCount = 0, reasoningCount = 0;
        for (int i = 0; i < targets.Count; i++)
        {
            if (targets.Roles[i] == TokenRole.Reasoning)
            {
                reasoning += losses[i];
                reasoningCount++;
            }
            else
            {
                boilerplate += losses[i];
                boilerplateCount++;
            }
        }

        var weights = weighting.Weigh(
            boilerplate / Math.Max(1, boilerplateCount), boilerplateCount, reasoning / Math.Max(1, reasoningCount), reasoningCount,
            targets.Progress);
        float ofBoilerplate = (float)(weights.Boilerplate / Math.Max(1, boilerplateCount));
        float ofReasoning = (float)(weights.Reasoning / Math.Max(1, reasoningCount));
        var coefficients = new float[targets.Count];
        for (int i = 0; i < coefficients.Length; i++)
            coefficients[i] = targets.Roles[i] == TokenRole.Reasoning ? ofReasoning : ofBoilerplate;
        return new StepWeighting(coefficients, weights.Reasoning);
    }
}
