using System.Globalization;
using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tuning;

/// <summary>
/// What was measured on the held-out samples so far, and what follows from it: whether to go on, and which weights were best. Without
/// settings it only remembers the step last measured.
/// </summary>
public sealed class EarlyStopping : IDisposable
{
    private readonly EarlyStoppingSettings? _settings;
    private readonly DecoderParameters _parameters;

    /// <summary>Begins with nothing measured.</summary>
    /// <param name="settings">When to stop; null never stops and keeps no weights.</param>
    /// <param name="parameters">What is tuned.</param>
    public EarlyStopping(EarlyStoppingSettings? settings, DecoderParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        _settings = settings;
        _parameters = parameters;
        BestValues = settings is null ? null : zeros_like(parameters.Values).DetachFromDisposeScope();
    }

    /// <summary>The tuned values at the best measurement, float32 <c>[P]</c>; null without settings.</summary>
    public Tensor? BestValues { get; }

    /// <summary>Loss of the best measurement; infinite before the first.</summary>
    public double BestLoss { get; private set; } = double.PositiveInfinity;

    /// <summary>Step of the best measurement; −1 before the first.</summary>
    public int BestStep { get; private set; } = -1;

    /// <summary>Step of the last measurement; −1 before the first.</summary>
    public int MeasuredStep { get; private set; } = -1;

    /// <summary>Measurements since the best.</summary>
    public int Waited { get; private set; }

    /// <summary>True where the tune is to end.</summary>
    public bool HasStopped => _settings is { } settings && Waited >= settings.Patience;

    /// <summary>What a checkpoint must hold besides <see cref="BestValues"/>.</summary>
    public IReadOnlyDictionary<string, string> State => new Dictionary<string, string>
    {
        ["measured_step"] = MeasuredStep.ToString(CultureInfo.InvariantCulture),
        ["best_step"] = BestStep.ToString(CultureInfo.InvariantCulture),
        ["best_loss"] = BestLoss.ToString("R", CultureInfo.InvariantCulture),
        ["waited"] = Waited.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>Takes back what <see cref="State"/> gave.</summary>
    /// <exception cref="KeyNotFoundException">Something is missing.</exception>
    /// <exception cref="FormatException">Something is no number.</exception>
    public void Restore(IReadOnlyDictionary<string, string> state)
    {
        ArgumentNullException.ThrowIfNull(state);
        MeasuredStep = int.Parse(state["measured_step"], CultureInfo.InvariantCulture);
        BestStep = int.Parse(state["best_step"], CultureInfo.InvariantCulture);
        BestLoss = double.Parse(state["best_loss"], CultureInfo.InvariantCulture);
        Waited = int.Parse(state["waited"], CultureInfo.InvariantCulture);
    }

    /// <summary>Notes a measurement; the weights as they are now are kept where it is the best. A loss that is no number is not.</summary>
    public void Measured(int step, double loss)
    {
        MeasuredStep = step;
        if (_settings is null) return;
        if (BestStep < 0 || loss < BestLoss - _settings.MinimumImprovement)
        {
            BestLoss = loss;
            BestStep = step;
            Waited = 0;
            using var quiet = no_grad();
            BestValues!.copy_(_parameters.Values);
        }
        else
        {
            Waited++;
        }
    }

    /// <summary>Puts the best weights in place of the last.</summary>
    /// <returns>True where they are others than the last.</returns>
    public bool TakeBest()
    {
        if (_settings is null || BestStep < 0 || BestStep == MeasuredStep) return false;
        using (no_grad()) _parameters.Values.copy_(BestValues!);
        _parameters.RefreshHalf();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => BestValues?.Dispose();
}
