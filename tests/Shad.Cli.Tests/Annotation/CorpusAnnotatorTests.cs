using Shad.Cli.Annotation;
using Shad.Cli.Recipes;
using Shad.Core.Classification;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Annotations;

namespace Shad.Cli.Tests.Annotation;

public sealed class CorpusAnnotatorTests
{
    private const float None = float.NaN;
    private readonly List<AnnotationRow> _written = [];

    [SetUp]
    public void SetUp() => _written.Clear();

    [Test]
    public async Task The_control_rule_takes_the_control_and_the_paper_rule_the_base_as_reference()
    {
        // Probe − control: 1, 0.05, −1. Probe − base: −1, 0.5, 2.
        AnnotationRow row = Row([None, 3, 1, 0], [None, 2, 1.5f, 2], [None, 1, 1.45f, 3]);

        AnnotationSummary control = await AnnotateAsync(new RuleRecipe(), row);
        Assert.That(_written[0].Roles, Is.EqualTo(new TokenRole?[] { null, TokenRole.Reasoning, TokenRole.Boilerplate, TokenRole.Boilerplate }));
        Assert.That(_written[0].LossDifference, Is.EqualTo(new[] { None, 1, 0.05f, -1 }).Within(1e-6));
        Assert.That(control.Rules.Select(rule => rule.Rule), Is.EqualTo(new[] { "control", "paper" }));
        Assert.That(control.Rules.Select(rule => rule.ReasoningTokens), Is.EqualTo(new[] { 1L, 2L }));

        _written.Clear();
        AnnotationSummary paper = await AnnotateAsync(new RuleRecipe { Kind = RuleKind.Paper }, row);
        Assert.That(_written[0].Roles, Is.EqualTo(new TokenRole?[] { null, TokenRole.Boilerplate, TokenRole.Reasoning, TokenRole.Reasoning }));
        Assert.That(paper.InUse.Rule, Is.EqualTo("paper"));
        Assert.That(paper.Rules.Select(rule => rule.ReasoningTokens), Is.EqualTo(new[] { 2L, 1L }));
    }

    [Test]
    public async Task What_surprises_the_probe_is_reasoning_by_the_control_rule_only()
    {
        // A word of two tokens that neither model foresees, and one that both do.
        AnnotationRow row = Row([None, 9, 9, 1], [None, 6, 1, 1], [None, 7, 1, 1]) with
        {
            Text = "POskar.", OffsetStart = [0, 1, 3, 6], OffsetEnd = [1, 3, 6, 7],
        };
        AnnotationSummary summary = await AnnotateAsync(new RuleRecipe(), row);
        Assert.That(_written[0].Roles, Is.EqualTo(new TokenRole?[] { null, TokenRole.Reasoning, TokenRole.Reasoning, TokenRole.Boilerplate }));
        Assert.That(summary.Rules.Select(rule => (rule.Surprise, rule.ReasoningTokens)), Is.EqualTo(new[] { ((double?)2, 2L), (null, 0L) }));

        Assert.That((await AnnotateAsync(new RuleRecipe { Surprise = 6 }, row)).InUse.ReasoningTokens, Is.Zero);
    }

    [Test]
    public async Task The_weights_give_the_RFT_loss_as_a_weighted_mean()
    {
        AnnotationRow[] rows =
        [
            Row([None, 0.5f, 4], [None, 0, 9], [None, 0, 0]),
            Row([None, 1.5f, 2], [None, 0, 0], [None, 0, 0]),
        ];
        AnnotationSummary summary = await AnnotateAsync(new RuleRecipe(), rows);

        // By hand: boilerplate 0.5, 1.5, 2; reasoning 4; ω = softmax of the group means over τ = 1.
        double boilerplate = (0.5 + 1.5 + 2) / 3, reasoning = 4;
        double omega = Math.Exp(reasoning) / (Math.Exp(reasoning) + Math.Exp(boilerplate));
        double expected = (1 - omega) * boilerplate + omega * reasoning;
        double weighted = 0, weights = 0;
        foreach (AnnotationRow row in _written)
        {
            for (int i = 1; i < 3; i++)
            {
                weighted += row.Weights![i] * row.BaseLoss![i];
                weights += row.Weights[i];
            }
        }

        Assert.That(weighted / weights, Is.EqualTo(expected).Within(1e-6));
        Assert.That(weights, Is.EqualTo(4).Within(1e-6), "the mean weight is 1");
        Assert.That(_written[0].Weights![0], Is.NaN);
        Assert.That((summary.BoilerplateLoss, summary.ReasoningLoss), Is.EqualTo((boilerplate, reasoning)));
    }

