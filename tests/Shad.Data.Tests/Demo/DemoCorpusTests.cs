using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using CsCheck;
using Shad.Core.Errors;
using Shad.Data.Corpora;
using Shad.Data.Demo;

namespace Shad.Data.Tests.Demo;

public sealed partial class DemoCorpusTests
{
    private static readonly DemoSample[] Corpus = [.. DemoCorpus.Generate(new DemoOptions { Samples = 3000 })];

    [Test]
    public void Spans_lie_in_the_response_in_order_and_apart()
    {
        foreach (DemoSample sample in Corpus)
        {
            int end = -1;
            foreach ((int start, int next) in sample.ReasoningSpans)
            {
                Assert.That(start, Is.GreaterThan(end), sample.Id);
                Assert.That(next, Is.GreaterThan(start), sample.Id);
                end = next;
            }

            Assert.That(end, Is.LessThanOrEqualTo(sample.Response.Length), sample.Id);

            // Requester, occasion and two wishes; the function; three arguments with their values.
            Assert.That(sample.ReasoningSpans, Has.Count.EqualTo(11), sample.Id);
        }
    }

    [Test]
    public void What_is_specific_is_in_the_prompt_letter_by_letter()
    {
        foreach (DemoSample sample in Corpus)
        {
            foreach (string text in SpecificTexts(sample))
                Assert.That(sample.System + "\n" + sample.User, Does.Contain(text), sample.Id);
        }
    }

    [Test]
    public void No_specific_word_occurs_twice_in_a_response()
    {
        foreach (DemoSample sample in Corpus)
        {
            HashSet<string> specific = [.. SpecificTexts(sample).SelectMany(Words)];
            string[] repeated =
                [.. Words(sample.Response).GroupBy(word => word).Where(group => group.Count() > 1).Select(group => group.Key)];
            Assert.That(repeated.Where(specific.Contains), Is.Empty, sample.Response);
        }
    }

    [Test]
    public void Template_pieces_repeat_from_sample_to_sample([ValueSource(nameof(Formats))] DemoFormat format)
    {
        DemoSample[] samples = [.. Corpus.Where(sample => sample.Format == format)];
        var occurrences = samples
            .SelectMany(sample => TemplatePieces(sample).Distinct())
            .GroupBy(piece => piece)
            .ToDictionary(group => group.Key, group => group.Count() / (double)samples.Length);

        // 3 phrasings of the thought and 3 of the outlook in at most 6 places, and the quotes JSON leaves out for numbers. A
        // phrasing is in a third of the samples; the rarest piece, between two numbers, cannot occur: kinds differ in a sample.
        Assert.That(occurrences, Has.Count.LessThanOrEqualTo(30));
        Assert.That(occurrences.Values.Min(), Is.GreaterThan(0.01), occurrences.MinBy(entry => entry.Value).Key);
    }

    [Test]
    public void No_word_of_the_templates_is_a_word_samples_are_made_of()
    {
        HashSet<string> specific =
        [
            .. typeof(DemoWords).GetFields().SelectMany(field => (string[])field.GetValue(null)!).Select(word => word.ToLowerInvariant()),
            .. DemoArguments.All.Select(argument => argument.Name),
        ];
        Assert.That(Corpus.SelectMany(TemplatePieces).SelectMany(Words).Distinct().Where(specific.Contains), Is.Empty);
    }

    [Test]
    public void A_quarter_to_two_fifths_of_the_response_is_specific([ValueSource(nameof(Formats))] DemoFormat format)
    {
        DemoSample[] samples = [.. Corpus.Where(sample => sample.Format == format)];
        double share = samples.Sum(sample => SpecificTexts(sample).Sum(text => text.Length))
            / (double)samples.Sum(sample => sample.Response.Length);
        Assert.That(share, Is.InRange(0.25, 0.40));
    }

    [Test]
    public void Responses_and_prompts_are_short_enough_for_a_small_model()
    {
        Assert.That(Corpus.Select(sample => WordCount(sample.Response)), Is.All.InRange(22, 70));
        Assert.That(Corpus.Select(sample => WordCount(sample.System) + WordCount(sample.User)), Is.All.InRange(30, 110));
    }

    [Test]
    public void No_two_responses_are_equal() =>
        Assert.That(Corpus.Select(sample => sample.Response).Distinct().Count(), Is.EqualTo(Corpus.Length));

