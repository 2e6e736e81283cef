using System.Diagnostics;
using Shad.Core.Evaluation;
using Shad.Core.Tuning;

namespace Shad.Sidecar.Tuning;

/// <summary>Gathers what happened since the last progress event.</summary>
/// <param name="firstStep">First step of this process.</param>
/// <param name="steps">Steps of the whole tune.</param>
public sealed class ProgressWindow(int firstStep, int steps)
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _windowStart = Stopwatch.GetTimestamp();
    private LossByRole _losses = new();
    private double _objective, _reasoningWeight, _gradientNorm;
    private int _count, _weighted;
    private long _tokens;

    /// <summary>Adds a step.</summary>
    public void Add(StepResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        _losses.Add(result.Losses);
        _objective += result.Loss;
        if (result.ReasoningWeight is { } weight)
        {
            _reasoningWeight += weight;
            _weighted++;
        }

        _gradientNorm = result.GradientNorm;
        _tokens += result.Tokens;
        _count++;
    }

    /// <summary>The event for the steps added since the last call; empties the window.</summary>
    /// <param name="done">Steps done.</param>
    /// <param name="learningRate">Learning rate of the last of them.</param>
    public TuneProgress Report(int done, double learningRate)
    {
        double seconds = Stopwatch.GetElapsedTime(_windowStart).TotalSeconds;
        double perStep = Stopwatch.GetElapsedTime(_start).TotalSeconds / Math.Max(1, done - firstStep);
        var report = new TuneProgress
        {
            Step = done, Steps = steps, Loss = _objective / Math.Max(1, _count),
            BoilerplateLoss = _losses.BoilerplateLoss, ReasoningLoss = _losses.ReasoningLoss,
            ReasoningWeight = _weighted > 0 ? _reasoningWeight / _weighted : null,
            GradientNorm = _gradientNorm, LearningRate = learningRate,
            TokensPerSecond = seconds > 0 ? _tokens / seconds : 0, SecondsLeft = perStep * (steps - done), PeakMemory = PeakMemory(),
        };
        _losses = new LossByRole();
        _objective = _reasoningWeight = _tokens = 0;
        _count = _weighted = 0;
        _windowStart = Stopwatch.GetTimestamp();
        return report;
    }

    /// <summary>Most resident memory of this process so far, in bytes.</summary>
    private static long PeakMemory()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
