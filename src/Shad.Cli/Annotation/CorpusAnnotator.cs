using Shad.Cli.Recipes;
using Shad.Cli.Scoring;
using Shad.Core.Classification;
using Shad.Core.Errors;
using Shad.Core.Evaluation;
using Shad.Core.Samples;
using Shad.Core.Weighting;
using Shad.Data.Annotations;
using Shad.Data.Corpora;
using Shad.Data.Tokenization;

namespace Shad.Cli.Annotation;

/// <summary>From scored samples to roles and weights, in two passes over the file, or three where the margin is found from it, and constant
/// memory for each.</summary>
/// <remarks>
/// The column <c>weight</c> is for trainers without the RFT loss: weights fixed for the whole corpus, from the base model's mean losses of the
/// two role groups, so that <c>Σ wᵢ·lossᵢ / Σ wᵢ = ω_b · L_b + ω_r · L_r</c>. The <c>rft</c> objective weighs each optimizer step anew and does
/// not read them.
/// </remarks>
/// <param name="recipe">The rule in use.</param>
/// <param name="temperature">τ of the weights, nats.</param>
/// <param name="source">Where the scored samples come from, for messages.</param>
internal sealed class CorpusAnnotator(RuleRecipe recipe, double temperature, string source)
{
    /// <summary>The rule of a recipe, with the recipe's margin; the paper's takes nothing of it.</summary>
    public static ClassificationRule RuleOf(RuleRecipe recipe) =>
        recipe.Kind == RuleKind.Control ? new AlignedControlRule(recipe.Margin) { Unit = recipe.Unit, Surprise = recipe.Surprise } : new PaperRule();

    /// <summary>What a rule decides the tokens of a row by: their loss differences, or the largest of each word. Tokens of rows
    /// without text are decided on one by one.</summary>
    public static float[] EvidenceOf(AnnotationRow row, ReadOnlySpan<float> lossDifference, ClassificationRule rule) =>
        RoleClassifier.Evidence(lossDifference, WordsOf(row, rule), rule);

    /// <summary>Classifies every response token.</summary>
    /// <param name="read">Starts a pass over the scored samples.</param>
    /// <param name="write">Receives each sample with <c>loss_difference</c>, <c>role</c> and <c>weight</c>.</param>
    /// <param name="progress">Told the samples done, all passes counted as one.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ShadException">A loss that the rule needs is missing, there is no sample, or no margin keeps the share of boilerplate
    /// that the recipe allows.</exception>
    public async Task<AnnotationSummary> AnnotateAsync(
        Func<IAsyncEnumerable<AnnotationRow>> read, Action<AnnotationRow> write, Action<double>? progress,
        CancellationToken cancellationToken)
    {
        double margin = recipe.Margin;
        double passes = 2, done = 0;
        if (recipe is { Kind: RuleKind.Control, FalseShare: { } falseShare })
        {
            passes = 3;
            margin = await MarginAsync(read, falseShare, () => progress?.Invoke(done += 1 / passes), cancellationToken).ConfigureAwait(false);
        }

        ClassificationRule inUse = RuleOf(recipe with { Margin = margin });
        ClassificationRule other = RuleOf(recipe with { Kind = recipe.Kind == RuleKind.Control ? RuleKind.Paper : RuleKind.Control });
        var losses = new LossByRole();
        long samples = 0, tokens = 0;
        bool hasOther = true;
        await foreach (AnnotationRow row in read().WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            float[] baseLoss = Require(row, row.BaseLoss, "base_loss", "Score the corpus with 'shad score'");
            losses.Add(baseLoss, Classify(row, Difference(row, inUse), inUse).Roles);
            hasOther &= ReferenceLoss(row, other) is not null;
            samples++;
            tokens += row.InputIds.Length;
            progress?.Invoke(done += 1 / passes);
        }

        if (samples == 0) throw ScoringErrors.Empty(source);
        (double boilerplateWeight, double reasoningWeight) =
            RftWeights.Compute(losses.BoilerplateLoss, losses.ReasoningLoss, temperature)
                .PerToken(losses.BoilerplateTokens, losses.ReasoningTokens);

        var tally = new RuleTally(inUse);
        RuleTally? otherTally = hasOther ? new RuleTally(other) : null;
        await foreach (AnnotationRow row in read().WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            TokenRole?[]? structural = StructuralRoles.Of(
                new EncodedSample(new TokenizedSample(row.Id, row.InputIds, row.Labels), row.Text, row.OffsetStart, row.OffsetEnd));
            float[] difference = Difference(row, inUse);
            (TokenRole?[] roles, float[] evidence) = Classify(row, difference, inUse);
            tally.Add(roles, evidence, row.KnownRoles, structural);
            if (otherTally is not null)
            {
                (TokenRole?[] otherRoles, float[] otherEvidence) = Classify(row, Difference(row, other), other);
                otherTally.Add(otherRoles, otherEvidence, row.KnownRoles, structural);
            }

            write(row with
            {
                LossDifference = difference,
                Roles = roles,
                Weights = Array.ConvertAll(roles, role => role switch
                {
                    TokenRole.Boilerplate => (float)boilerplateWeight,
                    TokenRole.Reasoning => (float)reasoningWeight,
                    _ => float.NaN,
                }),
            });
            progress?.Invoke(done += 1 / passes);
        }

        return new AnnotationSummary
        {
            Rule = inUse.Name,
            Samples = samples,
            Tokens = tokens,
            ResponseTokens = losses.Tokens,
            BoilerplateLoss = losses.BoilerplateLoss,
            ReasoningLoss = losses.ReasoningLoss,
            BoilerplateWeight = boilerplateWeight,
            ReasoningWeight = reasoningWeight,
            Rules = otherTally is null ? [tally.ToSummary()] : [tally.ToSummary(), otherTally.ToSummary()],
        };
    }