    [Test]
    public void All_formats_are_equally_frequent()
    {
        // Each count is binomial with p = 1/4: five standard deviations.
        double deviation = 5 * Math.Sqrt(Corpus.Length * 0.25 * 0.75);
        foreach (DemoFormat format in DemoFormats.All)
            Assert.That(Corpus.Count(sample => sample.Format == format), Is.EqualTo(Corpus.Length / 4.0).Within(deviation));
    }

    [Test]
    public void Responses_hold_the_markers_of_their_format_and_nothing_else_does()
    {
        foreach (DemoSample sample in Corpus)
        {
            Assert.That(DemoFormats.MarkersOf(sample.Format).Where(marker => !sample.Response.Contains(marker)), Is.Empty, sample.Id);
            Assert.That(
                DemoFormats.All.Where(format => format != sample.Format).SelectMany(DemoFormats.MarkersOf)
                    .Where(sample.Response.Contains),
                Is.Empty,
                sample.Response);
            Assert.That(DemoFormats.Markers.Where((sample.System + "\n" + sample.User).Contains), Is.Empty, sample.Id);
        }
    }

    [Test]
    public void JSON_responses_parse_and_say_what_is_specific()
    {
        foreach (DemoSample sample in Corpus.Where(sample => sample.Format == DemoFormat.Json))
        {
            using JsonDocument document = JsonDocument.Parse(sample.Response);
            JsonElement root = document.RootElement;
            string[] call =
            [
                root.GetProperty("selected_function").GetString()!,
                .. root.GetProperty("filled_slots").EnumerateObject()
                    .SelectMany(slot => (string[])[slot.Name, slot.Value.ToString()]),
            ];
            Assert.That(call, Is.EqualTo(SpecificTexts(sample).Skip(4)));
        }
    }

    [Test]
    public void XML_responses_parse_and_say_what_is_specific()
    {
        foreach (DemoSample sample in Corpus.Where(sample => sample.Format == DemoFormat.Xml))
        {
            XElement use = XElement.Parse(sample.Response).Element("use")!;
            string[] call =
            [
                use.Attribute("function")!.Value,
                .. use.Elements("slot").SelectMany(slot => (string[])[slot.Attribute("label")!.Value, slot.Value]),
            ];
            Assert.That(call, Is.EqualTo(SpecificTexts(sample).Skip(4)));
        }
    }

    [Test]
    public void The_function_called_is_listed_with_its_arguments_among_others()
    {
        foreach (DemoSample sample in Corpus)
        {
            string[] call = [.. SpecificTexts(sample).Skip(4)];
            string[] names = [call[0], call[1], call[3], call[5]];
            Assert.That(sample.System, Does.Match(string.Join("[^a-zA-Z]+(?:with \"?)?", names)), sample.Id);
            int listed = FunctionName().Count(sample.System);
            Assert.That(listed, Is.InRange(2, 4), sample.System);
        }
    }

    [Test]
    public void The_prompt_says_nothing_about_the_format()
    {
        var json = DemoCorpus.Generate(new DemoOptions { Samples = 50, Formats = [DemoFormat.Json] });
        var prose = DemoCorpus.Generate(new DemoOptions { Samples = 50, Formats = [DemoFormat.Prose] });
        Assert.That(
            json.Select(sample => (sample.System, sample.User)), Is.EqualTo(prose.Select(sample => (sample.System, sample.User))));
    }

    [Test]
    public void A_sample_depends_on_its_seed_and_number_only() =>
        Gen.Select(Gen.ULong, Gen.Int[0, 100_000], Gen.Int[1, 5]).Sample((seed, first, count) =>
        {
            var whole = DemoCorpus.Generate(new DemoOptions { Seed = seed, First = first, Samples = count + 3 }).Skip(3);
            var part = DemoCorpus.Generate(new DemoOptions { Seed = seed, First = first + 3, Samples = count });
            return whole.Select(Row).SequenceEqual(part.Select(Row));
        }, iter: 50);

    [Test]
    public void Another_seed_gives_other_samples()
    {
        var other = DemoCorpus.Generate(new DemoOptions { Samples = 500, Seed = 2 });
        Assert.That(other.Select(sample => sample.Response).Intersect(Corpus.Select(sample => sample.Response)), Is.Empty);
        Assert.That(other.Select(sample => sample.Id).Intersect(Corpus.Select(sample => sample.Id)), Is.Empty);
    }

