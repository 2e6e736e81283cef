using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shad.Core.Classification;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Core.Weighting;
using Shad.Data.Reports;

namespace Shad.Data.Tests.Reports;

public sealed partial class HtmlReportTests
{
    private const string Hostile =
        "</script><script>alert(1)</script><img src=x onerror=alert(1)>&amp;'\"`]]><!-- \u202Eright\u202C \u0000\u0007 \uD83D\uDE00 \uD800 \u2028";

    [Test]
    public void A_sample_report_is_written_whole_under_its_name()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "run", "report.html");

        HtmlReport.Write(SampleReport.Create(), path);

        string html = File.ReadAllText(path);
        Assert.That(html, Does.StartWith("<!doctype html>").And.EndWith("</html>\n"));
        Assert.That(Directory.GetFiles(Path.GetDirectoryName(path)!), Has.Length.EqualTo(1), "no temporary file remains");
        if (Environment.GetEnvironmentVariable("SHAD_REPORT_OUT") is { Length: > 0 } copy) File.Copy(path, copy, overwrite: true);
    }

    [Test]
    public void The_same_model_gives_the_same_bytes()
    {
        string first = Render(SampleReport.Create()), second = Render(SampleReport.Create());

        Assert.That(second, Is.EqualTo(first));
    }

    [Test]
    public void Every_section_with_data_is_there_and_those_without_are_left_out()
    {
        string full = Render(SampleReport.Create());
        string bare = Render(Bare());

        foreach (string id in new[] { "summary", "tokens", "evidence", "phrases", "spans", "losses", "training", "cost", "warnings", "provenance" })
            Assert.That(full, Does.Contain($"id=\"{id}\""), id);
        foreach (string id in new[] { "tokens", "evidence", "phrases", "spans", "losses", "training", "cost", "warnings" })
            Assert.That(bare, Does.Not.Contain($"id=\"{id}\""), id);
        Assert.That(bare, Does.Not.Contain("NaN"));
    }

    [Test]
    public void How_RFT_weighed_is_told_as_far_as_it_is_not_the_papers()
    {
        string Told(RftWeighting? rft)
        {
            ReportModel model = SampleReport.Create(40);
            return Render(model with { Method = model.Method with { Rft = rft } });
        }

        string plain = Told(new RftWeighting { Temperature = 0.5 });
        string other = Told(new RftWeighting { BySize = true, BoilerplateFloor = 0.25, AnnealFrom = 0.75 });
        Assert.Multiple(() =>
        {
            Assert.That(Told(null), Does.Not.Contain("Tune with weights"));
            Assert.That(plain, Does.Contain("(temperature 0.5), so").And.Not.Contain("go over").And.Not.Contain("at least"));
            Assert.That(other, Does.Contain("(temperature 1) and by how many tokens it has, so"));
            Assert.That(other, Does.Contain("a boilerplate token keeps at least 25 % of its weight in SFT."));
            Assert.That(other, Does.Contain("After 75 % of the steps these weights go over to those of SFT."));
        });
    }

    [Test]
    public void Tags_are_balanced()
    {
        foreach (ReportModel model in new[] { SampleReport.Create(40), HostileModel(), Bare() })
        {
            var open = new Stack<string>();
            string html = Regex.Replace(Render(model), @"<(script|style)\b[^>]*>.*?</\1>", "", RegexOptions.Singleline);
            foreach (Match tag in Tag().Matches(html))
            {
                string name = tag.Groups["name"].Value.ToLowerInvariant();
                if (name is "meta" or "input" or "link" or "br" || tag.Value.EndsWith("/>", StringComparison.Ordinal)) continue;
                if (tag.Value[1] != '/') open.Push(name);
                else Assert.That(open.Pop(), Is.EqualTo(name), $"at {tag.Index}: {html[Math.Max(0, tag.Index - 120)..Math.Min(html.Length, tag.Index + 20)]}");
            }

            Assert.That(open, Is.Empty);
        }
    }

    [Test]
    public void Nothing_is_loaded_from_outside()
    {
        string html = Render(SampleReport.Create());

        Assert.That(html, Does.Not.Match(@"https?:|//[a-z0-9-]+\.[a-z]"));
        Assert.That(html, Does.Not.Match(@"(?i)<(link|iframe|object|embed|img|base)\b|@import|url\(|\bfetch\(|XMLHttpRequest|\bsrc="));
        Assert.That(Href().Matches(html).Select(static match => match.Groups[1].Value), Has.All.StartsWith("#"));
        Assert.That(html, Does.Contain("default-src 'none'"));
    }

    [Test]
    public void The_content_policy_admits_exactly_the_script_of_the_report()
    {
        string html = Render(SampleReport.Create(10));
        string script = Regex.Match(html, "<script>(.*?)</script>", RegexOptions.Singleline).Groups[1].Value;
        string hash = Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(script)));

        Assert.That(html, Does.Contain($"script-src 'sha256-{hash}'"));
        Assert.That(script, Does.Not.Contain("innerHTML").And.Not.Contain("eval("));
    }

    [Test]
    public void Hostile_text_stays_text_wherever_it_stands()
    {
        string html = Render(HostileModel());

        Assert.That(Regex.Count(html, "(?i)<script"), Is.EqualTo(2), "the data and the script of the report");
        Assert.That(Regex.Count(html, "(?i)</script"), Is.EqualTo(2));
        Assert.That(html, Does.Not.Contain("<img").And.Not.Contain("<!--"));
        Assert.That(html, Does.Not.Match("[\u0000-\u0008\u000B-\u001F\u202A-\u202E\u2028\uD800](?![\uDC00-\uDFFF])"));
        Assert.That(html, Does.Contain("‹202E›right"));
    }

    [Test]
    public void The_embedded_samples_are_json_with_the_tokens_and_losses_given()
    {
        ReportModel model = SampleReport.Create(50);
        JsonElement samples = Samples(Render(model));

        Assert.That(samples.GetArrayLength(), Is.EqualTo(model.Samples.Count));
        foreach ((JsonElement json, ReportSample sample) in samples.EnumerateArray().Zip(model.Samples))
        {
            Assert.That(json.GetProperty("id").GetString(), Is.EqualTo(sample.Id));
            Assert.That(json.GetProperty("text").EnumerateArray().Select(static text => text.GetString()),
                Is.EqualTo(sample.Tokens.Select(static token => token.Text)));
            ReportToken[] responses = [.. sample.Tokens.Where(static token => token.IsResponse)];
            double[] differences = [.. json.GetProperty("ld").EnumerateArray().Select(static value => value.GetDouble())];
            Assert.That(differences, Is.EqualTo(responses.Select(static token => (double)token.LossDifference)).Within(0.00051));
            Assert.That(json.GetProperty("control").GetArrayLength(), Is.EqualTo(responses.Length));
            Assert.That(json.GetProperty("role").GetString(), Is.EqualTo(string.Concat(sample.Tokens.Select(static token =>
                !token.IsResponse ? 'p' : token.Role == TokenRole.Reasoning ? 'r' : 'b'))));
        }
    }

    [Test]
    public void Hostile_samples_stay_well_formed_json()
    {
        JsonElement sample = Samples(Render(HostileModel()))[0];

        string first = sample.GetProperty("text")[0].GetString()!;
        Assert.That(first, Does.StartWith("</script><script>alert(1)").And.Contain("\U0001F600").And.Contain("␀").And.Contain("\uFFFD"));
        Assert.That(sample.GetProperty("text")[1].GetString(), Has.Length.LessThanOrEqualTo(400), "a very long token is cut");
        Assert.That(sample.GetProperty("ld")[1].ValueKind, Is.EqualTo(JsonValueKind.Null), "a token without LD");
    }

    [Test]
    public void A_huge_model_makes_a_report_of_bounded_size_that_says_what_is_left_out()
    {
        string text = new('€', 50_000);
        ReportToken[] tokens = [.. Enumerable.Range(0, 3_000).Select(i =>
            new ReportToken("€uro " + i % 10, i >= 1_000) { Role = i >= 1_000 ? TokenRole.Reasoning : null, LossDifference = 1f / 3, BaseLoss = 1f / 7, ProbeLoss = 1f / 9 })];
        ReportModel small = SampleReport.Create(20);
        ReportModel model = small with
        {
            Title = text,
            Samples = [.. Enumerable.Range(0, 2_000).Select(i => new ReportSample(text + i, tokens))],
            Phrases = [.. Enumerable.Repeat(new RepeatedPhrase(text, 10, 20, true), 5_000)],
            Spans = [.. Enumerable.Repeat(new ReasoningSpan(text, 1, 2, text, text, text), 5_000)],
            Warnings = [.. Enumerable.Repeat(new ReportWarning(text, 1, [.. Enumerable.Repeat(text, 1_000)]), 1_000)],
            Provenance = [.. Enumerable.Repeat(new ProvenanceEntry(text, text), 1_000)],
            Tokens = small.Tokens with { Samples = 2_000 },
        };
        var options = new HtmlReportOptions { MaximumSampleBytes = 1 << 20 };

        string html = HtmlReport.Render(model, options);

        Assert.That(Encoding.UTF8.GetByteCount(html), Is.LessThan(options.MaximumSampleBytes + (3 << 20)));
        int shown = Samples(html).GetArrayLength();
        Assert.That(shown, Is.InRange(1, 59));
        Assert.That(html, Does.Contain($"{shown} of 2,000 samples are shown"));
        Assert.That(html, Does.Contain("950 more kinds of warnings are not shown"));
    }

    [Test]
    public void A_report_that_cannot_be_written_is_a_clear_error()
    {
        using var folder = new TemporaryFolder();
        string blocked = Path.Combine(folder.Path, "file");
        File.WriteAllText(blocked, "");

        var error = Assert.Throws<ShadException>(() => HtmlReport.Write(Bare(), Path.Combine(blocked, "report.html")));

        Assert.That(error!.Code, Is.EqualTo("file.cannot_write"));
    }

    [Test]
    public void Limits_below_one_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => HtmlReport.Render(Bare(), new HtmlReportOptions { MaximumSamples = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => HtmlReport.Render(Bare(), new HtmlReportOptions { MaximumTokensPerSample = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => HtmlReport.Render(Bare(), new HtmlReportOptions { MaximumSampleBytes = 0 }));
    }

    private static string Render(ReportModel model) => HtmlReport.Render(model, new HtmlReportOptions());

    private static JsonElement Samples(string html) => JsonDocument.Parse(
        Regex.Match(html, "<script type=\"application/json\" id=\"report-samples\">(.*?)</script>", RegexOptions.Singleline).Groups[1].Value).RootElement;

    /// <summary>A run that has got nowhere yet.</summary>
    private static ReportModel Bare() => new()
    {
        Title = "Bare",
        CreatedAt = DateTimeOffset.UnixEpoch,
        Method = new MethodSummary { BaseModel = "none", Corpus = "none", Rule = new PaperRule(), ProbeSamples = 2 },
        Tokens = new TokenStatistics { Samples = 0, Tokens = 0, ResponseTokens = 0, BoilerplateTokens = 0, ReasoningTokens = 0 },
    };

    /// <summary>Hostile text in every field that takes text.</summary>
    private static ReportModel HostileModel()
    {
        ReportModel model = SampleReport.Create(30);
        ReportToken[] tokens =
        [
            new ReportToken(Hostile, true) { Role = TokenRole.Reasoning, LossDifference = 1, BaseLoss = 2, ProbeLoss = 3 },
            new ReportToken(new string('x', 100_000), true) { Role = null },
            new ReportToken("", true) { Role = TokenRole.Boilerplate, LossDifference = -1, BaseLoss = 2, ProbeLoss = 1 },
            new ReportToken("‏שלום עולם\n\t ", true) { Role = TokenRole.Boilerplate, LossDifference = 0, BaseLoss = 2, ProbeLoss = 2 },
        ];
        return model with
        {
            Title = Hostile,
            Method = model.Method with { BaseModel = Hostile, Corpus = Hostile },
            LossRoles = Hostile,
            Samples = [new ReportSample(Hostile, tokens)],
            Phrases = [new RepeatedPhrase(Hostile, 3, 9, false)],
            Spans = [new ReasoningSpan(Hostile, 2, 1, Hostile, Hostile, Hostile)],
            Curves = [.. model.Curves.Select(static curve => curve with { Name = Hostile })],
            Losses = [.. model.Losses.Select(static losses => losses with { Model = Hostile })],
            Costs = [new StageCost(Hostile, 1, 1)],
            Warnings = [new ReportWarning(Hostile, 1, [Hostile])],
            Provenance = [new ProvenanceEntry(Hostile, Hostile)],
        };
    }

    [GeneratedRegex("</?(?<name>[a-zA-Z][a-zA-Z0-9]*)(?:\\s+[^\\s=>\"/]+(?:=\"[^\"]*\")?)*\\s*/?>")]
    private static partial Regex Tag();

    [GeneratedRegex("href=\"([^\"]*)\"")]
    private static partial Regex Href();
}