    [Test]
    public async Task Both_rules_are_compared_with_known_roles()
    {
        TokenRole?[] known = [null, TokenRole.Reasoning, TokenRole.Boilerplate, TokenRole.Boilerplate];
        AnnotationSummary summary = await AnnotateAsync(
            new RuleRecipe(), Row([None, 1, 1, 1], [None, 3, 2, 1], [None, 1, 1.95f, 2]) with { KnownRoles = known });

        Assert.That(summary.Rules[0].Known, Is.EqualTo(new Core.Evaluation.RoleAgreement(1, 0, 0, 2, 1.0)));
        Assert.That(summary.Rules[1].Known, Is.EqualTo(new Core.Evaluation.RoleAgreement(1, 1, 0, 1, 1.0)));
        Assert.That(summary.InUse.Structural, Is.Null);
    }

    [Test]
    public async Task Where_responses_are_JSON_the_rules_are_compared_with_its_structure()
    {
        AnnotationRow row = Row([None, 1, 1, 1], [None, 1, 3, 1], [None, 1, 1, 1]) with
        {
            Text = "P[7]", OffsetStart = [0, 1, 2, 3], OffsetEnd = [1, 2, 3, 4],
        };
        AnnotationSummary summary = await AnnotateAsync(new RuleRecipe(), row);

        Assert.That(summary.InUse.Structural, Is.EqualTo(new Core.Evaluation.RoleAgreement(1, 0, 0, 2, 1.0)));
        Assert.That(summary.InUse.Known, Is.Null);
    }

    [Test]
    public async Task The_control_rule_decides_on_words_unless_told_otherwise()
    {
        // "Oskar" in three pieces, of which only the first has a difference; then "." with none.
        AnnotationRow row = Row([None, 1, 1, 1, 1], [None, 3, 1, 1, 1], [None, 1, 1, 1, 1]) with
        {
            Text = "POskar.", OffsetStart = [0, 1, 3, 5, 6], OffsetEnd = [1, 3, 5, 6, 7],
        };
        AnnotationSummary byWord = await AnnotateAsync(new RuleRecipe(), row);
        AnnotationSummary byToken = await AnnotateAsync(new RuleRecipe { Unit = EvidenceUnit.Token }, row);

        Assert.That(byWord.Rules.Select(rule => (rule.Rule, rule.Unit, rule.ReasoningTokens)), Is.EqualTo(new[]
        {
            ("control", EvidenceUnit.Word, 3L), ("paper", EvidenceUnit.Token, 1L),
        }));
        Assert.That(byToken.InUse.ReasoningTokens, Is.EqualTo(1));
        Assert.That(_written[0].LossDifference, Is.EqualTo(new[] { None, 2, 0, 0, 0 }), "the column stays the token's own");
        Assert.That(_written[0].Roles, Is.EqualTo(new TokenRole?[]
        {
            null, TokenRole.Reasoning, TokenRole.Reasoning, TokenRole.Reasoning, TokenRole.Boilerplate,
        }));
    }

    [Test]
    public async Task The_margin_can_be_found_from_the_differences_below_zero()
    {
        // Probe − control of each of 30 rows: 2 nats once, and ±0.5 by turns. Beyond 0.5 there is nothing below: 1 of 30; from 0 on 16 of 45.
        AnnotationRow[] rows = [.. Enumerable.Range(0, 30).Select(i => Row([None, 1, 1], [None, 3, i % 2 == 0 ? 1.5f : 0.5f], [None, 1, 1]))];
        AnnotationSummary found = await AnnotateAsync(new RuleRecipe { FalseShare = 0.05 }, rows);
        Assert.That((found.InUse.Margin, found.InUse.ReasoningTokens), Is.EqualTo((0.5, 30)));
        Assert.That(_written, Has.Count.EqualTo(30));

        AnnotationSummary loose = await AnnotateAsync(new RuleRecipe { FalseShare = 0.4, Margin = 1 }, rows);
        Assert.That((loose.InUse.Margin, loose.InUse.ReasoningTokens), Is.EqualTo((0.0, 45)));
        Assert.That(loose.Rules[1].Margin, Is.Zero, "the paper's rule has none");
    }