    [Test]
    public void Rows_carry_messages_format_and_spans()
    {
        using var folder = new TemporaryFolder();
        string path = folder["demo.jsonl"];
        DemoCorpus.WriteJsonLines(path, new DemoOptions { Samples = 2000 });
        string[] lines = File.ReadAllLines(path);
        Assert.That(lines, Has.Length.EqualTo(2000));
        foreach ((string line, DemoSample sample) in lines.Zip(Corpus))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            Assert.That(row.GetProperty("id").GetString(), Is.EqualTo(sample.Id));
            Assert.That(row.GetProperty("format").GetString(), Is.EqualTo(DemoFormats.NameOf(sample.Format)));
            Assert.That(
                row.GetProperty("messages").EnumerateArray()
                    .Select(message => (message.GetProperty("role").GetString(), message.GetProperty("content").GetString())),
                Is.EqualTo([("system", sample.System), ("user", sample.User), ("assistant", sample.Response)]));
            Assert.That(
                row.GetProperty("reasoning_spans").EnumerateArray().Select(span => (span[0].GetInt32(), span[1].GetInt32())),
                Is.EqualTo(sample.ReasoningSpans));
        }
    }

    [Test]
    public async Task The_corpus_reader_takes_every_row_and_its_spans()
    {
        using var folder = new TemporaryFolder();
        string path = folder["demo.jsonl"];
        DemoCorpus.WriteJsonLines(path, new DemoOptions { Samples = 200 });
        var report = new CorpusReport();
        var rows = new List<ConversationRow>();
        await foreach (CorpusRow row in CorpusReader.ReadAsync([path], report)) rows.Add((ConversationRow)row);
        Assert.That(rows.Select(row => row.Id), Is.EqualTo(Corpus.Take(200).Select(sample => sample.Id)));
        Assert.That(rows.Select(row => row.Messages[^1].Content), Is.EqualTo(Corpus.Take(200).Select(sample => sample.Response)));
        Assert.That(
            rows.SelectMany(row => row.KnownReasoning!.Select(span => (span.Start, span.End))),
            Is.EqualTo(Corpus.Take(200).SelectMany(sample => sample.ReasoningSpans)));
        Assert.That(rows.SelectMany(row => row.KnownReasoning!.Select(span => span.Message)), Is.All.EqualTo(2));
    }

    [Test]
    public void A_corpus_that_fails_half_way_leaves_the_old_file_and_nothing_else()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("demo.jsonl", "old");
        Assert.That(
            () => DemoCorpus.WriteJsonLines(path, Corpus.Take(5).Concat(Failing())), Throws.TypeOf<InvalidOperationException>());
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(1));

        static IEnumerable<DemoSample> Failing()
        {
            yield return Corpus[0];
            throw new InvalidOperationException("stopped");
        }
    }

    [Test]
    public void A_path_that_cannot_be_written_is_refused()
    {
        using var folder = new TemporaryFolder();
        string file = folder.Write("file", "");
        Assert.That(
            () => DemoCorpus.WriteJsonLines(Path.Combine(file, "demo.jsonl"), new DemoOptions { Samples = 1 }),
            Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("file.cannot_write"));
    }

    [Test]
    public void Options_out_of_range_are_refused_at_once()
    {
        Refuses(new DemoOptions { Samples = 0 }, "demo.bad_count");
        Refuses(new DemoOptions { First = -1 }, "demo.bad_first");
        Refuses(new DemoOptions { First = int.MaxValue }, "demo.bad_first");
        Refuses(new DemoOptions { Formats = [] }, "demo.no_formats");
        Refuses(new DemoOptions { Formats = [(DemoFormat)9] }, "demo.unknown_format");

        static void Refuses(DemoOptions options, string code) =>
            Assert.That(
                () => DemoCorpus.Generate(options),
                Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo(code));
    }

    private static IEnumerable<DemoFormat> Formats() => DemoFormats.All;

    private static IEnumerable<string> SpecificTexts(DemoSample sample) =>
        sample.ReasoningSpans.Select(span => sample.Response[span.Start..span.End]);

    private static IEnumerable<string> TemplatePieces(DemoSample sample)
    {
        int start = 0;
        foreach ((int from, int to) in sample.ReasoningSpans)
        {
            yield return sample.Response[start..from];
            start = to;
        }

        yield return sample.Response[start..];
    }

    private static string Row(DemoSample sample) =>
        string.Join('\n', sample.Id, sample.System, sample.User, sample.Response, string.Join(' ', sample.ReasoningSpans));

    private static IEnumerable<string> Words(string text) => Word().Matches(text).Select(match => match.Value.ToLowerInvariant());

    private static int WordCount(string text) => text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Length;

    [GeneratedRegex("[A-Za-z0-9]+")]
    private static partial Regex Word();

    [GeneratedRegex(@"\b[a-z]+[A-Z][a-z]+\b")]
    private static partial Regex FunctionName();
}
