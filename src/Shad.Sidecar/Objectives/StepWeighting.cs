namespace Shad.Sidecar.Objectives;

/// <summary>How the targets of an optimizer step enter the objective, which is <c>Σ coefficientᵢ · lossᵢ</c>.</summary>
/// <param name="Coefficients">One for each target, in the order of the samples. Constants: no gradient flows through them.</param>
/// <param name="ReasoningWeight">ω_r of the RFT loss; null for other objectives.</param>
public sealed record StepWeighting(float[] Coefficients, double? ReasoningWeight = null);
