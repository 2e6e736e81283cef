using Shad.Core.Classification;
using Shad.Core.Evaluation;

namespace Shad.Cli.Annotation;

/// <summary>What a classification of a corpus has found.</summary>
public sealed record AnnotationSummary
{
    /// <summary>Name of the rule whose roles were written: <c>control</c> or <c>paper</c>.</summary>
    public required string Rule { get; init; }

    /// <summary>Annotated samples.</summary>
    public required long Samples { get; init; }

    /// <summary>Tokens, prompts included.</summary>
    public required long Tokens { get; init; }

    /// <summary>Response tokens.</summary>
    public required long ResponseTokens { get; init; }

    /// <summary>Mean loss of the base model on boilerplate tokens (by the rule), nats; null where there are none.</summary>
    public double? BoilerplateLoss { get; init; }

    /// <summary>Mean loss of the base model on reasoning tokens (by the rule), nats; null where there are none.</summary>
    public double? ReasoningLoss { get; init; }

    /// <summary>Weight of a boilerplate token in the column <c>weight</c>.</summary>
    public double BoilerplateWeight { get; init; }

    /// <summary>Weight of a reasoning token in the column <c>weight</c>.</summary>
    public double ReasoningWeight { get; init; }

    /// <summary>The rule in use first, then the other where its losses are there.</summary>
    public required IReadOnlyList<RuleSummary> Rules { get; init; }

    /// <summary>The summary of the rule in use.</summary>
    public RuleSummary InUse => Rules[0];
}

/// <summary>What one rule has found.</summary>
/// <param name="Rule">Its name.</param>
/// <param name="Margin">Its margin, nats.</param>
/// <param name="Surprise">The probe's loss above which it calls a token reasoning whatever the difference says, nats; null where the difference
/// alone decides.</param>
/// <param name="Unit">Whether it decided on words or tokens.</param>
/// <param name="BoilerplateTokens">Response tokens taken for boilerplate.</param>
/// <param name="ReasoningTokens">Response tokens taken for reasoning.</param>
/// <param name="Known">Agreement with the roles the corpus knows; null where it knows none.</param>
/// <param name="Structural">Agreement with the roles that the structure of JSON responses suggests; null where no response is
/// JSON.</param>
public sealed record RuleSummary(
    string Rule, double Margin, double? Surprise, EvidenceUnit Unit, long BoilerplateTokens, long ReasoningTokens, RoleAgreement? Known, RoleAgreement? Structural)
{
    /// <summary>Share of the response tokens that are boilerplate; null where there are none.</summary>
    public double? BoilerplateShare =>
        BoilerplateTokens + ReasoningTokens is var all and > 0 ? (double)BoilerplateTokens / all : null;

    /// <summary>The agreement there is: with known roles, else with structural ones.</summary>
    public RoleAgreement? Agreement => Known ?? Structural;
}
