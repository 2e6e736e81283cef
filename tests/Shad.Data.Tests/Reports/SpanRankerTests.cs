using CsCheck;
using Shad.Core.Samples;
using Shad.Data.Reports;

namespace Shad.Data.Tests.Reports;

public sealed class SpanRankerTests
{
    private static readonly Gen<ReportSample[]> SomeSamples = Gen
        .Select(Gen.OneOf("a", "B", "b", " c", "-", "d\n"), Gen.Int[0, 3], Gen.Int[1, 40], static (text, role, ld) => role switch
        {
            0 => new ReportToken(text, false),
            1 => new ReportToken(text, true) { Role = TokenRole.Boilerplate, LossDifference = -ld / 8f },
            _ => new ReportToken(text, true) { Role = TokenRole.Reasoning, LossDifference = ld / 8f },
        })
        .Array[0, 10]
        .Select(static tokens => new ReportSample("s", tokens))
        .Array[0, 30];

    [Test]
    public void The_best_spans_are_those_of_a_naive_ranking()
    {
        SomeSamples.Sample(samples =>
        {
            const int Count = 4;
            var ranker = new SpanRanker(Count);
            foreach (ReportSample sample in samples) ranker.Add(sample);

            // All scores are eighths over small integers; ties are told apart by text in the ranking, but which of two spans of equal
            // score and text is kept is free, so scores are compared.
            double[] expected = [.. Naive(samples)
                .GroupBy(static span => span.Text, StringComparer.OrdinalIgnoreCase)
                .Select(static spans => spans.Max(static span => span.Score))
                .OrderDescending()
                .Take(Count)];
            double[] actual = [.. ranker.Spans.Select(static span => span.MeanLossDifference * span.Tokens / (span.Tokens + 1))];
            Assert.That(actual, Is.EqualTo(expected).Within(1e-12));
            Assert.That(ranker.Spans.Select(static span => span.Text.ToUpperInvariant()), Is.Unique);
        });
    }

    [Test]
    public void A_span_comes_with_its_place()
    {
        var ranker = new SpanRanker();
        ranker.Add(new ReportSample("one",
        [
            new ReportToken("the prompt", false),
            new ReportToken("{\"city\": \"", true) { Role = TokenRole.Boilerplate, LossDifference = 0 },
            new ReportToken("Por", true) { Role = TokenRole.Reasoning, LossDifference = 4 },
            new ReportToken("to", true) { Role = TokenRole.Reasoning, LossDifference = 2 },
            new ReportToken("\"}", true) { Role = TokenRole.Boilerplate, LossDifference = 0 },
            new ReportToken("next prompt", false),
        ]));

        Assert.That(ranker.Spans, Is.EqualTo(new[] { new ReasoningSpan("Porto", 3, 2, "one", "{\"city\": \"", "\"}") }));
    }

    [Test]
    public void Spans_without_a_letter_or_digit_or_with_a_loss_that_is_no_number_are_left_out()
    {
        var ranker = new SpanRanker();
        ranker.Add(new ReportSample("s", [new ReportToken("\"}]", true) { Role = TokenRole.Reasoning, LossDifference = 9 }]));
        ranker.Add(new ReportSample("s", [new ReportToken("word", true) { Role = TokenRole.Reasoning, LossDifference = float.NaN }]));
        ranker.Add(new ReportSample("s", [new ReportToken("word", true) { Role = TokenRole.Reasoning, LossDifference = float.PositiveInfinity }]));

        Assert.That(ranker.Spans, Is.Empty);
    }

    private static IEnumerable<(string Text, double Score)> Naive(IEnumerable<ReportSample> samples)
    {
        foreach (ReportSample sample in samples)
        {
            string letters = string.Concat(sample.Tokens.Select(static token => token.Role == TokenRole.Reasoning ? 'r' : '.'));
            foreach (System.Text.RegularExpressions.Match run in System.Text.RegularExpressions.Regex.Matches(letters, "r+"))
            {
                ReportToken[] tokens = [.. sample.Tokens.Skip(run.Index).Take(run.Length)];
                string text = string.Concat(tokens.Select(static token => token.Text)).Trim();
                if (text.Any(char.IsLetterOrDigit))
                    yield return (text, tokens.Sum(static token => (double)token.LossDifference) / (tokens.Length + 1));
            }
        }
    }
}
