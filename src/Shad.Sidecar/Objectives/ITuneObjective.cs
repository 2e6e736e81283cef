using Shad.Core.Samples;

namespace Shad.Sidecar.Objectives;

/// <summary>
/// What a tune minimises: a sum over the targets of one optimizer step, each loss with a coefficient. Coefficients are computed
/// over the whole step, so where the step is cut into micro-batches does not matter.
/// </summary>
public interface ITuneObjective
{
    /// <summary>True where the coefficients depend on the losses of the step, which then are computed first.</summary>
    bool NeedsLosses { get; }

    /// <summary>Refuses a sample that lacks what the objective needs.</summary>
    /// <param name="sample">The sample.</param>
    /// <param name="path">Its file, for the message.</param>
    /// <exception cref="Core.Errors.ShadException">Something is missing or out of range.</exception>
    void Check(TokenizedSample sample, string path);

    /// <summary>The coefficients of a step's targets.</summary>
    /// <param name="targets">The targets, sample after sample.</param>
    /// <param name="losses">Their losses in nats where <see cref="NeedsLosses"/>; else empty.</param>
    StepWeighting Weigh(StepTargets targets, ReadOnlySpan<float> losses);
}
