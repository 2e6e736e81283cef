using Shad.Core.Classification;
using Shad.Core.Evaluation;
using Shad.Core.Tuning;
using Shad.Core.Weighting;

namespace Shad.Data.Reports;

/// <summary>
/// Everything a run's report shows, as plain data: <c>HtmlReport</c> draws it and computes nothing of the method itself.
/// Parts that a run does not have (no control probe, no known roles, no tuning) are null or empty and their sections left out.
/// </summary>
/// <remarks>The parts that come from the annotated corpus are gathered in one pass by <see cref="CorpusDigest"/>.</remarks>
public sealed record ReportModel
{
    /// <summary>Heading of the report, usually the run's name.</summary>
    public required string Title { get; init; }

    /// <summary>When the run ended. Part of the model so that the same model always gives the same file.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>How the roles were found.</summary>
    public required MethodSummary Method { get; init; }

    /// <summary>How many samples and tokens were classified, and how.</summary>
    public required TokenStatistics Tokens { get; init; }

    /// <summary>The rules, the one in use first: their evidence and, where the roles are known, how well they find them.</summary>
    public IReadOnlyList<RuleEvidence> Rules { get; init; } = [];

    /// <summary>Where the roles that the rules are compared with come from.</summary>
    public ReferenceRoles ReferenceRoles { get; init; } = ReferenceRoles.Known;

    /// <summary>Samples to show with their tokens; <see cref="CorpusDigest.Samples"/> chooses them.</summary>
    public IReadOnlyList<ReportSample> Samples { get; init; } = [];

    /// <summary>The most repeated boilerplate phrases, those that cover the most tokens first.</summary>
    public IReadOnlyList<RepeatedPhrase> Phrases { get; init; } = [];

    /// <summary>The most confident reasoning spans, most confident first.</summary>
    public IReadOnlyList<ReasoningSpan> Spans { get; init; } = [];

    /// <summary>One curve a tune, in the order of the stages.</summary>
    public IReadOnlyList<TrainingCurve> Curves { get; init; } = [];

    /// <summary>Losses on held-out samples by model, the base model first.</summary>
    public IReadOnlyList<ModelLosses> Losses { get; init; } = [];

    /// <summary>How the held-out losses were split by role: <c>known roles</c> or <c>roles of the rule in use</c>. Null without
    /// <see cref="Losses"/>.</summary>
    public string? LossRoles { get; init; }

    /// <summary>What each stage cost, in the order the stages ran.</summary>
    public IReadOnlyList<StageCost> Costs { get; init; } = [];

    /// <summary>What the reader should know: bad rows, truncated and skipped samples, degraded evidence.</summary>
    public IReadOnlyList<ReportWarning> Warnings { get; init; } = [];

    /// <summary>What made this report: versions, seed, machine, model, corpus; shown as a table in this order.</summary>
    public IReadOnlyList<ProvenanceEntry> Provenance { get; init; } = [];
}

/// <summary>Where the roles that the rules are compared with come from.</summary>
public enum ReferenceRoles
{
    /// <summary>The corpus says what they are.</summary>
    Known,

    /// <summary>They are derived from the structure of JSON responses: a yardstick, not the truth.</summary>
    Structural,
}

/// <summary>How the roles were found, for the introduction of the report.</summary>
public sealed record MethodSummary
{
    /// <summary>Name of the base model, for people.</summary>
    public required string BaseModel { get; init; }

    /// <summary>Name of the corpus, for people.</summary>
    public required string Corpus { get; init; }

    /// <summary>The rule the roles come from.</summary>
    public required ClassificationRule Rule { get; init; }

    /// <summary>Samples the probe was tuned on.</summary>
    public required int ProbeSamples { get; init; }

    /// <summary>Optimizer steps of the probe.</summary>
    public int? ProbeSteps { get; init; }

    /// <summary>Layers tuned for the probe, from the last; null where all parameters were.</summary>
    public int? ProbeLastLayers { get; init; }

    /// <summary>How the RFT loss weighed the roles; null where nothing was tuned with it.</summary>
    public RftWeighting? Rft { get; init; }
}

