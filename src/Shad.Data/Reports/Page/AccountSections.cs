namespace Shad.Data.Reports.Page;

/// <summary>What the reader needs to judge the run: warnings, cost, where it all comes from, and the words used.</summary>
internal static class AccountSections
{
    public static Section? CreateWarnings(ReportModel model)
    {
        if (model.Warnings.Count == 0) return null;
        return new Section(
            "warnings", "What to know",
            Markup.Of($"Nothing here stopped the run, but each may colour the results."),
            Markup.Of($"""<ul class="warnings">{model.Warnings.Select(Warning)}</ul>""")) { Short = "Warnings" };
    }

    public static Section? CreateCosts(ReportModel model)
    {
        if (model.Costs.Count == 0) return null;
        double longest = Math.Max(model.Costs.Max(static cost => cost.Seconds), 1e-9), total = model.Costs.Sum(static cost => cost.Seconds);
        return new Section(
            "cost", "Cost",
            Markup.Of($"Wall time by stage and, where a model ran, how many tokens went through it."),
            Markup.Of($"""
                <div class="table-frame"><table class="costs">
                <thead><tr><th scope="col">Stage</th><th scope="col">Time</th><th scope="col" class="number">Tokens</th><th scope="col" class="number">Tokens/s</th></tr></thead>
                <tbody>{model.Costs.Select(cost => Markup.Of($"""<tr><th scope="row">{cost.Stage}{(cost.Reused ? Markup.Of($"""<span class="badge quiet">from an earlier run</span>""") : Markup.Empty)}</th><td><span class="in-cell"><i class="neutral" style="width:{100 * cost.Seconds / longest}%"></i></span><span class="in-cell-value">{Numbers.Duration(cost.Seconds)}</span></td><td class="number">{(cost.Tokens > 0 ? Numbers.Count(cost.Tokens) : Numbers.None)}</td><td class="number">{(cost.TokensPerSecond is { } speed ? Numbers.Count((long)Math.Round(speed)) : Numbers.None)}</td></tr>"""))}</tbody>
                <tfoot><tr><th scope="row">Total</th><td><span class="in-cell"></span><span class="in-cell-value">{Numbers.Duration(total)}</span></td><td class="number">{Numbers.Count(model.Costs.Sum(static cost => cost.Tokens))}</td><td></td></tr></tfoot>
                </table></div>
                """)) { Short = "Cost" };
    }

    public static Section CreateProvenance(ReportModel model) => new(
        "provenance", "Where this comes from",
        Markup.Of($"What is needed to make this report again, and the words used in it."),
        Markup.Of($"""
            <div class="cards">
            <article class="card"><h3>This run</h3><dl class="facts">{model.Provenance.Select(static fact => Markup.Of($"""<div><dt>{fact.Name}</dt><dd><bdi>{fact.Value}</bdi></dd></div>"""))}</dl></article>
            <article class="card"><h3>Words used here</h3><dl class="facts words">
            <div><dt>token</dt><dd>A word or a piece of one, as the model reads and writes it.</dd></div>
            <div><dt>response token</dt><dd>A token the model is asked to write; prompts are given.</dd></div>
            <div><dt>loss</dt><dd>−ln of the probability a model gave the token that stands there. 0: certain of it; 2.3 nats: one chance in ten.</dd></div>
            <div><dt>nat</dt><dd>The unit of loss with the natural logarithm.</dd></div>
            <div><dt>LD</dt><dd>Loss difference: the probe’s loss less that of the model it is compared with.</dd></div>
            <div><dt>probe</dt><dd>The base model tuned on prompts with other samples’ responses.</dd></div>
            <div><dt>control</dt><dd>The base model tuned alike on the same samples, unshuffled.</dd></div>
            <div><dt>SFT, RFT</dt><dd>Fine-tuning with all response tokens weighing alike; with the two roles weighted by how much is still to learn.</dd></div>
            </dl></article>
            </div>
            """)) { Short = "Provenance" };

    private static Markup Warning(ReportWarning warning)
    {
        IReadOnlyList<string> examples = warning.Examples ?? [];
        Markup detail = examples.Count == 0
            ? Markup.Empty
            : Markup.Of($"""<details><summary>{(examples.Count == 1 ? "an example" : "examples")}</summary><ul>{examples.Select(static example => Markup.Of($"<li><code>{example}</code></li>"))}</ul></details>""");
        return Markup.Of($"""<li>{warning.Message}{(warning.Count is { } count ? Markup.Of($"""<span class="times">× {Numbers.Count(count)}</span>""") : Markup.Empty)}{detail}</li>""");
    }
}
