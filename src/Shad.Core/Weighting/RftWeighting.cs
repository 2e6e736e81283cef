using Shad.Core.Errors;

namespace Shad.Core.Weighting;

/// <summary>
/// How the weights of the two role groups follow from their mean losses and sizes. As it stands, the paper's rule; the options are
/// this project's own.
/// </summary>
public sealed record RftWeighting
{
    private readonly double _temperature = 1;
    private readonly double _boilerplateFloor;
    private readonly double _annealFrom = 1;

    /// <summary>τ, nats, finite and above 0.</summary>
    /// <exception cref="ShadException">Out of range.</exception>
    public double Temperature
    {
        get => _temperature;
        init => _temperature = value > 0 && double.IsFinite(value) ? value : throw CoreErrors.BadTemperature(value);
    }

    /// <summary>
    /// False, as in the paper: <c>ω = softmax(L/τ)</c>, blind to the groups' sizes, so that where both losses are alike each group has half
    /// of the weight, however few tokens it has. True: <c>ω_g ∝ n_g · exp(L_g/τ)</c>, so that it is the weight of a token that follows its
    /// group's loss, <c>exp(L_g/τ)</c>, and losses that are alike give supervised fine-tuning.
    /// </summary>
    public bool BySize { get; init; }

    /// <summary>
    /// The least weight of a boilerplate token, as a share of the 1/N that supervised fine-tuning gives each of N tokens; from 0, which
    /// is none and the paper's, to 1. It is applied before the two weights are scaled to add up to 1.
    /// </summary>
    /// <exception cref="ShadException">Out of range.</exception>
    public double BoilerplateFloor
    {
        get => _boilerplateFloor;
        init => _boilerplateFloor = value is >= 0 and <= 1 ? value : throw CoreErrors.BadBoilerplateFloor(value);
    }

    /// <summary>
    /// The share of a tune's steps after which the weights go over, in equal parts, to those of supervised fine-tuning, which weigh every
    /// token alike: from 0, where they begin to at once, to 1, the paper's, where they never do.
    /// </summary>
    /// <exception cref="ShadException">Out of range.</exception>
    public double AnnealFrom
    {
        get => _annealFrom;
        init => _annealFrom = value is >= 0 and <= 1 ? value : throw CoreErrors.BadAnnealFrom(value);
    }

    /// <summary>The weights of a step.</summary>
    /// <param name="boilerplateLoss">L_b: mean loss of the boilerplate tokens, nats; read where there are any.</param>
    /// <param name="boilerplateTokens">n_b.</param>
    /// <param name="reasoningLoss">L_r: mean loss of the reasoning tokens, nats; read where there are any.</param>
    /// <param name="reasoningTokens">n_r.</param>
    /// <param name="progress">The share of the tune's steps that lie behind this one, 0 to 1.</param>
    /// <returns>The weights, to be taken as constants; a group that is alone has weight 1.</returns>
    /// <exception cref="ArgumentException">There is no token at all, or a loss is not finite.</exception>
    public RftWeights Weigh(double boilerplateLoss, long boilerplateTokens, double reasoningLoss, long reasoningTokens, double progress = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(boilerplateTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(reasoningTokens);
        if (!(progress is >= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(progress), progress, "Expected a share from 0 to 1.");
        double sizes = BySize && boilerplateTokens > 0 && reasoningTokens > 0
            ? Math.Log(reasoningTokens) - Math.Log(boilerplateTokens)
            : 0;
        var weights = RftWeights.Compute(
            boilerplateTokens > 0 ? boilerplateLoss : null, reasoningTokens > 0 ? reasoningLoss : null, Temperature, sizes);
        double all = Math.Max(1, (double)boilerplateTokens + reasoningTokens);
        double least = BoilerplateFloor * boilerplateTokens / all;
        if (weights.Boilerplate < least)
        {
            double sum = least + weights.Reasoning;
            weights = new RftWeights(least / sum, weights.Reasoning / sum);
        }

        if (progress <= AnnealFrom) return weights;
        double gone = (progress - AnnealFrom) / (1 - AnnealFrom);
        return new RftWeights(
            (1 - gone) * weights.Boilerplate + gone * boilerplateTokens / all, (1 - gone) * weights.Reasoning + gone * reasoningTokens / all);
    }
}
