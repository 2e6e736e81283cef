namespace Shad.Sidecar.Tuning;

/// <summary>Linear warm-up to the peak, then half a cosine down to a floor.</summary>
/// <param name="Peak">Highest learning rate.</param>
/// <param name="Steps">Optimizer steps of the tune.</param>
/// <param name="WarmupRatio">Share of the steps that warm up; at least one step, if above 0.</param>
/// <param name="FloorRatio">Learning rate of the last step as a share of the peak.</param>
public readonly record struct LearningRateSchedule(double Peak, int Steps, double WarmupRatio, double FloorRatio)
{
    /// <summary>The learning rate of a step, counted from 0.</summary>
    public double At(int step)
    {
        int warmup = (int)Math.Ceiling(Steps * WarmupRatio);
        if (step < warmup) return Peak * (step + 1) / warmup;
        int decaySteps = Math.Max(1, Steps - 1 - warmup);
        double progress = Math.Clamp((double)(step - warmup) / decaySteps, 0, 1);
        return Peak * (FloorRatio + (1 - FloorRatio) * 0.5 * (1 + Math.Cos(Math.PI * progress)));
    }
}
