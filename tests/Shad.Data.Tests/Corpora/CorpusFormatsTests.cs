using System.Text.Json;
using System.Text.RegularExpressions;
using Shad.Core.Errors;
using Shad.Data.Chat;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Corpora;

/// <summary>Corpora in the forms people have them in.</summary>
internal sealed partial class CorpusFormatsTests
{
    private TemporaryFolder _folder = null!;
    private CorpusReport _report = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _report = new CorpusReport();
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void Calls_of_OpenAI_are_kept_apart_from_their_text()
    {
        var row = Single("""
            {"messages":[{"role":"user","content":"a"},
             {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1.50}"}}]},
             {"role":"tool","tool_call_id":"c1","name":"f","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},
             {"role":"assistant","content":"So.","reasoning_content":"Hm.","function_call":{"name":"g","arguments":{}}}]}
            """);
        var call = row.Messages[1];
        Assert.That(call.Text, Is.Null);
        Assert.That(call.ToolCalls, Is.EqualTo(new[] { new ToolCall("f", """{"x":1.50}""", "c1") }));
        Assert.That(call.Content, Is.EqualTo("""[{"name":"f","arguments":{"x":1.50}}]"""));
        Assert.That(row.Messages[2].Content, Is.EqualTo("one\ntwo"));
        Assert.That(row.Messages[2].Fields, Is.EqualTo("""{"tool_call_id":"c1","name":"f"}"""));
        Assert.That(row.Messages[3].Text, Is.EqualTo("So."));
        Assert.That(row.Messages[3].ToolCalls, Is.EqualTo(new[] { new ToolCall("g", "{}") }));
        Assert.That(row.Messages[3].Content, Is.EqualTo("So.\n[{\"name\":\"g\",\"arguments\":{}}]"));
        Assert.That(row.Messages[3].Fields, Is.EqualTo("""{"reasoning_content":"Hm."}"""));
    }

