using Shad.Core.Errors;

namespace Shad.Core.Weighting;

/// <summary>
/// The weights of the two role groups in the RFT loss <c>L = ω_b · L_b + ω_r · L_r</c> (arXiv:2412.14780); they add up to 1.
/// </summary>
/// <param name="Boilerplate">ω_b.</param>
/// <param name="Reasoning">ω_r.</param>
public readonly record struct RftWeights(double Boilerplate, double Reasoning)
{
    /// <summary><c>(ω_b, ω_r) = softmax(L_b/τ, L_r/τ)</c>, to be taken as constants: no gradient flows through them.</summary>
    /// <param name="boilerplateLoss">L_b: mean loss of the boilerplate tokens, nats; null where there are none.</param>
    /// <param name="reasoningLoss">L_r: mean loss of the reasoning tokens, nats; null where there are none.</param>
    /// <param name="temperature">τ, nats, finite and above 0.</param>
    /// <returns>The weights; a group that is alone has weight 1.</returns>
    /// <exception cref="ArgumentException">There is no group at all, or a loss is not finite.</exception>
    /// <exception cref="ShadException">The temperature is out of range.</exception>
    /// <remarks>
    /// Of two logits the softmax is the logistic function of their difference, and <c>exp</c> is only taken of numbers ≤ 0, so
    /// nothing overflows: a difference beyond about 745 τ gives exactly 0 and 1.
    /// </remarks>
    public static RftWeights Compute(double? boilerplateLoss, double? reasoningLoss, double temperature) =>
        Compute(boilerplateLoss, reasoningLoss, temperature, 0);

    /// <summary>The same with a term added to the logit of reasoning.</summary>
    internal static RftWeights Compute(double? boilerplateLoss, double? reasoningLoss, double temperature, double term)
    {
        if (!(temperature > 0 && double.IsFinite(temperature))) throw CoreErrors.BadTemperature(temperature);
        CheckFinite(boilerplateLoss, nameof(boilerplateLoss));
        CheckFinite(reasoningLoss, nameof(reasoningLoss));

        switch (boilerplateLoss, reasoningLoss)
        {
            case (null, null):
                throw new ArgumentException("There is neither a boilerplate nor a reasoning token.", nameof(boilerplateLoss));
            case (_, null):
                return new RftWeights(1, 0);
            case (null, _):
                return new RftWeights(0, 1);
        }

        double logit = (reasoningLoss.Value - boilerplateLoss.Value) / temperature + term;
        double smaller = Math.Exp(-Math.Abs(logit));
        (double heavy, double light) = (1 / (1 + smaller), smaller / (1 + smaller));
        return logit >= 0 ? new RftWeights(light, heavy) : new RftWeights(heavy, light);
    }

    /// <summary>
    /// The fixed per-token weights that give the RFT loss as a weighted mean: with <c>n_b</c> boilerplate and <c>n_r</c> reasoning
    /// tokens, <c>w_b = ω_b (n_b + n_r) / n_b</c> and <c>w_r = ω_r (n_b + n_r) / n_r</c>, so that
    /// <c>Σ wᵢ·lossᵢ / Σ wᵢ = ω_b · L_b + ω_r · L_r</c> and the mean weight is 1.
    /// </summary>
    /// <param name="boilerplateTokens">n_b.</param>
    /// <param name="reasoningTokens">n_r.</param>
    /// <returns>The weight of one boilerplate and of one reasoning token; 0 for a group without tokens, 1 for the other.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A count is negative.</exception>
    public (double Boilerplate, double Reasoning) PerToken(long boilerplateTokens, long reasoningTokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(boilerplateTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(reasoningTokens);
        if (boilerplateTokens == 0) return (0, reasoningTokens == 0 ? 0 : 1);
        if (reasoningTokens == 0) return (1, 0);
        double all = (double)boilerplateTokens + reasoningTokens;
        return (Boilerplate * all / boilerplateTokens, Reasoning * all / reasoningTokens);
    }

    private static void CheckFinite(double? loss, string parameter)
    {
        if (loss is { } value && !double.IsFinite(value))
            throw new ArgumentException($"The loss is {value}; expected a finite number.", parameter);
    }
}