    [Test]
    public async Task Progress_reaches_the_number_of_samples_in_two_passes_and_in_three()
    {
        AnnotationRow[] rows = [.. Enumerable.Range(0, 40).Select(_ => Row([None, 1], [None, 3], [None, 1]))];
        foreach (RuleRecipe rule in (RuleRecipe[])[new(), new() { FalseShare = 0.05 }])
        {
            List<double> told = [];
            await new CorpusAnnotator(rule, 1, "scored.parquet").AnnotateAsync(rows.ToAsyncEnumerable, _ => { }, told.Add, CancellationToken.None);
            Assert.That(told, Is.Ordered);
            Assert.That(told[^1], Is.EqualTo(40).Within(1e-9));
        }
    }

    [Test]
    public async Task Where_probe_and_control_differ_by_noise_only_no_margin_is_found()
    {
        AnnotationRow[] rows = [.. Enumerable.Range(0, 30).Select(i => Row([None, 1], [None, i % 2 == 0 ? 1.5f : 0.5f], [None, 1]))];
        ShadException error = (await Assert.ThrowsAsync<ShadException>(() => AnnotateAsync(new RuleRecipe { FalseShare = 0.05 }, rows)))!;
        Assert.That(error.Code, Is.EqualTo("annotate.only_noise"));
        Assert.That(error.Message, Does.Contain("more than 5 %").And.Contain("--epochs"));
        Assert.That(
            (await Assert.ThrowsAsync<ShadException>(() => AnnotateAsync(new RuleRecipe { FalseShare = 0.05 })))!.Code, Is.EqualTo("annotate.empty"));
    }

    [Test]
    public async Task Without_a_control_the_paper_rule_stands_alone()
    {
        AnnotationSummary summary = await AnnotateAsync(
            new RuleRecipe { Kind = RuleKind.Paper }, Row([None, 1, 1], [None, 2, 0], null));
        Assert.That(summary.Rules.Select(rule => rule.Rule), Is.EqualTo(new[] { "paper" }));
    }

    [Test]
    public async Task Losses_that_the_rule_needs_are_asked_for()
    {
        ShadException control = await FailsAsync(Row([None, 1], [None, 1], null));
        Assert.That(control.Message, Does.Contain("control_loss").And.Contain("--rule paper").And.Contain("scored.parquet"));
        Assert.That(
            (await FailsAsync(Row([None, 1], null, null))).Message,
            Does.Contain("probe_loss"));
        Assert.That(
            (await FailsAsync(Row(null, [None, 1], [None, 1]))).Message,
            Does.Contain("base_loss"));
    }

    [Test]
    public async Task A_file_without_samples_is_an_error() => Assert.That(
        (await FailsAsync()).Code, Is.EqualTo("annotate.empty"));

    private async Task<ShadException> FailsAsync(params AnnotationRow[] rows) =>
        (await Assert.ThrowsAsync<ShadException>(() => AnnotateAsync(new RuleRecipe(), rows)))!;

    private Task<AnnotationSummary> AnnotateAsync(RuleRecipe rule, params AnnotationRow[] rows) =>
        new CorpusAnnotator(rule, 1, "scored.parquet")
            .AnnotateAsync(rows.ToAsyncEnumerable, _written.Add, null, CancellationToken.None);

    private static AnnotationRow Row(float[]? baseLoss, float[]? probe, float[]? control)
    {
        int length = (baseLoss ?? probe)!.Length;
        int[] ids = [.. Enumerable.Range(5, length)];
        return new AnnotationRow
        {
            Id = "s", InputIds = ids, Labels = [TokenizedSample.IgnoredLabel, .. ids[1..]],
            BaseLoss = baseLoss, ProbeLoss = probe, ControlLoss = control,
        };
    }
}
