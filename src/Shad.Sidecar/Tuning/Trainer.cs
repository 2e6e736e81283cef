using Shad.Core.Evaluation;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Objectives;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tuning;

/// <summary>What one optimizer step was like.</summary>
/// <param name="Loss">The objective's value, nats.</param>
/// <param name="Losses">Mean losses of the step's targets, by role.</param>
/// <param name="ReasoningWeight">ω_r of the RFT loss; null for other objectives.</param>
/// <param name="GradientNorm">L2 norm of the gradient before clipping.</param>
/// <param name="Tokens">Tokens passed through the model, without padding.</param>
public sealed record StepResult(double Loss, LossByRole Losses, double? ReasoningWeight, double GradientNorm, int Tokens);

/// <summary>Runs optimizer steps.</summary>
/// <remarks>
/// A step's gradient is that of one sum over all its targets. It is accumulated over micro-batches whose targets carry
/// coefficients of the whole step, so that one batch of N samples and N batches of one give the same step, whatever their lengths.
/// </remarks>
public sealed class Trainer
{
    private readonly TorchDecoder _decoder;
    private readonly AdamW _optimizer;
    private readonly ITuneObjective _objective;
    private readonly TrainerOptions _options;
    private readonly Device _device;

    /// <summary>Creates a trainer.</summary>
    public Trainer(TorchDecoder decoder, AdamW optimizer, ITuneObjective objective, TrainerOptions options, Device device)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        _decoder = decoder;
        _optimizer = optimizer;
        _objective = objective;
        _options = options;
        _device = device;
    }

    /// <summary>
    /// Runs one step. Where the loss or the gradient is not finite, the parameters and moments stay as they were.
    /// </summary>
    /// <param name="samples">The step's samples, each with a target.</param>
    /// <param name="step">Number of the step, from 1.</param>
    /// <param name="learningRate">Learning rate of the step.</param>
    /// <param name="cancellationToken">Asked between micro-batches; a step that was cut short changes nothing.</param>
    /// <exception cref="NonFiniteStepException">The loss or the gradient is not finite.</exception>
    /// <exception cref="OperationCanceledException">The step was cut short.</exception>
    public StepResult Step(
        IReadOnlyList<TokenizedSample> samples, int step, double learningRate, CancellationToken cancellationToken)
    {
        var (loss, losses, targets, weighting) = Accumulate(samples, cancellationToken, step);
        if (!double.IsFinite(loss)) throw new NonFiniteStepException("loss");
        double norm = GradientNorm();
        if (!double.IsFinite(norm)) throw new NonFiniteStepException("gradient");

        double scale = _options.MaximumGradientNorm > 0 && norm > _options.MaximumGradientNorm
            ? _options.MaximumGradientNorm / norm
            : 1;
        _optimizer.Step(step, learningRate, scale);
        _decoder.Parameters.RefreshHalf();

        var byRole = new LossByRole();
        byRole.Add(losses, targets.Roles);
        return new StepResult(loss, byRole, weighting.ReasoningWeight, norm, samples.Sum(static sample => sample.Length));
    }

    /// <summary>
    /// Computes the objective's value and leaves its gradient in the parameters, without changing them.
    /// </summary>
    /// <param name="samples">The step's samples, each with a target.</param>
    /// <param name="cancellationToken">Asked between micro-batches.</param>
    /// <param name="step">Number of the step, from 1; dropout depends on it, and objectives may.</param>
    /// <returns>The objective's value and the loss of each target, sample after sample from the longest to the shortest.</returns>
    /// <exception cref="OperationCanceledException">It was cut short.</exception>
    public (double Loss, float[] Losses, StepTargets Targets, StepWeighting Weighting) Accumulate(
        IReadOnlyList<TokenizedSample> samples, CancellationToken cancellationToken, int step = 1)
    {
        var ordered = MicroBatches.LongestFirst(samples);
        var cuts = MicroBatches.Cut(ordered, _options.TokensPerBatch, _decoder.Parameters.Config.LengthBoundaries);
        var targets = new StepTargets(ordered, _options.Steps > 0 ? Math.Min(1, (double)(step - 1) / _options.Steps) : 0);
        var losses = new float[targets.Count];
        var head = _decoder.Parameters.Head;
        var precision = _options.Precision;
        var dropout = _options.Dropout > 0 ? new StepDropout(_options.Dropout, _options.Seed, step) : null;

        StepWeighting? weighting = null;
        if (!_objective.NeedsLosses)
        {
            weighting = _objective.Weigh(targets, []);
        }
        else if (cuts.Count > 1)
        {
            LossesOf(_decoder, ordered, cuts, precision, losses, _device, cancellationToken, dropout);
            if (!Array.TrueForAll(losses, float.IsFinite)) throw new NonFiniteStepException("loss");
            weighting = _objective.Weigh(targets, losses);
        }

        _decoder.Parameters.ClearGradient();
        double? cap = _decoder.Parameters.Config.LogitCap;
        int start = 0;
        foreach (var cut in cuts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var batch = new TokenBatch(ordered[cut], _device, cut.Start.Value);
            var settings = new PassSettings(batch, precision, dropout);
            using var pass = _options.RecomputeLayers ? ForwardPass.Run(_decoder, settings) : null;
            var states = pass?.States ?? _decoder.TargetStates(settings);
            if (weighting is null)
            {
                Copy(HeadLoss.Losses(states, batch.TargetIds, head, precision, cap), losses.AsSpan(start, batch.TargetCount));
                if (!Array.TrueForAll(losses, float.IsFinite)) throw new NonFiniteStepException("loss");
                weighting = _objective.Weigh(targets, losses);
            }

            using var coefficients = tensor(weighting.Coefficients[start..(start + batch.TargetCount)], device: _device);
            var (batchLosses, gradient) = HeadLoss.Gradient(states, batch.TargetIds, coefficients, head, precision, cap);
            Copy(batchLosses, losses.AsSpan(start, batch.TargetCount));
            if (pass is not null) pass.Backward(gradient);
            else if (states.requires_grad) states.backward([gradient]);
            _decoder.Parameters.CollectHalfGradient();
            start += batch.TargetCount;
        }

        double loss = 0;
        for (int i = 0; i < losses.Length; i++) loss += (double)weighting!.Coefficients[i] * losses[i];
        return (loss, losses, targets, weighting!);
    }

    /// <summary>Losses of samples without gradient, in the order of their targets.</summary>
    internal static void LossesOf(
        TorchDecoder decoder, TokenizedSample[] ordered, IReadOnlyList<Range> cuts, TunePrecision precision, Span<float> losses,
        Device device, CancellationToken cancellationToken, StepDropout? dropout = null)
    {
        using var quiet = no_grad();
        int start = 0;
        foreach (var cut in cuts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var batch = new TokenBatch(ordered[cut], device, cut.Start.Value);
            if (batch.TargetCount == 0) continue;
            var states = decoder.TargetStates(new PassSettings(batch, precision, dropout));
            var parameters = decoder.Parameters;
            Copy(
                HeadLoss.Losses(states, batch.TargetIds, parameters.Head, precision, parameters.Config.LogitCap),
                losses.Slice(start, batch.TargetCount));
            start += batch.TargetCount;
        }
    }

    private double GradientNorm()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        return _decoder.Parameters.Gradient.norm().ToDouble();
    }

    private static void Copy(Tensor source, Span<float> target)
    {
        using var onHost = source.cpu();
        onHost.data<float>().CopyTo(target);
    }
}

