using Shad.Sidecar.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tuning;

/// <summary>
/// AdamW (Loshchilov &amp; Hutter, arXiv:1711.05101) over the flat buffers of <see cref="DecoderParameters"/>, with gradient clipping
/// folded in: <c>g ← clip·g; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← (1 − ηλ)θ − η · m̂ / (√v̂ + ε)</c>.
/// </summary>
/// <remarks>
/// Worked through in pieces that stay in the cache: seven operations a piece, whatever the number of tensors, and no
/// temporary as long as the model.
/// </remarks>
public sealed class AdamW : IDisposable
{
    private const long Piece = 1 << 17;
    private readonly DecoderParameters _parameters;
    private readonly AdamWOptions _options;

    /// <summary>Creates the optimizer with moments 0.</summary>
    public AdamW(DecoderParameters parameters, AdamWOptions options)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        _parameters = parameters;
        _options = options;
        FirstMoment = zeros_like(parameters.Values).DetachFromDisposeScope();
        SecondMoment = zeros_like(parameters.Values).DetachFromDisposeScope();
    }

    /// <summary>m, float32 <c>[P]</c>.</summary>
    public Tensor FirstMoment { get; }

    /// <summary>v, float32 <c>[P]</c>.</summary>
    public Tensor SecondMoment { get; }

    /// <summary>Changes the parameters by the gradient they hold, which is scaled in place.</summary>
    /// <param name="step">Number of this step, from 1.</param>
    /// <param name="learningRate">η.</param>
    /// <param name="gradientScale">Factor on the gradient: below 1 where it is clipped.</param>
    public void Step(int step, double learningRate, double gradientScale)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        double firstCorrection = 1 - Math.Pow(_options.Beta1, step);
        double secondCorrection = Math.Sqrt(1 - Math.Pow(_options.Beta2, step));
        using Scalar scale = gradientScale;
        using Scalar beta1 = _options.Beta1;
        using Scalar newShare1 = 1 - _options.Beta1;
        using Scalar beta2 = _options.Beta2;
        using Scalar newShare2 = 1 - _options.Beta2;
        using Scalar correction = 1 / secondCorrection;
        using Scalar epsilon = _options.Epsilon;
        using Scalar stepSize = -learningRate / firstCorrection;
        using Scalar keep = 1 - learningRate * _options.WeightDecay;

        for (long start = 0; start < _parameters.TunedCount;)
        {
            bool decays = start < _parameters.DecayedCount;
            long end = Math.Min(start + Piece, decays ? _parameters.DecayedCount : _parameters.TunedCount);
            long size = end - start;
            using var values = _parameters.Values.narrow(0, start, size);
            using var gradient = _parameters.Gradient.narrow(0, start, size);
            using var first = FirstMoment.narrow(0, start, size);
            using var second = SecondMoment.narrow(0, start, size);
            if (gradientScale != 1) gradient.mul_(scale);
            first.mul_(beta1).add_(gradient, newShare1);
            second.mul_(beta2).addcmul_(gradient, gradient, newShare2);
            using var denominator = second.sqrt().mul_(correction).add_(epsilon);
            if (decays && _options.WeightDecay != 0) values.mul_(keep);
            values.addcdiv_(first, denominator, stepSize);
            start = end;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        FirstMoment.Dispose();
        SecondMoment.Dispose();
    }
}

/// <summary>Constants of <see cref="AdamW"/>.</summary>
public readonly record struct AdamWOptions()
{
    /// <summary>β₁.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>ε.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>λ, on <see cref="DecoderParameters.DecayedCount"/> leading parameters.</summary>
    public double WeightDecay { get; init; } = 0.01;
}