    /// <summary>The margin with at most the given estimated share of boilerplate among the reasoning tokens.</summary>
    private async Task<double> MarginAsync(
        Func<IAsyncEnumerable<AnnotationRow>> read, double falseShare, Action progress, CancellationToken cancellationToken)
    {
        var estimate = new MarginEstimate();
        ClassificationRule rule = RuleOf(recipe);
        bool any = false;
        await foreach (AnnotationRow row in read().WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            estimate.Add(Difference(row, rule), WordsOf(row, rule), rule);
            any = true;
            progress();
        }

        if (!any) throw ScoringErrors.Empty(source);
        return estimate.Margin(falseShare) ?? throw ScoringErrors.OnlyNoise(source, falseShare);
    }

    /// <summary>The roles of a row by a rule, and the loss differences they were decided by.</summary>
    private static (TokenRole?[] Roles, float[] Evidence) Classify(AnnotationRow row, float[] lossDifference, ClassificationRule rule)
    {
        int[] words = WordsOf(row, rule);
        float[] evidence = RoleClassifier.Evidence(lossDifference, words, rule);
        return (RoleClassifier.Classify(evidence, RoleClassifier.Evidence(row.ProbeLoss, words, rule), rule), evidence);
    }

    private static int[] WordsOf(AnnotationRow row, ClassificationRule rule) =>
        rule.Unit == EvidenceUnit.Word && row is { Text: { } text, OffsetStart: { } starts, OffsetEnd: { } ends } ? WordNumbers.Of(text, starts, ends) : [];

    private float[] Difference(AnnotationRow row, ClassificationRule rule)
    {
        float[] probe = Require(row, row.ProbeLoss, "probe_loss", "Score the corpus with a probe: shad score --probe DIR");
        float[] reference = rule.Reference == ReferenceModel.Base
            ? Require(row, row.BaseLoss, "base_loss", "Score the corpus with 'shad score'")
            : Require(
                row, row.ControlLoss, "control_loss",
                "Score the corpus with the aligned control too (a second --probe), or use --rule paper");
        return RoleClassifier.LossDifference(probe, reference);
    }

    private static float[]? ReferenceLoss(AnnotationRow row, ClassificationRule rule) =>
        rule.Reference == ReferenceModel.Base ? row.BaseLoss : row.ControlLoss;

    private float[] Require(AnnotationRow row, float[]? losses, string column, string mend) =>
        losses ?? throw ScoringErrors.LossesMissing(source, row.Id, column, mend);

    /// <summary>What one rule finds, and how well it agrees.</summary>
    private sealed class RuleTally(ClassificationRule rule)
    {
        private readonly RoleAgreementCounter _known = new();
        private readonly RoleAgreementCounter _structural = new();
        private long _boilerplate, _reasoning;
        private bool _anyKnown, _anyStructural;

        /// <summary>Counts the tokens of a row.</summary>
        public void Add(TokenRole?[] roles, float[] evidence, TokenRole?[]? known, TokenRole?[]? structural)
        {
            _boilerplate += roles.Count(role => role == TokenRole.Boilerplate);
            _reasoning += roles.Count(role => role == TokenRole.Reasoning);
            if (known is not null)
            {
                _known.Add(evidence, roles, known);
                _anyKnown = true;
            }

            if (structural is not null)
            {
                _structural.Add(evidence, roles, structural);
                _anyStructural = true;
            }
        }

        public RuleSummary ToSummary() => new(
            rule.Name, rule.Margin, double.IsInfinity(rule.Surprise) ? null : rule.Surprise, rule.Unit, _boilerplate, _reasoning,
            _anyKnown ? _known.ToAgreement() : null, _anyStructural ? _structural.ToAgreement() : null);
    }
}
