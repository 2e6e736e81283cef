using CsCheck;
using Shad.Core.Samples;
using Shad.Data.Reports;

namespace Shad.Data.Tests.Reports;

public sealed class CorpusDigestTests
{
    [Test]
    public void The_samples_shown_do_not_depend_on_the_order_of_the_corpus()
    {
        ReportSample[] samples = [.. Enumerable.Range(0, 500).Select(static i => Sample($"s{i}", i % 101, 100))];
        var options = new CorpusDigestOptions { Samples = 10, SamplePool = 50 };

        string[] forwards = Shown(samples, options), backwards = Shown([.. samples.Reverse()], options);

        Assert.That(backwards, Is.EqualTo(forwards));
        Assert.That(forwards, Has.Length.EqualTo(10).And.Unique);
    }

    [Test]
    public void The_samples_shown_are_spread_over_the_share_of_boilerplate_from_highest_to_lowest()
    {
        ReportSample[] samples = [.. Enumerable.Range(0, 101).Select(static i => Sample($"s{i}", i, 100))];

        var digest = new CorpusDigest(new CorpusDigestOptions { Samples = 11, SamplePool = 1_000 });
        foreach (ReportSample sample in samples) digest.Add(sample);

        Assert.That(digest.Samples.Select(static sample => sample.BoilerplateShare),
            Is.EqualTo(Enumerable.Range(0, 11).Select(static i => 1 - 0.1 * i)).Within(1e-12));
    }

    [Test]
    public void A_small_corpus_is_shown_whole()
    {
        Assert.That(Shown([Sample("a", 1, 4), Sample("b", 3, 4)], new CorpusDigestOptions()), Is.EqualTo(new[] { "b", "a" }));
    }

    [Test]
    public void Counts_and_histograms_hold_every_response_token_once()
    {
        Gen.Select(Gen.Bool, Gen.Int[-1, 1], Gen.Int[-1, 1], Gen.Float[-20, 20], Gen.Bool).Array[1, 60].Sample(rows =>
        {
            ReportToken[] tokens = [.. rows.Select(static row => new ReportToken("t", row.Item1)
            {
                Role = row.Item1 && row.Item2 >= 0 ? (TokenRole)row.Item2 : null,
                KnownRole = row.Item1 && row.Item3 >= 0 ? (TokenRole)row.Item3 : null,
                BaseLoss = row.Item1 ? 0 : float.NaN,
                ProbeLoss = row.Item1 ? row.Item4 : float.NaN,
                ControlLoss = row.Item1 && row.Item5 ? 1 : float.NaN,
                ControlEvidence = row.Item1 && row.Item5 ? row.Item4 - 1 : float.NaN,
            })];
            var digest = new CorpusDigest();
            digest.Add(new ReportSample("s", tokens));

            ReportToken[] responses = [.. tokens.Where(static token => token.IsResponse)];
            TokenStatistics counts = digest.Statistics;
            Assert.That(counts.Tokens, Is.EqualTo(tokens.Length));
            Assert.That(counts.ResponseTokens, Is.EqualTo(responses.Length));
            Assert.That(counts.BoilerplateTokens, Is.EqualTo(responses.Count(static token => token.Role == TokenRole.Boilerplate)));
            Assert.That(counts.ReasoningTokens, Is.EqualTo(responses.Count(static token => token.Role == TokenRole.Reasoning)));
            Assert.That(counts.KnownTokens, Is.EqualTo(responses.Count(static token => token.KnownRole is not null)));
            Assert.That(digest.PaperHistogram.Boilerplate.Total, Is.EqualTo(responses.Count(static token => token.KnownRole == TokenRole.Boilerplate)));
            Assert.That(digest.PaperHistogram.Unknown.Total, Is.EqualTo(responses.Count(static token => token.KnownRole is null)));
            int withControl = responses.Count(static token => !float.IsNaN(token.ControlLoss));
            LossDifferenceHistogram? control = digest.ControlHistogram;
            Assert.That((control?.Boilerplate.Total + control?.Reasoning.Total + control?.Unknown.Total) ?? 0, Is.EqualTo(withControl));
        });
    }

    [Test]
    public void A_long_sample_is_cut_to_its_response_and_says_so()
    {
        ReportToken[] tokens = [.. Enumerable.Range(0, 1_000).Select(static i => new ReportToken(i.ToString(System.Globalization.CultureInfo.InvariantCulture), i >= 700))];

        ReportSample cut = new ReportSample("s", tokens).Cut(100);

        Assert.That(cut.Tokens[0].Text, Is.EqualTo("675"));
        Assert.That(cut.Tokens, Has.Count.EqualTo(100));
        Assert.That((cut.LeftOutBefore, cut.LeftOutAfter), Is.EqualTo((675, 225)));
        Assert.That(cut.Cut(10) is { LeftOutBefore: 675 + 23, Tokens.Count: 10 }, Is.True, "a cut of a cut counts from the whole");
    }

    [Test]
    public void Token_texts_cover_the_text_once_where_tokens_share_a_character()
    {
        string text = "a\U0001F600b";
        int[] starts = [0, 0, 1, 1, 1, 3], ends = [0, 1, 3, 3, 3, 4];

        Assert.That(ReportSample.TokenTexts(text, starts, ends), Is.EqualTo(new[] { "", "a", "\U0001F600", "", "", "b" }));
        Assert.Throws<ArgumentException>(() => ReportSample.TokenTexts(text, [0], [5]));
        Assert.Throws<ArgumentException>(() => ReportSample.TokenTexts(text, [2], [1]));
        Assert.Throws<ArgumentException>(() => ReportSample.TokenTexts(text, [0, 1], [1]));
    }

    [Test]
    public void Options_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new CorpusDigest(new CorpusDigestOptions { Samples = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new CorpusDigest(new CorpusDigestOptions { Samples = 10, SamplePool = 9 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new CorpusDigest(new CorpusDigestOptions { HistogramRange = 0 }));
    }

    private static string[] Shown(IEnumerable<ReportSample> samples, CorpusDigestOptions options)
    {
        var digest = new CorpusDigest(options);
        foreach (ReportSample sample in samples) digest.Add(sample);
        return [.. digest.Samples.Select(static sample => sample.Id)];
    }

    private static ReportSample Sample(string id, int boilerplate, int tokens) => new(id,
        [.. Enumerable.Range(0, tokens).Select(i => new ReportToken("t", true) { Role = i < boilerplate ? TokenRole.Boilerplate : TokenRole.Reasoning })]);
}
