using Shad.Core.Tuning;
using Shad.Core.Weighting;

namespace Shad.Sidecar.Objectives;

/// <summary>The objectives by the name a job gives them.</summary>
public static class TuneObjectives
{
    /// <summary>The objective of a job.</summary>
    public static ITuneObjective For(TuneJob job)
    {
        ArgumentNullException.ThrowIfNull(job);
        return job.Objective switch
        {
            TuneObjective.Sft => new SftObjective(),
            TuneObjective.Rft => new RftObjective(new RftWeighting
            {
                Temperature = job.Temperature, BySize = job.WeightBySize, BoilerplateFloor = job.BoilerplateFloor,
                AnnealFrom = job.AnnealFrom,
            }),
            TuneObjective.Weighted => new WeightedObjective(),
            TuneObjective.Mask => new MaskObjective(),
            _ => throw SidecarErrors.JobValue("objective", job.Objective, "sft, rft, weighted or mask"),
        };
    }
}
