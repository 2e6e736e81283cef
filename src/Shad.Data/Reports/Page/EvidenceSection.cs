using Shad.Core.Classification;
using Shad.Core.Evaluation;
using Shad.Data.Reports.Charts;

namespace Shad.Data.Reports.Page;

/// <summary>The rules side by side: distribution of LD, agreement with the known roles.</summary>
internal static class EvidenceSection
{
    public static Section? Create(ReportModel model)
    {
        if (model.Rules.Count == 0) return null;
        bool known = model.Tokens.KnownTokens > 0;
        Markup lead = known
            ? Markup.Of($"""{(model.ReferenceRoles == ReferenceRoles.Known ? "Here the true roles are known, so the rules can be checked" : "The true roles are not known. The rules are held against roles derived from the structure of the JSON responses, where values count as reasoning and scaffolding as boilerplate")}: <span class="bp-ink">boilerplate</span> tokens stand upwards, <span class="rs-ink">reasoning</span> tokens hang downwards. The better a rule, the more of the upper bars lie left of the dashed threshold and of the lower bars right of it.""")
            : Markup.Of($"Each bar counts tokens by their loss difference. What stands right of the dashed threshold is called reasoning: the wrong prompt made it harder to predict. A clear dip near the threshold means that the two kinds separate well.");
        return new Section("evidence", "The evidence", lead, Markup.Of($"""
            <div class="cards">{model.Rules.Select(rule => Card(rule, rule.Rule == model.Method.Rule))}</div>
            {(known ? Markup.Of($"""<p class="note">AUC: the chance that a reasoning token has more evidence (LD, or the largest LD of its word) than a boilerplate token. Precision: of the tokens called reasoning, the share that is. Recall: of the reasoning tokens, the share found. F1: the harmonic mean of both. {Numbers.Count(model.Tokens.KnownTokens)} tokens have {(model.ReferenceRoles == ReferenceRoles.Known ? "a known" : "such a")} role; {Numbers.Percent((double)model.Tokens.KnownReasoningTokens / model.Tokens.KnownTokens)} of them are reasoning. Bar heights are on a square-root scale, so that rare values stay visible.</p>""") : Markup.Of($"""<p class="note">Bar heights are on a square-root scale, so that rare values stay visible.</p>"""))}
            """)) { Short = "Evidence" };
    }

    private static Markup Card(RuleEvidence evidence, bool inUse)
    {
        string name = RuleText.Name(evidence.Rule);
        HistogramChart? chart = HistogramChart.Create(evidence.Histogram, evidence.Rule.Margin);
        return Markup.Of($"""
            <article class="card">
            <h3>{name}{(inUse ? Markup.Of($"""<span class="badge">in use</span>""") : Markup.Empty)}</h3>
            <p class="formula">{RuleText.Formula(evidence.Rule)}; {RuleText.Threshold(evidence.Rule)}</p>
            {(evidence.Agreement is { } agreement ? Metrics(agreement) : Markup.Empty)}
            {chart?.Draw($"Distribution of the loss difference by {name}") ?? Markup.Of($"""<p class="note">No token was scored for this rule.</p>""")}
            </article>
            """);
    }

    private static Markup Metrics(RoleAgreement agreement) => Markup.Of(
        $"""<dl class="metrics">{Metric("AUC", agreement.Auc)}{Metric("Precision", agreement.Precision)}{Metric("Recall", agreement.Recall)}{Metric("F1", agreement.F1)}</dl>""");

    private static Markup Metric(string name, double? value) => Markup.Of(
        $"""<div><dt>{name}</dt><dd>{Numbers.Decimal(value, 3)}</dd></div>""");
}
