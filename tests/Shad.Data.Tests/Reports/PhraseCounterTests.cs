using CsCheck;
using Shad.Core.Samples;
using Shad.Data.Reports;

namespace Shad.Data.Tests.Reports;

public sealed class PhraseCounterTests
{
    /// <summary>Samples of a few short tokens whose role is boilerplate, reasoning or none (a prompt).</summary>
    private static readonly Gen<ReportSample[]> SomeSamples = Gen
        .Select(Gen.OneOf("a", " b", "c\n", " ", "", "é"), Gen.Int[0, 5], static (text, role) => role switch
        {
            0 => new ReportToken(text, false),
            1 => new ReportToken(text, true) { Role = TokenRole.Reasoning },
            _ => new ReportToken(text, true) { Role = TokenRole.Boilerplate },
        })
        .Array[0, 12]
        .Select(static tokens => new ReportSample("s", tokens))
        .Array[0, 40];

    [Test]
    public void While_nothing_is_dropped_the_counts_are_those_of_a_naive_count()
    {
        SomeSamples.Sample(samples =>
        {
            var counter = new PhraseCounter();
            foreach (ReportSample sample in samples) counter.Add(sample);

            RepeatedPhrase[] expected = [.. Naive(samples)
                .Where(static phrase => phrase.Value.Count > 1)
                .OrderByDescending(static phrase => phrase.Value.Tokens)
                .ThenByDescending(static phrase => phrase.Value.Count)
                .ThenBy(static phrase => phrase.Key, StringComparer.Ordinal)
                .Select(static phrase => new RepeatedPhrase(phrase.Key, phrase.Value.Count, phrase.Value.Tokens, true))];
            Assert.That(counter.Top(int.MaxValue), Is.EqualTo(expected));
        });
    }

    [Test]
    public void With_a_small_capacity_no_heavy_phrase_is_lost_and_no_count_is_too_high()
    {
        const int Capacity = 3;
        SomeSamples.Sample(samples =>
        {
            var counter = new PhraseCounter(Capacity);
            foreach (ReportSample sample in samples) counter.Add(sample);

            Dictionary<string, (long Count, long Tokens)> naive = Naive(samples);
            IReadOnlyList<RepeatedPhrase> found = counter.Top(int.MaxValue);
            Assert.That(found, Has.Count.LessThanOrEqualTo(2 * Capacity));
            Assert.That(found, Has.All.Matches<RepeatedPhrase>(phrase =>
                phrase!.Count <= naive[phrase.Text].Count && phrase.Tokens <= naive[phrase.Text].Tokens));

            // Misra and Gries: each cut takes the same weight from at least `Capacity` phrases, so what is cut from one phrase is at
            // most total / capacity, and a phrase above that is still held. (Held with a single count since, it is not repeated.)
            long total = naive.Values.Sum(static phrase => phrase.Tokens);
            if (found.Count > 0 && found[0].IsExact) return;
            foreach ((string text, (long count, long tokens)) in naive)
            {
                if (tokens <= total / Capacity || count < 2) continue;
                Assert.That(counter.Holds(text), Is.True, text);
            }
        });
    }

    [Test]
    public void A_phrase_ends_with_its_response_and_is_trimmed()
    {
        var counter = new PhraseCounter();
        ReportToken Boilerplate(string text) => new(text, true) { Role = TokenRole.Boilerplate };
        for (int i = 0; i < 2; i++)
        {
            counter.Add(new ReportSample("s", [Boilerplate("\n"), Boilerplate(" Final"), Boilerplate(" answer: "), new ReportToken("user", false), Boilerplate("Bye")]));
            counter.Add(new ReportSample("s", [Boilerplate("Bye")]));
        }

        Assert.That(counter.Top(10), Is.EqualTo(new[]
        {
            new RepeatedPhrase("Final answer:", 2, 6, true),
            new RepeatedPhrase("Bye", 4, 4, true),
        }));
    }

    [Test]
    public void Long_phrases_are_counted_by_their_beginning_without_cutting_a_character()
    {
        var counter = new PhraseCounter();
        string text = new string('x', PhraseCounter.MaximumLength - 2) + "\U0001F600 and more";
        for (int i = 0; i < 2; i++) counter.Add(new ReportSample("s", [new ReportToken(text + i, true) { Role = TokenRole.Boilerplate }]));

        Assert.That(counter.Top(1)[0], Is.EqualTo(
            new RepeatedPhrase(new string('x', PhraseCounter.MaximumLength - 2) + "…", 2, 2, true)));
    }

    [Test]
    public void Memory_stays_bounded_while_distinct_phrases_stream_by()
    {
        var counter = new PhraseCounter(100);
        for (int i = 0; i < 20_000; i++)
        {
            counter.Add(new ReportSample("s", [new ReportToken("unique " + i, true) { Role = TokenRole.Boilerplate }]));
            if (i % 50 == 0) counter.Add(new ReportSample("s", [new ReportToken("every time", true) { Role = TokenRole.Boilerplate }, new ReportToken("!", true) { Role = TokenRole.Boilerplate }]));
            Assert.That(counter.Held, Is.LessThanOrEqualTo(200));
        }

        RepeatedPhrase top = counter.Top(1)[0];
        Assert.That(top.Text, Is.EqualTo("every time!"));
        Assert.That(top.Count, Is.InRange(300, 400));
        Assert.That(top.IsExact, Is.False);
    }

    /// <summary>The definition, sample by sample: split at what is no boilerplate, join, trim, count.</summary>
    private static Dictionary<string, (long Count, long Tokens)> Naive(IEnumerable<ReportSample> samples)
    {
        var counts = new Dictionary<string, (long Count, long Tokens)>();
        foreach (ReportSample sample in samples)
        {
            var run = new List<string>();
            foreach (ReportToken? token in sample.Tokens.Select(static token => (ReportToken?)token).Append(null))
            {
                if (token is { Role: TokenRole.Boilerplate } boilerplate)
                {
                    run.Add(boilerplate.Text);
                    continue;
                }

                string phrase = string.Concat(run).Trim();
                if (phrase.Length > 0)
                {
                    (long count, long tokens) = counts.GetValueOrDefault(phrase);
                    counts[phrase] = (count + 1, tokens + run.Count);
                }

                run.Clear();
            }
        }

        return counts;
    }
}
