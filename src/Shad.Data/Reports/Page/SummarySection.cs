using Shad.Core.Classification;
using Shad.Core.Weighting;

namespace Shad.Data.Reports.Page;

/// <summary>The head of the report: what it is, the share of boilerplate, the findings in short, how the roles were found.</summary>
internal static class SummarySection
{
    public static Markup Draw(ReportModel model) => Markup.Of($"""
        <header class="hero" id="summary">
        <p class="eyebrow">SHAD report</p>
        <h1>{model.Title}</h1>
        <p class="meta"><span>Corpus <b>{model.Method.Corpus}</b></span><span>Base model <b>{model.Method.BaseModel}</b></span><span>{model.CreatedAt.UtcDateTime.ToString("d MMMM yyyy, HH:mm", System.Globalization.CultureInfo.InvariantCulture)} UTC</span></p>
        <p class="intro">When a language model is fine-tuned on example answers, not every part of them matters alike. Some tokens — a token is a word or a piece of one — are <span class="bp-ink">boilerplate</span>: format and stock phrases that repeat from sample to sample. Others carry the <span class="rs-ink">reasoning</span>: what is specific to one sample and can only be known from its prompt. This report shows which tokens are which, the evidence for it{(HasTuned(model) ? ", and what fine-tuning did to each kind" : "")}.</p>
        {ShareBar(model.Tokens)}
        <div class="tiles">{Tiles(model)}</div>
        {InShort(model)}
        {HowFound(model)}
        </header>

        """);

    private static Markup ShareBar(TokenStatistics tokens)
    {
        long classified = tokens.BoilerplateTokens + tokens.ReasoningTokens;
        if (classified == 0) return Markup.Of($"""<p class="note">No response token is classified yet.</p>""");
        double boilerplate = tokens.BoilerplateShare, reasoning = 1 - boilerplate;
        return Markup.Of($"""
            <div class="share" role="img" aria-label="{Numbers.Percent(boilerplate)} of the response tokens are boilerplate, {Numbers.Percent(reasoning)} reasoning">
            <div class="share-labels"><span><b class="bp-ink">{Numbers.Percent(boilerplate)}</b> boilerplate <small>{Numbers.Count(tokens.BoilerplateTokens)} tokens</small></span><span class="end"><small>{Numbers.Count(tokens.ReasoningTokens)} tokens</small> reasoning <b class="rs-ink">{Numbers.Percent(reasoning)}</b></span></div>
            <div class="share-bar"><i class="bp" style="width:{100 * boilerplate}%"></i><i class="rs" style="width:{100 * reasoning}%"></i></div>
            </div>
            """);
    }

    private static IEnumerable<Markup> Tiles(ReportModel model)
    {
        yield return Tile("Samples", Numbers.Count(model.Tokens.Samples), $"{Numbers.Short(model.Tokens.Tokens)} tokens with prompts");
        yield return Tile("Response tokens", Numbers.Count(model.Tokens.ResponseTokens), "scored and given a role");
        if (model.Rules.Count > 0 && model.Rules[0].Agreement is { } agreement)
            yield return Tile("Agreement (AUC)", Numbers.Decimal(agreement.Auc, 3), $"with {(model.ReferenceRoles == ReferenceRoles.Known ? "the known" : "structural")} roles; F1 {Numbers.Decimal(agreement.F1, 3)}");
        if (ReasoningLoss(model, "base") is { } before && (ReasoningLoss(model, "rft") ?? ReasoningLoss(model, "sft")) is { } after)
        {
            string arm = ReasoningLoss(model, "rft") is null ? "SFT" : "RFT";
            yield return Tile($"Reasoning loss after {arm}", Numbers.Decimal(after, 2), $"nats per token; {Numbers.Decimal(before, 2)} before");
        }

        if (model.Costs.Count > 0)
            yield return Tile("Total time", Numbers.Duration(model.Costs.Sum(static cost => cost.Seconds)), "all stages of the run");
    }

    private static Markup Tile(string name, string value, string note) => Markup.Of(
        $"""<div class="tile"><span class="tile-name">{name}</span><span class="tile-value">{value}</span><span class="tile-note">{note}</span></div>""");

    private static Markup InShort(ReportModel model)
    {
        Markup[] findings = [.. Findings(model)];
        return findings.Length == 0 ? Markup.Empty : Markup.Of(
            $"""<div class="in-short"><h2>In short</h2><ul>{findings.Select(static finding => Markup.Of($"<li>{finding}</li>"))}</ul></div>""");
    }

