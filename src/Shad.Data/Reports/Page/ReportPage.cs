using System.Security.Cryptography;
using System.Text;

namespace Shad.Data.Reports.Page;

/// <summary>Puts the report's page together: head, navigation, sections, data, script.</summary>
internal static class ReportPage
{
    private static readonly string Style = ReadAsset("report.css");
    private static readonly string Script = ReadAsset("report.js");

    // The browser runs no script but the one with this hash, and loads nothing: a second wall behind the escaping.
    private static readonly string ContentPolicy =
        $"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Script)))}'; base-uri 'none'; form-action 'none'";

    public static string Draw(ReportModel model, HtmlReportOptions options)
    {
        model = ReportBounds.Apply(model);
        (IReadOnlyList<ReportSample> shown, string samples) =
            SampleData.Fit(model.Samples, options.MaximumSamples, options.MaximumTokensPerSample, options.MaximumSampleBytes);
        Section[] sections = [.. new[]
        {
            TokensSection.Create(model, shown),
            EvidenceSection.Create(model),
            FindingsSections.CreatePhrases(model),
            FindingsSections.CreateSpans(model),
            TuningSections.CreateLosses(model),
            TuningSections.CreateCurves(model),
            AccountSections.CreateCosts(model),
            AccountSections.CreateWarnings(model),
            AccountSections.CreateProvenance(model),
        }.OfType<Section>()];

        return Markup.Of($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="{new Markup(ContentPolicy)}">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="referrer" content="no-referrer">
            <title>{model.Title} – SHAD report</title>
            <style>{new Markup(Style)}</style>
            </head>
            <body>
            <a class="skip" href="#summary">Skip to the report</a>
            <nav class="bar" aria-label="Sections"><div class="bar-inner"><a class="brand" href="#summary"><svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><rect class="bp" x="1" y="3" width="11" height="4" rx="1.5"/><rect class="rs" x="14" y="3" width="5" height="4" rx="1.5"/><rect class="bp" x="1" y="9" width="5" height="4" rx="1.5"/><rect class="rs" x="8" y="9" width="11" height="4" rx="1.5"/><rect class="bp" x="1" y="15" width="14" height="4" rx="1.5"/></svg>Shad</a><div class="links">{sections.Select(static section => Markup.Of($"""<a href="#{section.Id}">{section.Short}</a>"""))}</div><button type="button" id="theme" hidden>Theme: auto</button></div></nav>
            <main>
            {SummarySection.Draw(model)}
            {sections.Select(static section => section.Draw())}
            </main>
            <footer>Made by Shad.Onnx. This file holds everything it shows and loads nothing from a network.</footer>
            <div id="tip" role="tooltip" hidden></div>
            <script type="application/json" id="report-samples">{new Markup(samples)}</script>
            <script>{new Markup(Script)}</script>
            </body>
            </html>

            """).Html;
    }

    private static string ReadAsset(string name)
    {
        using Stream stream = typeof(ReportPage).Assembly.GetManifestResourceStream($"Shad.Data.Reports.{name}")
            ?? throw new InvalidOperationException($"The assembly holds no resource '{name}'.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        // As a browser reads it, whatever line ends the checkout gave it: the policy's hash is taken over that.
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
