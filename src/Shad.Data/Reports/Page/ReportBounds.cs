namespace Shad.Data.Reports.Page;

/// <summary>Keeps a report readable and small whatever its model holds: lists and texts beyond these limits are cut.</summary>
internal static class ReportBounds
{
    private const int ShortText = 120, LongText = 600;
    private const int Rules = 4, Rows = 100, Curves = 12, Models = 12, Warnings = 50, Examples = 8;

    /// <summary>The model within the limits. Samples are bounded by <see cref="SampleData.Fit"/>.</summary>
    public static ReportModel Apply(ReportModel model) => model with
    {
        Title = ReportText.Shorten(model.Title, ShortText),
        LossRoles = model.LossRoles is { } roles ? ReportText.Shorten(roles, LongText) : null,
        Method = model.Method with
        {
            BaseModel = ReportText.Shorten(model.Method.BaseModel, ShortText),
            Corpus = ReportText.Shorten(model.Method.Corpus, ShortText),
        },
        Rules = [.. model.Rules.Take(Rules)],
        Phrases = [.. model.Phrases.Take(Rows).Select(static phrase => phrase with { Text = ReportText.Shorten(phrase.Text, PhraseCounter.MaximumLength) })],
        Spans = [.. model.Spans.Take(Rows).Select(static span => span with
        {
            Text = ReportText.Shorten(span.Text, SpanRanker.MaximumLength),
            SampleId = ReportText.Shorten(span.SampleId, SampleData.LongestId),
            Before = ReportText.ShortenLeft(span.Before, SpanRanker.ContextLength),
            After = ReportText.Shorten(span.After, SpanRanker.ContextLength),
        })],
        Curves = [.. model.Curves.Take(Curves).Select(static curve => curve with { Name = ReportText.Shorten(curve.Name, ShortText) })],
        Losses = [.. model.Losses.Take(Models).Select(static losses => losses with { Model = ReportText.Shorten(losses.Model, ShortText) })],
        Costs = [.. model.Costs.Take(Rows).Select(static cost => cost with { Stage = ReportText.Shorten(cost.Stage, ShortText) })],
        Warnings = [.. model.Warnings.Take(Warnings).Select(Bounded), .. More(model.Warnings.Count - Warnings, "kinds of warnings")],
        Provenance = [.. model.Provenance.Take(Rows).Select(static fact =>
            new ProvenanceEntry(ReportText.Shorten(fact.Name, ShortText), ReportText.Shorten(fact.Value, LongText)))],
    };

    private static ReportWarning Bounded(ReportWarning warning)
    {
        IReadOnlyList<string> examples = warning.Examples ?? [];
        return warning with
        {
            Message = ReportText.Shorten(warning.Message, LongText),
            Examples = [.. examples.Take(Examples).Select(static example => ReportText.Shorten(example, LongText)),
                .. More(examples.Count - Examples, "examples").Select(static more => more.Message)],
        };
    }

    private static IEnumerable<ReportWarning> More(int count, string of) =>
        count > 0 ? [new ReportWarning($"{Numbers.Count(count)} more {of} are not shown")] : [];
}
