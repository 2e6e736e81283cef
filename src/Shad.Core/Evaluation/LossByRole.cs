using Shad.Core.Samples;

namespace Shad.Core.Evaluation;

/// <summary>Mean losses of a model over the response tokens of a corpus, by role. Add samples, then read.</summary>
public sealed class LossByRole
{
    private double _boilerplateSum, _reasoningSum, _unknownSum;

    /// <summary>Boilerplate tokens added.</summary>
    public long BoilerplateTokens { get; private set; }

    /// <summary>Reasoning tokens added.</summary>
    public long ReasoningTokens { get; private set; }

    /// <summary>Response tokens added whose role is not known.</summary>
    public long UnknownTokens { get; private set; }

    /// <summary>Response tokens added.</summary>
    public long Tokens => BoilerplateTokens + ReasoningTokens + UnknownTokens;

    /// <summary>Mean loss of the boilerplate tokens, nats; null where there are none.</summary>
    public double? BoilerplateLoss => Mean(_boilerplateSum, BoilerplateTokens);

    /// <summary>Mean loss of the reasoning tokens, nats; null where there are none.</summary>
    public double? ReasoningLoss => Mean(_reasoningSum, ReasoningTokens);

    /// <summary>Mean loss of all response tokens, nats; null where there are none.</summary>
    public double? Loss => Mean(_boilerplateSum + _reasoningSum + _unknownSum, Tokens);

    /// <summary>Share of the tokens of known role that are boilerplate; null where no role is known.</summary>
    public double? BoilerplateShare => Mean(BoilerplateTokens, BoilerplateTokens + ReasoningTokens);

    /// <summary>Adds the tokens of a sample.</summary>
    /// <param name="losses">Nats, <c>[S]</c>; NaN where no target.</param>
    /// <param name="roles"><c>[S]</c>; null where unknown or no target. Empty where the roles are not known at all.</param>
    /// <exception cref="ArgumentException">The lengths differ, or a token with a role has no loss.</exception>
    public void Add(ReadOnlySpan<float> losses, ReadOnlySpan<TokenRole?> roles)
    {
        if (!roles.IsEmpty && roles.Length != losses.Length)
            throw new ArgumentException($"There are {losses.Length} losses and {roles.Length} roles.", nameof(roles));
        for (int i = 0; i < roles.Length; i++)
        {
            if (roles[i] is { } role && float.IsNaN(losses[i]))
                throw new ArgumentException($"Token {i} is {role}, but it has no loss.", nameof(losses));
        }

        for (int i = 0; i < losses.Length; i++)
        {
            if (float.IsNaN(losses[i])) continue;
            switch (roles.IsEmpty ? null : roles[i])
            {
                case TokenRole.Boilerplate:
                    _boilerplateSum += losses[i];
                    BoilerplateTokens++;
                    break;
                case TokenRole.Reasoning:
                    _reasoningSum += losses[i];
                    ReasoningTokens++;
                    break;
                default:
                    _unknownSum += losses[i];
                    UnknownTokens++;
                    break;
            }
        }
    }

    /// <summary>Adds everything another accumulator holds.</summary>
    public void Add(LossByRole other)
    {
        ArgumentNullException.ThrowIfNull(other);
        _boilerplateSum += other._boilerplateSum;
        _reasoningSum += other._reasoningSum;
        _unknownSum += other._unknownSum;
        BoilerplateTokens += other.BoilerplateTokens;
        ReasoningTokens += other.ReasoningTokens;
        UnknownTokens += other.UnknownTokens;
    }

    private static double? Mean(double sum, long count) => count == 0 ? null : sum / count;
}
