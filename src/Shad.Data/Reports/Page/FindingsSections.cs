namespace Shad.Data.Reports.Page;

/// <summary>What was found: the most repeated boilerplate phrases and the most confident reasoning spans.</summary>
internal static class FindingsSections
{
    public static Section? CreatePhrases(ReportModel model)
    {
        if (model.Phrases.Count == 0) return null;
        IReadOnlyList<RepeatedPhrase> phrases = model.Phrases;
        long largest = phrases.Max(static phrase => phrase.Tokens);
        bool exact = phrases.All(static phrase => phrase.IsExact);
        return new Section(
            "phrases", "Most repeated boilerplate",
            Markup.Of($"Unbroken runs of boilerplate tokens, those that fill the most of the corpus first. These are the phrases a model would be drilled in again and again if every token weighed alike."),
            Markup.Of($"""
                <div class="table-frame"><table class="phrases">
                <thead><tr><th scope="col">Phrase</th><th scope="col" class="number">Times{(exact ? "" : " (at least)")}</th><th scope="col" class="number">Tokens</th><th scope="col">Share of all boilerplate</th></tr></thead>
                <tbody>{phrases.Select(phrase => Markup.Of($"""<tr><td><code class="bp">{WhiteSpace(phrase.Text)}</code></td><td class="number">{Numbers.Count(phrase.Count)}</td><td class="number">{Numbers.Count(phrase.Tokens)}</td><td><span class="in-cell"><i class="bp" style="width:{100.0 * phrase.Tokens / largest}%"></i></span><span class="in-cell-value">{Numbers.Percent(phrase.Tokens / (double)Math.Max(1, model.Tokens.BoilerplateTokens))}</span></td></tr>"""))}</tbody>
                </table></div>
                """)) { Short = "Boilerplate" };
    }

    public static Section? CreateSpans(ReportModel model)
    {
        if (model.Spans.Count == 0) return null;
        return new Section(
            "spans", "Most confident reasoning",
            Markup.Of($"Unbroken runs of reasoning tokens with the largest mean loss difference, each text once. Here the prompt mattered most: without the right one, the model would hardly have written this."),
            Markup.Of($"""
                <div class="table-frame"><table class="spans">
                <thead><tr><th scope="col">Span, in its context</th><th scope="col" class="number">Mean LD (nats)</th><th scope="col" class="number">Tokens</th><th scope="col">Sample</th></tr></thead>
                <tbody>{model.Spans.Select(static span => Markup.Of($"""<tr><td><span class="context"><bdi>{WhiteSpace(span.Before)}</bdi></span><code class="rs">{WhiteSpace(span.Text)}</code><span class="context"><bdi>{WhiteSpace(span.After)}</bdi></span></td><td class="number">{Numbers.Decimal(span.MeanLossDifference, 2)}</td><td class="number">{span.Tokens}</td><td class="sample-name" data-sample="{span.SampleId}"><bdi>{span.SampleId}</bdi></td></tr>"""))}</tbody>
                </table></div>
                <p class="note">In the order of mean LD, drawn a little towards 0 for short spans, so that a lone token must earn its place.</p>
                """)) { Short = "Reasoning" };
    }

    /// <summary>The text on one line, its line feeds and tabs as faint signs.</summary>
    private static Markup WhiteSpace(string text) => new(Markup.Escape(text)
        .Replace("\n", """<span class="ws">↵</span>""", StringComparison.Ordinal)
        .Replace("\t", """<span class="ws">⇥</span>""", StringComparison.Ordinal));
}