/// <summary>Counts over the annotated corpus.</summary>
public sealed record TokenStatistics
{
    /// <summary>Annotated samples.</summary>
    public required long Samples { get; init; }

    /// <summary>All tokens, prompts included.</summary>
    public required long Tokens { get; init; }

    /// <summary>Response tokens (targets).</summary>
    public required long ResponseTokens { get; init; }

    /// <summary>Response tokens classified as boilerplate.</summary>
    public required long BoilerplateTokens { get; init; }

    /// <summary>Response tokens classified as reasoning.</summary>
    public required long ReasoningTokens { get; init; }

    /// <summary>Response tokens whose role is known from the corpus.</summary>
    public long KnownTokens { get; init; }

    /// <summary>Response tokens known to be reasoning.</summary>
    public long KnownReasoningTokens { get; init; }

    /// <summary>Boilerplate tokens as a share of the classified response tokens; NaN where none is classified.</summary>
    public double BoilerplateShare => (double)BoilerplateTokens / (BoilerplateTokens + ReasoningTokens);
}

/// <summary>A rule's evidence over the corpus.</summary>
/// <param name="Rule">Which rule.</param>
/// <param name="Histogram">Distribution of LD over the response tokens.</param>
/// <param name="Agreement">Agreement with the known roles; null where they are not known.</param>
public sealed record RuleEvidence(ClassificationRule Rule, LossDifferenceHistogram Histogram, RoleAgreement? Agreement);

/// <summary>Counts of LD, nats, by the role known from the corpus; all three in the same bins.</summary>
/// <param name="Boilerplate">Tokens known to be boilerplate.</param>
/// <param name="Reasoning">Tokens known to be reasoning.</param>
/// <param name="Unknown">Tokens of unknown role.</param>
public sealed record LossDifferenceHistogram(Histogram Boilerplate, Histogram Reasoning, Histogram Unknown);

/// <summary>The course of one tune, as its sidecar told it.</summary>
/// <param name="Name">Short name: <c>probe</c>, <c>control</c>, <c>sft</c>, <c>rft</c>.</param>
/// <param name="Progress">The progress events by ascending step.</param>
/// <param name="HeldOut">The measurements on held-out samples by ascending step; empty where there were none.</param>
public sealed record TrainingCurve(
    string Name, IReadOnlyList<TuneProgress> Progress, IReadOnlyList<HeldOutMeasured> HeldOut);

/// <summary>A model's losses on the held-out samples, nats per response token.</summary>
/// <param name="Model">Short name: <c>base</c>, <c>sft</c>, <c>rft</c>.</param>
/// <param name="All">Mean over all response tokens.</param>
/// <param name="Boilerplate">Mean over boilerplate tokens; null without roles.</param>
/// <param name="Reasoning">Mean over reasoning tokens; null without roles.</param>
/// <param name="Tokens">Response tokens measured.</param>
public sealed record ModelLosses(string Model, double All, double? Boilerplate, double? Reasoning, long Tokens);

/// <summary>What a stage cost.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Tokens">Tokens passed through a model; 0 for stages that pass none.</param>
/// <param name="Seconds">Wall time.</param>
/// <param name="Reused">True where the stage's result was taken from an earlier run; its cost is that of the earlier run.</param>
public sealed record StageCost(string Stage, long Tokens, double Seconds, bool Reused = false)
{
    /// <summary>Tokens per second; null for stages that pass no tokens through a model.</summary>
    public double? TokensPerSecond => Tokens > 0 && Seconds > 0 ? Tokens / Seconds : null;
}

/// <summary>Something the reader should know.</summary>
/// <param name="Message">One sentence.</param>
/// <param name="Count">How often it happened; null where that means nothing.</param>
/// <param name="Examples">A few places or details, e.g. <c>corpus.jsonl:17: …</c>.</param>
public sealed record ReportWarning(string Message, long? Count = null, IReadOnlyList<string>? Examples = null);

/// <summary>A fact on where the report comes from.</summary>
/// <param name="Name">What it is: <c>Shad.Onnx</c>, <c>Seed</c>, <c>Machine</c>.</param>
/// <param name="Value">Its value, as text.</param>
public sealed record ProvenanceEntry(string Name, string Value);