    [Test]
    public void Calls_may_be_JSON_in_a_string()
    {
        var row = Single("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":"[{\"name\":\"f\",\"arguments\":{\"x\":1}}]"}]}""");
        Assert.That(row.Messages[1].ToolCalls, Is.EqualTo(new[] { new ToolCall("f", """{"x":1}""") }));
    }

    [Test]
    public void A_ShareGpt_function_call_is_a_call_and_its_text_stays_as_written()
    {
        const string call = """{"name": "f", "arguments": {"x": 1}}""";
        var row = Single($$"""
            {"conversations":[{"from":"human","value":"a"},{"from":"function_call","value":{{JsonSerializer.Serialize(call)}}},
             {"from":"observation","value":"42"},{"from":"gpt","value":{{JsonSerializer.Serialize(call)}}}],"tools":"[{\"name\":\"f\"}]"}
            """);
        Assert.That(row.Messages.Select(message => message.Role), Is.EqualTo(new[] { ChatRole.User, ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant }));
        Assert.That(row.Messages[1].Content, Is.EqualTo(call));
        Assert.That(row.Messages[1].ToolCalls, Is.EqualTo(new[] { new ToolCall("f", """{"x":1}""") }));
        Assert.That(row.Messages[3].ToolCalls, Is.Empty, "what gpt says is text");
        Assert.That(row.Tools, Is.EqualTo(new[] { """{"name":"f"}""" }));
    }

    [Test]
    public void ToolBench_conversations_are_read()
    {
        var row = Single("""
            {"id":"Step 3: Plan a trip","conversations":[{"from":"system","value":"You are AutoGPT."},{"from":"user","value":"Plan."},
             {"from":"assistant","value":"\nThought: \nAction: f\nAction Input: {}"},{"from":"function","value":"{\"error\": \"\"}"},{"from":"assistant","value":"Done."}]}
            """);
        Assert.That(row.Id, Is.EqualTo("Step 3: Plan a trip"));
        Assert.That(
            row.Messages.Select(message => message.Role),
            Is.EqualTo(new[] { ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant }));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void An_xLAM_row_is_a_query_and_its_calls(bool asText)
    {
        string answers = """[{"name":"f","arguments":{"x":1}},{"name":"g","arguments":{}}]""", tools = """[{"name":"f","parameters":{"x":{"type":"int"}}}]""";
        var row = Single(asText
            ? $$"""{"id":7,"query":"q","answers":{{JsonSerializer.Serialize(answers)}},"tools":{{JsonSerializer.Serialize(tools)}}}"""
            : $$"""{"id":7,"query":"q","answers":{{answers}},"tools":{{tools}}}""");
        Assert.That(row.Id, Is.EqualTo("7"));
        Assert.That(row.Messages[0], Is.EqualTo(new ChatMessage(ChatRole.User, "q")));
        Assert.That(row.Messages[1].Content, Is.EqualTo(answers));
        Assert.That(row.Messages[1].ToolCalls, Is.EqualTo(new[] { new ToolCall("f", """{"x":1}"""), new ToolCall("g", "{}") }));
        Assert.That(row.Tools, Is.EqualTo(new[] { """{"name":"f","parameters":{"x":{"type":"int"}}}""" }));
    }

    [Test]
    public void An_xLAM_answer_that_is_no_call_is_the_text_itself() => Assert.That(
        Single("""{"query":"q","answers":"I cannot do that.","tools":"[]"}""").Messages[1], Is.EqualTo(new ChatMessage(ChatRole.Assistant, "I cannot do that.")));

    [Test]
    public void Prompt_and_completion_may_be_lists_of_messages()
    {
        var row = Single("""{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}""");
        Assert.That(row.Messages.Select(message => message.Content), Is.EqualTo(new[] { "s", "a", "b" }));
    }

    [TestCase("""{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"x"}]},{"role":"assistant","content":"b"}]}""", "a part of type 'image_url'")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"x"}]}]}""", "messages[1].tool_calls[0]' is no tool call")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":"nothing"}]}""", "a string that is no JSON")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","function_call":3}]}""", "messages[1].function_call' is no tool call")]
    [TestCase("""{"query":"q","answers":[3]}""", "answers[0]' is no tool call")]
    [TestCase("""{"prompt":[{"role":"user","content":"a"}],"completion":"b"}""", "'completion' is a string")]
    public void A_wrong_call_or_part_is_a_bad_row_with_its_place(string row, string part)
    {
        string path = _folder.Write("a.jsonl", $"{row}\n{{\"prompt\":\"a\",\"response\":\"b\"}}");
        Assert.That(Read([path]), Has.Count.EqualTo(1));
        Assert.That(_report.BadRowList.Single().Message, Does.StartWith(path + ":1: ").And.Contains(part));
    }

    [Test]
    public void A_folder_gives_its_files_and_a_glob_those_it_matches()
    {
        foreach (string name in (string[])["b.jsonl", "a.jsonl.gz", "data/train-0.parquet", "data/test-0.parquet", "notes.txt", "info.json", ".hidden.jsonl"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
            _folder.Write(name, "");
        }

        Assert.That(Names(_folder.Path), Is.EqualTo(new[] { "a.jsonl.gz", "b.jsonl", "data/test-0.parquet", "data/train-0.parquet" }));
        Assert.That(Names(_folder["*.jsonl"]), Is.EqualTo(new[] { "b.jsonl" }));
        Assert.That(Names(_folder["**/*.parquet"]), Is.EqualTo(new[] { "data/test-0.parquet", "data/train-0.parquet" }));
        Assert.That(Names(_folder["**/*.json*"]), Is.EqualTo(new[] { "a.jsonl.gz", "b.jsonl", "info.json" }));
        Assert.That(Names(_folder["data/t[a-e]st-?.parquet"]), Is.EqualTo(new[] { "data/test-0.parquet" }));
        Assert.That(Names(_folder["data/[!r]*"]), Has.Length.EqualTo(2));
        Assert.That(Names(_folder["missing.jsonl"]), Is.EqualTo(new[] { "missing.jsonl" }), "reading says that it is missing");
        foreach (string none in (string[])["*.csv", "nowhere/*.jsonl"])
            Assert.That(Assert.Throws<ShadException>(() => CorpusFiles.Of(_folder[none]))!.Code, Is.EqualTo("corpus.no_files"));
        Directory.CreateDirectory(_folder["empty"]);
        Assert.That(Assert.Throws<ShadException>(() => CorpusFiles.Of(_folder["empty"]))!.Message, Does.Contain("empty").And.Contain(".jsonl"));
        _folder.Write("empty/config.json", "{}");
        Assert.That(Assert.Throws<ShadException>(() => CorpusFiles.Of(_folder["empty"]))!.Code, Is.EqualTo("corpus.no_files"), "a model folder");

        string[] Names(string name) => [.. CorpusFiles.Of(name).Select(file => Path.GetRelativePath(_folder.Path, file).Replace('\\', '/'))];
    }

    [Test]
    public void A_sample_is_as_large_as_asked_the_same_for_a_seed_in_order_and_nested()
    {
        string[] paths = [Numbers("a.jsonl", 0, 300), Numbers("b.json", 300, 200)];
        int[] Draw(int count, ulong seed) => [.. Read(paths, new CorpusOptions { Sample = count, SampleSeed = seed }).Select(row => int.Parse(row.Id, null))];
        int[] sample = Draw(50, 1);
        Assert.That(sample, Has.Length.EqualTo(50));
        Assert.That(sample, Is.Ordered.Ascending);
        Assert.That(Draw(50, 1), Is.EqualTo(sample));
        Assert.That(Draw(50, 2), Is.Not.EqualTo(sample));
        Assert.That(Draw(20, 1), Is.SubsetOf(sample));
        Assert.That(Draw(10_000, 1), Has.Length.EqualTo(500));

        string Numbers(string name, int from, int count)
        {
            var rows = Enumerable.Range(from, count).Select(i => $$"""{"id":"{{i}}","prompt":"a","response":"b"}""");
            return _folder.Write(name, name.EndsWith(".json", StringComparison.Ordinal) ? $"[{string.Join(',', rows)}]" : string.Join("\n\n", rows));
        }
    }

    [Test]
    public void Every_row_is_drawn_as_often_as_any_other()
    {
        const int rows = 40, drawn = 10, seeds = 4000;
        int[] times = new int[rows];
        int together = 0;
        for (ulong seed = 0; seed < seeds; seed++)
        {
            var sample = new RowSample(drawn, seed);
            sample.AddRows(15);
            sample.AddRows(rows - 15);
            for (int i = 0; i < rows; i++) times[i] += sample.Holds(i) ? 1 : 0;
            together += sample.Holds(3) && sample.Holds(4) ? 1 : 0;
        }

        // Binomial: mean n·p, variance n·p·(1 − p); six standard deviations are missed by chance once in 5·10^8.
        double p = (double)drawn / rows, deviation = Math.Sqrt(seeds * p * (1 - p));
        foreach (int count in times) Assert.That(count, Is.EqualTo(seeds * p).Within(6 * deviation));
        double pair = p * (drawn - 1) / (rows - 1);
        Assert.That(together, Is.EqualTo(seeds * pair).Within(6 * Math.Sqrt(seeds * pair * (1 - pair))));
    }

    [Test]
    public void Parquet_rows_are_counted_and_drawn()
    {
        ParquetFiles.Write(_folder["a.parquet"], [.. Enumerable.Range(0, 100).Select(i => $$"""{"id":"{{i}}","prompt":"a","response":"b"}""")]);
        Assert.That(Read([_folder["a.parquet"]], new CorpusOptions { Sample = 7 }), Has.Count.EqualTo(7));
    }

    [Test]
    public void Every_example_of_the_documentation_is_a_good_row()
    {
        string text = File.ReadAllText(DocumentationFile("corpora.md"));
        string[] examples = [.. Example().Matches(text).Select(match => JsonSerializer.Serialize(JsonDocument.Parse(match.Groups[1].Value)))];
        Assert.That(examples, Has.Length.GreaterThanOrEqualTo(9));
        var rows = Read([_folder.Write("a.jsonl", string.Join('\n', examples))], new CorpusOptions { MaximumBadRows = 0 });
        Assert.That(rows, Has.Count.EqualTo(examples.Length));
        var encoder = new SampleEncoder(new PieceTokenizer(true, true), ChatLayout.Plain, new EncoderOptions { ContextLength = 10_000 }, _report);
        foreach (var row in rows) Assert.That(encoder.Encode(row)!.Tokens.TargetCount, Is.Positive);
    }

    private static string DocumentationFile(string name)
    {
        var folder = new DirectoryInfo(TestContext.CurrentContext.TestDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Shad.Onnx.sln"))) folder = folder.Parent;
        return Path.Combine(folder.FullName, "docs", name);
    }

    [GeneratedRegex("```json\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();

    private ConversationRow Single(string row)
    {
        var rows = Read([_folder.Write("a.jsonl", row.ReplaceLineEndings(""))], new CorpusOptions { MaximumBadRows = 0 });
        return (ConversationRow)rows.Single();
    }

    private List<CorpusRow> Read(string[] paths, CorpusOptions? options = null) => [.. CorpusReader.ReadAsync(paths, _report, options).ToBlockingEnumerable()];
}
