using Shad.Core.Samples;

namespace Shad.Sidecar.Objectives;

/// <summary>The targets of an optimizer step, sample after sample, <c>[N]</c>.</summary>
public sealed class StepTargets
{
    /// <summary>Gathers the targets of samples.</summary>
    /// <param name="samples">The samples of the step.</param>
    /// <param name="progress">The share of the tune's steps that lie behind this one, 0 to 1.</param>
    public StepTargets(IReadOnlyList<TokenizedSample> samples, double progress = 0)
    {
        ArgumentNullException.ThrowIfNull(samples);
        Progress = progress;
        int count = samples.Sum(static sample => sample.TargetCount);
        Roles = new TokenRole?[count];
        Weights = new float[count];
        int at = 0;
        foreach (var sample in samples)
        {
            for (int i = 0; i < sample.Length; i++)
            {
                if (!sample.IsTarget(i)) continue;
                Roles[at] = sample.Roles?[i];
                Weights[at] = sample.Weights?[i] ?? 1;
                at++;
            }
        }
    }

    /// <summary>Refuses a sample with a response token whose role is not known.</summary>
    /// <param name="sample">The sample.</param>
    /// <param name="path">Its file, for the message.</param>
    /// <exception cref="Core.Errors.ShadException">A role is missing.</exception>
    public static void RequireRoles(TokenizedSample sample, string path)
    {
        ArgumentNullException.ThrowIfNull(sample);
        for (int i = 0; i < sample.Length; i++)
        {
            if (sample.IsTarget(i) && sample.Roles?[i] is null) throw SidecarErrors.RoleMissing(path, sample.Id, i);
        }
    }

    /// <summary>Number of targets, <c>N</c>.</summary>
    public int Count => Roles.Length;

    /// <summary>The share of the tune's steps that lie behind this one, 0 to 1.</summary>
    public double Progress { get; }

    /// <summary>Role of each target, null where unknown.</summary>
    public TokenRole?[] Roles { get; }

    /// <summary>Weight of each target, 1 where the sample has none.</summary>
    public float[] Weights { get; }
}