    private static IEnumerable<Markup> Findings(ReportModel model)
    {
        if (double.IsFinite(model.Tokens.BoilerplateShare))
            yield return Markup.Of($"<b>{Numbers.Percent(model.Tokens.BoilerplateShare)}</b> of what the corpus teaches a model to write is boilerplate; the other <b>{Numbers.Percent(1 - model.Tokens.BoilerplateShare)}</b> depends on the prompt.");
        RuleEvidence[] measured = [.. model.Rules.Where(static rule => rule.Agreement?.Auc is not null)];
        if (measured.Length > 0)
        {
            Markup first = Agreement(measured[0]);
            yield return measured.Length == 1
                ? Markup.Of($"Compared with {RuleText.Roles(model.ReferenceRoles)}, {first} (1 is perfect, 0.5 is chance).")
                : Markup.Of($"Compared with {RuleText.Roles(model.ReferenceRoles)}, {first} (1 is perfect, 0.5 is chance); {Agreement(measured[1])}.");
        }

        if (ReasoningLoss(model, "base") is { } before && ReasoningLoss(model, "sft") is { } sft && ReasoningLoss(model, "rft") is { } rft)
        {
            string verdict = Math.Abs(sft - rft) < 0.005 ? "as low as" : rft < sft ? $"{Numbers.Decimal(sft - rft, 2)} nats lower than" : $"{Numbers.Decimal(rft - sft, 2)} nats higher than";
            yield return Markup.Of($"On held-out samples, the loss of reasoning tokens went from <b>{Numbers.Decimal(before, 2)}</b> nats to <b>{Numbers.Decimal(rft, 2)}</b> with RFT, the training weighted by role: {verdict} the <b>{Numbers.Decimal(sft, 2)}</b> of ordinary fine-tuning (SFT).");
        }

        if (model.Warnings.Count > 0)
            yield return Markup.Of($"""There {(model.Warnings.Count == 1 ? "is a warning" : $"are {model.Warnings.Count} warnings")}: see <a href="#warnings">what to know</a>.""");
    }

    private static Markup Agreement(RuleEvidence rule) => Markup.Of(
        $"{(rule.Rule.Reference == ReferenceModel.AlignedControl ? "the aligned-control rule" : "the paper’s rule")} reaches an AUC of <b>{Numbers.Decimal(rule.Agreement!.Auc, 3)}</b>");

    private static Markup HowFound(ReportModel model)
    {
        MethodSummary method = model.Method;
        bool control = method.Rule.Reference == ReferenceModel.AlignedControl;
        string layers = method.ProbeLastLayers is { } k ? $", in its last {(k == 1 ? "layer" : $"{k} layers")} only," : "";
        string steps = method.ProbeSteps is { } n ? $" for {Numbers.Count(n)} steps" : " for a short while";
        string reference = control ? "the control" : "the base model";
        return Markup.Of($"""
            <details class="how"><summary>How the roles were found</summary>
            <ol>
            <li><b>Shuffle.</b> {Numbers.Count(method.ProbeSamples)} samples were drawn from the corpus. Each kept its prompt and was given another sample’s response.</li>
            <li><b>Tune a probe.</b> The base model was tuned{layers}{steps} on these mismatched pairs. What repeats in every response gets easier to predict; what depends on the prompt does not, for the prompt no longer tells it.</li>
            {(control ? Markup.Of($"<li><b>Tune a control.</b> A second copy was tuned alike on the same samples with their own responses, so that both have got used to the corpus in the same measure.</li>") : Markup.Empty)}
            <li><b>Compare.</b> Both scored every response token of the unshuffled corpus. A token’s <i>loss difference</i> (LD) is the probe’s loss less that of {reference}, in nats; a loss tells how surprised a model is, 0 being not at all. A token is <span class="rs-ink">reasoning</span> where {(method.Rule.Unit == EvidenceUnit.Word ? "the largest LD among the tokens of its word" : "LD")} is above {Numbers.Setting(method.Rule.Margin)}{(double.IsInfinity(method.Rule.Surprise) ? Markup.Empty : Markup.Of($", or where the probe’s loss is above {Numbers.Setting(method.Rule.Surprise)}: what still surprises the probe does not repeat"))}, and <span class="bp-ink">boilerplate</span> elsewhere.</li>
            {(method.Rft is { } rft ? TuningStep(rft) : Markup.Empty)}
            </ol>
            <p class="note">The method is SHAD + RFT, Ye et al., “Disentangling Reasoning Tokens and Boilerplate Tokens For Language Model Fine-tuning”, arXiv:2412.14780.{(control ? " The control is an addition to it: LD then holds what depends on the prompt, without the mere getting used to the corpus." : "")}</p>
            </details>
            """);
    }

    private static Markup TuningStep(RftWeighting rft)
    {
        string size = rft.BySize ? " and by how many tokens it has" : "";
        string floor = rft.BoilerplateFloor > 0 ? $", while a boilerplate token keeps at least {Numbers.Percent(rft.BoilerplateFloor)} of its weight in SFT" : "";
        string annealing = rft.AnnealFrom < 1 ? $" After {Numbers.Percent(rft.AnnealFrom)} of the steps these weights go over to those of SFT." : "";
        return Markup.Of($"<li><b>Tune with weights.</b> RFT then tuned the base model on the whole corpus: the mean loss of each role is weighted by a softmax over the two (temperature {Numbers.Setting(rft.Temperature)}){size}, so the role that is learned less gets more weight{floor}. SFT, ordinary fine-tuning, weighs all tokens alike.{annealing}</li>");
    }

    private static bool HasTuned(ReportModel model) =>
        model.Losses.Count > 0 || model.Curves.Any(static curve => curve.Name is "sft" or "rft");

    private static double? ReasoningLoss(ReportModel model, string name) =>
        model.Losses.FirstOrDefault(losses => losses.Model == name)?.Reasoning;
}