/// <summary>How a <see cref="Trainer"/> works.</summary>
public readonly record struct TrainerOptions()
{
    /// <summary>Optimizer steps of the tune, for objectives that change on the way; 0 where there is no such plan.</summary>
    public int Steps { get; init; }

    /// <summary>Most padded tokens of a micro-batch.</summary>
    public int TokensPerBatch { get; init; } = 4096;

    /// <summary>Largest gradient norm; 0 turns clipping off.</summary>
    public double MaximumGradientNorm { get; init; } = 1;

    /// <summary>Number format of the products.</summary>
    public TunePrecision Precision { get; init; } = TunePrecision.Float32;

    /// <summary>Dropout before the adapters; from 0, below 1.</summary>
    public double Dropout { get; init; }

    /// <summary>Seed of the dropout.</summary>
    public ulong Seed { get; init; }

    /// <summary>Keep only the layers' inputs for the backward pass and run each layer again: less memory, a third more time, the
    /// same gradients.</summary>
    public bool RecomputeLayers { get; init; }
}

/// <summary>A step's loss or gradient is not a finite number.</summary>
/// <param name="what">Which of the two.</param>
public sealed class NonFiniteStepException(string what) : Exception($"The {what} is not a finite number.")
{
    /// <summary><c>loss</c> or <c>gradient</c>.</summary>
    public string What { get; } = what;
}
