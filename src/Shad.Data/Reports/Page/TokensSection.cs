namespace Shad.Data.Reports.Page;

/// <summary>The corpus in tokens: a list of samples beside the tokens of the chosen one. Filled in by the report's script.</summary>
internal static class TokensSection
{
    public static Section? Create(ReportModel model, IReadOnlyList<ReportSample> shown)
    {
        if (shown.Count == 0) return null;
        bool known = shown.Any(static sample => sample.Tokens.Any(static token => token.KnownRole is not null));
        string reference = model.ReferenceRoles == ReferenceRoles.Known ? "known" : "structural";
        string which = shown.Count == model.Tokens.Samples
            ? (shown.Count == 1 ? "The corpus’s one sample is shown." : $"All {shown.Count} samples are shown.")
            : $"{Numbers.Count(shown.Count)} of {Numbers.Count(model.Tokens.Samples)} samples are shown, {CorpusDigest.SampleRule}.";
        return new Section(
            "tokens", "The corpus, token by token",
            Markup.Of($"""Prompts are grey. Response tokens are coloured by role: <span class="t bp">boilerplate</span> repeats, <span class="t rs">reasoning</span> is specific to the sample. Point at a token, or walk with the arrow keys, to see how surprised each model was by it."""),
            Markup.Of($"""
                <noscript><p class="note">The samples are drawn by the script in this file; allow scripts to see them. All other sections work without.</p></noscript>
                <div class="explorer" data-reference="{reference}" hidden>
                <div class="picker">
                <label class="search"><span class="visually-hidden">Search samples</span><input type="search" id="sample-search" placeholder="Search samples…" autocomplete="off" spellcheck="false"></label>
                <ul id="sample-list" role="listbox" aria-label="Samples" tabindex="0"></ul>
                <p class="note" id="sample-count" aria-live="polite"></p>
                </div>
                <div class="viewer">
                <div class="toolbar">
                <fieldset><legend>Highlight</legend><div class="segments" id="role-filter">{Choice("role", "all", "All", true)}{Choice("role", "b", "Boilerplate")}{Choice("role", "r", "Reasoning")}{(known ? Choice("role", "x", $"Differs from {reference}") : Markup.Empty)}</div></fieldset>
                <fieldset><legend>Colour by</legend><div class="segments" id="colour-by">{Choice("colour", "role", "Role", true)}{Choice("colour", "ld", "LD")}</div></fieldset>
                <div class="steps"><button type="button" id="previous" aria-label="Previous sample">‹</button><button type="button" id="next" aria-label="Next sample">›</button></div>
                </div>
                <div class="sample-head"><b id="sample-id"></b><span id="sample-facts"></span></div>
                <div id="sample-text" class="text" tabindex="0" role="group" aria-label="Tokens of the sample. Arrow keys move from token to token."></div>
                <div class="legend" id="token-legend"><span class="role-legend"><i class="swatch bp"></i>boilerplate</span><span class="role-legend"><i class="swatch rs"></i>reasoning</span><span class="ld-legend">LD −3 <i class="swatch ramp"></i> +3 nats</span><span><i class="swatch prompt"></i>prompt</span>{(known ? Markup.Of($"""<span><i class="swatch differs"></i>role differs from the {reference} one</span>""") : Markup.Empty)}<span class="keys"><kbd>←</kbd> <kbd>→</kbd> tokens · <kbd>[</kbd> <kbd>]</kbd> samples</span></div>
                </div>
                </div>
                <p class="note">{which}</p>
                """)) { Short = "Tokens" };
    }

    private static Markup Choice(string group, string value, string label, bool chosen = false) => Markup.Of(
        $"""<label><input type="radio" name="{group}" value="{value}"{(chosen ? new Markup(" checked") : Markup.Empty)}><span>{label}</span></label>""");
}
