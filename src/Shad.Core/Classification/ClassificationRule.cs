using Shad.Core.Errors;
using Shad.Core.Samples;

namespace Shad.Core.Classification;

/// <summary>Which model's loss the probe's loss is compared with.</summary>
public enum ReferenceModel
{
    /// <summary>The base model, before any tuning.</summary>
    Base,

    /// <summary>The aligned control probe: tuned like the probe, on the same samples with their own responses.</summary>
    AlignedControl,
}

/// <summary>
/// How losses become a role: <c>LD = loss_probe − loss_reference</c>, reasoning where LD, or the largest LD of the token's word, is above the
/// margin, or where the probe's own loss is above <see cref="Surprise"/>; boilerplate otherwise. The probe is the model tuned on shuffled samples.
/// </summary>
public abstract record ClassificationRule
{
    private readonly double _surprise = double.PositiveInfinity;

    private protected ClassificationRule()
    {
    }

    /// <summary>The rule's name in recipes and reports: <c>paper</c> or <c>control</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The model whose loss is subtracted from the probe's.</summary>
    public abstract ReferenceModel Reference { get; }

    /// <summary>The loss difference up to which a token is boilerplate, in nats.</summary>
    public abstract double Margin { get; init; }

    /// <summary>Whether tokens are decided on one by one or by words.</summary>
    public abstract EvidenceUnit Unit { get; init; }

    /// <summary>The probe's loss above which a token is reasoning whatever LD says, in nats; infinite, where LD alone decides, unless the rule
    /// has another default or it is set.</summary>
    /// <exception cref="ShadException">Not above 0.</exception>
    public double Surprise
    {
        get => _surprise;
        init => _surprise = value > 0 ? value : throw CoreErrors.BadSurprise(value);
    }

    /// <summary>The role of a token.</summary>
    /// <param name="lossDifference">The loss difference of the <see cref="Unit"/>, nats; NaN where the token is no target.</param>
    /// <param name="surprise">The probe's loss on the unit, nats.</param>
    /// <returns>The role; null where the difference is NaN.</returns>
    public TokenRole? Classify(double lossDifference, double surprise) =>
        double.IsNaN(lossDifference) ? null
        : lossDifference > Margin || surprise > Surprise ? TokenRole.Reasoning
        : TokenRole.Boilerplate;

    private protected static double CheckMargin(double margin) =>
        double.IsFinite(margin) && margin >= 0 ? margin : throw CoreErrors.BadMargin(margin);
}

/// <summary>
/// The paper's rule (arXiv:2412.14780): <c>LD = loss_probe − loss_base</c>, reasoning where <c>LD &gt; 0</c>.
/// </summary>
public sealed record PaperRule : ClassificationRule
{
    private readonly double _margin;

    /// <inheritdoc/>
    public override string Name => "paper";

    /// <inheritdoc/>
    public override ReferenceModel Reference => ReferenceModel.Base;

    /// <summary>0 as in the paper, unless set.</summary>
    /// <exception cref="ShadException">Negative or not finite.</exception>
    public override double Margin
    {
        get => _margin;
        init => _margin = CheckMargin(value);
    }

    /// <summary>Tokens, as in the paper, unless set.</summary>
    public override EvidenceUnit Unit { get; init; } = EvidenceUnit.Token;
}

/// <summary>
/// The aligned-control rule: <c>LD = loss_shuffled − loss_aligned</c>, reasoning where <c>LD &gt; Margin</c> or
/// <c>loss_shuffled &gt; Surprise</c>. Both probes have adapted to the domain alike, so the difference is what depends on the prompt; the margin is a
/// dead zone for their noise. Words are decided on as wholes.
/// </summary>
/// <remarks>
/// The difference misses the tokens that matter most: those so hard that the control, after a short tune, does not foresee them either. But what
/// repeats, the shuffled probe has learned; what still surprises it does not repeat, and is no boilerplate. On the demo corpus 5 % of the
/// reasoning tokens are of this kind, with 40 % of the loss of all of them.
/// </remarks>
public sealed record AlignedControlRule : ClassificationRule
{
    /// <summary>The margin where none is given, in nats.</summary>
    public const double DefaultMargin = 0.1;

    /// <summary>The probe's loss above which a token is reasoning where none is given, in nats: it gave the token less than 14 %, less than
    /// each of seven equally likely turns of a phrase has.</summary>
    public const double DefaultSurprise = 2;

    private readonly double _margin;

    /// <summary>Creates the rule.</summary>
    /// <param name="margin">Margin in nats, finite and not negative.</param>
    /// <exception cref="ShadException">Negative or not finite.</exception>
    public AlignedControlRule(double margin = DefaultMargin)
    {
        _margin = CheckMargin(margin);
        Surprise = DefaultSurprise;
    }

    /// <inheritdoc/>
    public override string Name => "control";

    /// <inheritdoc/>
    public override ReferenceModel Reference => ReferenceModel.AlignedControl;

    /// <inheritdoc/>
    /// <exception cref="ShadException">Negative or not finite.</exception>
    public override double Margin
    {
        get => _margin;
        init => _margin = CheckMargin(value);
    }

    /// <summary>Words, unless set.</summary>
    public override EvidenceUnit Unit { get; init; } = EvidenceUnit.Word;
}
