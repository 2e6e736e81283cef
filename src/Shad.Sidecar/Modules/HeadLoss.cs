using Shad.Core.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>
/// The LM head with the cross entropy, and their gradient, over blocks of rows.
/// </summary>
/// <remarks>
/// For a hidden state <c>h</c>, the head <c>W [V,H]</c>, the target <c>y</c> and its coefficient <c>c</c> in the objective:
/// <code>
/// loss      = −log softmax(W h)[y]
/// ∂/∂logits = c · (softmax(W h) − onehot(y))          with a bound b, b·tanh(W h / b) in place of W h: times 1 − tanh²
/// ∂/∂h      = Wᵀ ∂/∂logits          ∂/∂W = Σ ∂/∂logits ⊗ h
/// </code>
/// Gradients are formed as soon as a block's logits are known, so that at most <see cref="BlockElements"/> logits exist at a time,
/// where autograd would keep <c>N·V</c> of them several times: at V = 151,936 and N = 4,096 that is 2.5 GB a copy against 16 MiB
/// (or, with the floor of 32 rows, 19 MiB).
/// </remarks>
public static class HeadLoss
{
    /// <summary>Logits of one block: 16 MiB of float32.</summary>
    private const long BlockElements = 1 << 22;

    private const long MinimumRows = 32;

    /// <summary>Losses of targets in nats, without gradient: float32 <c>[N]</c>.</summary>
    /// <param name="states">Hidden states, float32 <c>[N,H]</c>.</param>
    /// <param name="targets">Target ids, int64 <c>[N]</c>.</param>
    /// <param name="head">The head.</param>
    /// <param name="precision">Number format of the products.</param>
    /// <param name="cap">Bound of the logits; null for none.</param>
    public static Tensor Losses(Tensor states, Tensor targets, ParameterBlock head, TunePrecision precision, double? cap = null)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        return Run(states, targets, null, head, precision, cap, null).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Losses and gradient of <c>Σ coefficientᵢ · lossᵢ</c>. The head's gradient, if it is tuned, is added to
    /// <see cref="ParameterBlock.Gradient"/>.
    /// </summary>
    /// <param name="states">Hidden states, float32 <c>[N,H]</c>.</param>
    /// <param name="targets">Target ids, int64 <c>[N]</c>.</param>
    /// <param name="coefficients">Factor of each target's loss in the objective, float32 <c>[N]</c>.</param>
    /// <param name="head">The head.</param>
    /// <param name="precision">Number format of the products.</param>
    /// <param name="cap">Bound of the logits; null for none.</param>
    /// <returns>Losses in nats <c>[N]</c> and the gradient of the states <c>[N,H]</c>, both float32.</returns>
    public static (Tensor Losses, Tensor StateGradient) Gradient(
        Tensor states, Tensor targets, Tensor coefficients, ParameterBlock head, TunePrecision precision, double? cap = null)
    {
        ArgumentNullException.ThrowIfNull(states);
        ArgumentNullException.ThrowIfNull(coefficients);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var stateGradient = empty_like(states, float32);
        var losses = Run(states, targets, coefficients, head, precision, cap, stateGradient);
        return (losses.MoveToOuterDisposeScope(), stateGradient.MoveToOuterDisposeScope());
    }

    private static Tensor Run(
        Tensor states, Tensor targets, Tensor? coefficients, ParameterBlock head, TunePrecision precision, double? cap, Tensor? stateGradient)
    {
        var weight = precision == TunePrecision.BFloat16 ? head.Half!.detach() : head.Master.detach();
        var transposed = weight.t();
        var operands = states.detach().to(weight.dtype);
        long count = states.shape[0];
        long rows = Math.Max(MinimumRows, BlockElements / weight.shape[0]);
        var losses = empty([count], float32, states.device);
        for (long start = 0; start < count; start += rows)
        {
            using var scope = NewDisposeScope();
            long size = Math.Min(rows, count - start);
            var h = operands.narrow(0, start, size);
            var y = targets.narrow(0, start, size).unsqueeze(1);
            var logits = h.matmul(transposed);
            Tensor? slope = null;
            if (cap is { } bound)
            {
                using Scalar ratio = 1 / bound, factor = bound, one = 1.0, minus = -1.0;
                var tanh = (logits.to(float32) * ratio).tanh_();
                logits = tanh * factor;
                slope = (tanh * tanh).mul_(minus).add_(one);
            }

            var logProbabilities = logits.log_softmax(-1, float32);
            losses.narrow(0, start, size).copy_(logProbabilities.gather(1, y).squeeze(1).neg_());
            if (coefficients is null) continue;

            var gradient = logProbabilities.exp_();
            gradient.scatter_add_(1, y, full([size, 1], -1f, float32, states.device));
            gradient.mul_(coefficients.narrow(0, start, size).unsqueeze(1));
            if (slope is not null) gradient.mul_(slope);
            gradient = gradient.to(weight.dtype);
            stateGradient!.narrow(0, start, size).copy_(gradient.matmul(weight));
            head.Gradient?.add_(gradient.t().matmul(h));
        }

        return losses;
    }
}
