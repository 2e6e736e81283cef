using System.Text;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Chat;
using Shad.Data.Corpora;
using Shad.Data.Files;

namespace Shad.Data.Tests.Corpora;

internal sealed class CorpusReaderTests
{
    private const string Good = """{"prompt":"a","response":"b"}""";

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

    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}""")]
    [TestCase("""{"messages":[{"content":"a","role":"user","name":"x"},{"role":"assistant","content":"b","tool_calls":null}],"tools":null}""")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","tool_calls":[]}],"tools":[]}""")]
    [TestCase("""{"prompt":"a","response":"b"}""")]
    [TestCase("""{"prompt":"a","completion":"b","input_ids":null,"messages":null}""")]
    [TestCase("""{"instruction":"a","input":"","output":"b"}""")]
    [TestCase("""{"instruction":"a","output":"b"}""")]
    [TestCase("""{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}""")]
    [TestCase("""{"conversations":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":""}""")]
    public void Every_text_format_becomes_the_same_conversation(string row)
    {
        var conversation = Single(row);
        Assert.That(
            conversation.Messages.Select(message => (message.Role, message.Content)),
            Is.EqualTo(new[] { (ChatRole.User, "a"), (ChatRole.Assistant, "b") }));
        Assert.That(conversation.Tools, Is.Empty);
        Assert.That(conversation.KnownReasoning, Is.Null);
        Assert.That(conversation.Id, Is.EqualTo("a.jsonl:1"));
    }

    [Test]
    public void Alpaca_input_follows_the_instruction_after_a_blank_line()
    {
        var row = Single("""{"instruction":"Add.","input":"1 2","output":"3","system":"You add."}""");
        Assert.That(row.Messages, Is.EqualTo(new ChatMessage[]
        {
            new(ChatRole.System, "You add."), new(ChatRole.User, "Add.\n\n1 2"), new(ChatRole.Assistant, "3"),
        }));
    }

    [Test]
    public void All_roles_and_turns_of_a_conversation_are_kept_in_order()
    {
        var row = Single(
            """
            {"id":5,"messages":[{"role":"developer","content":"d"},{"role":"user","content":"u"},{"role":"assistant","content":"x"},
            {"role":"tool","content":"t"},{"role":"function","content":"f"},{"role":"assistant","content":"y"},{"role":"user","content":"z"}]}
            """.ReplaceLineEndings(""));
        Assert.That(row.Id, Is.EqualTo("5"));
        Assert.That(
            row.Messages.Select(m => m.Role),
            Is.EqualTo(new[]
            {
                ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool, ChatRole.Tool, ChatRole.Assistant, ChatRole.User,
            }));
    }

    [Test]
    public void ShareGpt_speakers_are_known()
    {
        var row = Single(
            """
            {"conversations":[{"from":"system","value":"s"},{"from":"human","value":"u"},{"from":"function_call","value":"c"},
            {"from":"observation","value":"o"},{"from":"gpt","value":"g"}]}
            """.ReplaceLineEndings(""));
        Assert.That(
            row.Messages.Select(m => m.Role),
            Is.EqualTo(new[] { ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool, ChatRole.Assistant }));
    }

    [Test]
    public void Tools_are_one_line_of_compact_JSON_each_in_the_keys_order_and_as_written()
    {
        string tool = """{"b" : 1.50, "a": ["é", "\u00fc<&'"], "😀": {"deep": null}}""";
        string expected = """{"b":1.50,"a":["é","ü<&'"],"😀":{"deep":null}}""";
        string rest = "\"prompt\":\"a\",\"response\":\"b\"}";
        string inString = System.Text.Json.JsonSerializer.Serialize(tool);
        string listInString = System.Text.Json.JsonSerializer.Serialize($"[{tool}]");
        foreach (string tools in (string[])[$"[{tool}]", $"[{inString}]", listInString])
            Assert.That(Single($$"""{"tools":{{tools}},{{rest}}""").Tools, Is.EqualTo(new[] { expected }), tools);
    }

    [Test]
    public void Tool_calls_are_rendered_behind_the_content_without_their_ids()
    {
        const string calls = """
            "tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"x\": 1, \"y\": \"ü\"}"}},
            {"function":{"name":"g","arguments":{"z":[1, 2]}}},{"function":{"name":"h"}},{"name":"i","arguments":"not json"}]
            """;
        const string rendered =
            """[{"name":"f","arguments":{"x":1,"y":"ü"}},{"name":"g","arguments":{"z":[1,2]}},{"name":"h","arguments":{}},{"name":"i","arguments":"not json"}]""";
        string Row(string content) =>
            $$"""{"messages":[{"role":"user","content":"a"},{"role":"assistant"{{content}},{{calls}}}]}""".ReplaceLineEndings("");
        Assert.That(Single(Row("")).Messages[1].Content, Is.EqualTo(rendered));
        Assert.That(Single(Row(",\"content\":null")).Messages[1].Content, Is.EqualTo(rendered));
        Assert.That(Single(Row(",\"content\":\"Wait.\"")).Messages[1].Content, Is.EqualTo("Wait.\n" + rendered));
    }

    [Test]
    public void Reasoning_spans_are_of_the_last_response_or_of_the_message_they_name()
    {
        const string turns =
            """{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"bcd"},{"role":"user","content":"e"},{"role":"assistant","content":"fghi"}],""";
        Assert.That(
            Single(turns + "\"reasoning_spans\":[[0,2],[3,4]]}").KnownReasoning, Is.EqualTo(new ReasoningSpan[] { new(3, 0, 2), new(3, 3, 4) }));
        Assert.That(
            Single(turns + "\"reasoning_spans\":[[1,0,3],[3,1,2]]}").KnownReasoning, Is.EqualTo(new ReasoningSpan[] { new(1, 0, 3), new(3, 1, 2) }));
        Assert.That(Single(turns + "\"reasoning_spans\":[]}").KnownReasoning, Is.Empty);
        Assert.That(
            Single("""{"system":"s","prompt":"a","response":"bc","reasoning_spans":[[1,2]]}""").KnownReasoning,
            Is.EqualTo(new ReasoningSpan[] { new(2, 1, 2) }));
    }

    [Test]
    public void Tokenized_rows_are_taken_among_text_rows()
    {
        var rows = Read(_folder.Write("a.jsonl", """{"id":"t","input_ids":[1,2],"labels":[-100,2],"role":[null,1]}""" + "\n" + Good));
        Assert.That(((TokenizedRow)rows[0]).Tokens.Roles, Is.EqualTo(new TokenRole?[] { null, TokenRole.Reasoning }));
        Assert.That(rows[1], Is.InstanceOf<ConversationRow>());
    }

    [TestCase("{\"prompt\":\"a\"", "corpus.not_json")]
    [TestCase("not json", "corpus.not_json")]
    [TestCase(Good + Good, "corpus.not_json")]
    [TestCase("[1,2]", "corpus.not_object")]
    [TestCase("\"text\"", "corpus.not_object")]
    [TestCase("{}", "corpus.unknown_format")]
    [TestCase("""{"text":"a"}""", "corpus.unknown_format")]
    [TestCase("""{"prompt":"a"}""", "corpus.no_response")]
    [TestCase("""{"prompt":"a","response":null}""", "corpus.no_response")]
    [TestCase("""{"instruction":"a"}""", "corpus.no_response")]
    [TestCase("""{"prompt":"a","response":""}""", "corpus.empty_response")]
    [TestCase("""{"prompt":"","response":"b"}""", "corpus.nothing_before")]
    [TestCase("""{"prompt":["a"],"response":"b"}""", "corpus.wrong_type")]
    [TestCase("""{"prompt":"a","response":5}""", "corpus.wrong_type")]
    [TestCase("""{"prompt":"a","response":"\udc00"}""", "corpus.not_text")]
    [TestCase("""{"messages":"a"}""", "corpus.wrong_type")]
    [TestCase("""{"messages":[]}""", "corpus.no_response")]
    [TestCase("""{"messages":["a"]}""", "corpus.wrong_type")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}]}""", "corpus.no_response")]
    [TestCase("""{"messages":[{"role":"assistant","content":"a"}]}""", "corpus.nothing_before")]
    [TestCase("""{"messages":[{"role":"user","content":""},{"role":"assistant","content":"a"}]}""", "corpus.nothing_before")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""}]}""", "corpus.empty_response")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null}]}""", "corpus.wrong_type")]
    [TestCase("""{"messages":[{"role":"user","content":null},{"role":"assistant","content":"a"}]}""", "corpus.wrong_type")]
    [TestCase("""{"messages":[{"role":"user","content":["a"]},{"role":"assistant","content":"a"}]}""", "corpus.wrong_type")]
    [TestCase("""{"messages":[{"role":"robot","content":"a"},{"role":"assistant","content":"a"}]}""", "corpus.unknown_role")]
    [TestCase("""{"messages":[{"content":"a"},{"role":"assistant","content":"a"}]}""", "corpus.unknown_role")]
    [TestCase("""{"messages":[{"role":1,"content":"a"}]}""", "corpus.unknown_role")]
    [TestCase("""{"conversations":[{"from":"alien","value":"a"},{"from":"gpt","value":"b"}]}""", "corpus.unknown_role")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":"f"}]}""", "corpus.wrong_type")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"function":{}}]}]}""", "corpus.wrong_type")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"system":"s"}""", "corpus.system_beside_messages")]
    [TestCase("""{"prompt":"a","response":"b","tools":{}}""", "corpus.wrong_type")]
    [TestCase("""{"prompt":"a","response":"b","tools":[1]}""", "corpus.wrong_type")]
    [TestCase("""{"prompt":"a","response":"b","tools":"{"}""", "corpus.wrong_type")]
    [TestCase("""{"prompt":"a","response":"b","id":{}}""", "corpus.wrong_type")]
    [TestCase("""{"prompt":"a","response":"b","reasoning_spans":1}""", "corpus.bad_span")]
    [TestCase("""{"prompt":"a","response":"b","reasoning_spans":[1]}""", "corpus.bad_span")]
    [TestCase("""{"prompt":"a","response":"b","reasoning_spans":[[0]]}""", "corpus.bad_span")]
    [TestCase("""{"prompt":"a","response":"b","reasoning_spans":[[0,1,1,1]]}""", "corpus.bad_span")]
    [TestCase("""{"prompt":"a","response":"b","reasoning_spans":[[1,0,1]]}""", "corpus.bad_span")]
    [TestCase("""{"prompt":"a","response":"b","reasoning_spans":[[0,2]]}""", "corpus.bad_span")]
    [TestCase("""{"prompt":"a","response":"b","reasoning_spans":[[1,1]]}""", "corpus.bad_span")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"reasoning_spans":[[0,0,1]]}""", "corpus.bad_span")]
    [TestCase("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"reasoning_spans":[[2,0,1]]}""", "corpus.bad_span")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}],"reasoning_spans":[[0,1]]}""", "corpus.bad_span")]
    [TestCase("""{"input_ids":[1,2]}""", "corpus.missing_field")]
    [TestCase("""{"input_ids":[1,200],"labels":[-100,200]}""", "corpus.outside_vocabulary")]
    public void A_bad_row_is_counted_and_listed_with_file_and_line_and_the_others_are_read(string row, string code)
    {
        string path = _folder.Write("a.jsonl", $"{Good}\n\n{row}\n{Good}\n");
        var rows = Read(path, new CorpusOptions { VocabularySize = 100 });
        Assert.That(rows, Has.Count.EqualTo(2));
        Assert.That(_report.Rows, Is.EqualTo(2));
        Assert.That(_report.BadRows, Is.EqualTo(1));
        Assert.That(_report.CountsByCode, Is.EqualTo(new Dictionary<string, long> { [code] = 1 }));
        Assert.That(_report.BadRowList.Single().Source, Is.EqualTo(path + ":3"));
        Assert.That(_report.BadRowList.Single().Message, Does.StartWith(path + ":3: "));
    }

    [Test]
    public void Strict_reading_ends_with_the_first_bad_row()
    {
        string path = _folder.Write("a.jsonl", $"{Good}\n{{}}\n{Good}");
        var error = Error(path, new CorpusOptions { MaximumBadRows = 0 });
        Assert.That(error.Code, Is.EqualTo("corpus.unknown_format"));
        Assert.That(error.Where, Is.EqualTo(path + ":2"));
    }

    [Test]
    public void More_bad_rows_than_accepted_are_an_error_that_names_the_first()
    {
        string path = _folder.Write("a.jsonl", $"{Good}\n{{}}\n{Good}\n[]\n1");
        Assert.That(Read(path, new CorpusOptions { MaximumBadRows = 3 }), Has.Count.EqualTo(2));
        var error = Error(path, new CorpusOptions { MaximumBadRows = 2 });
        Assert.That(error.Code, Is.EqualTo("corpus.too_many_bad_rows"));
        Assert.That(error.Message, Does.Contain(path + ":2"));
    }

    [Test]
    public void Only_the_first_bad_rows_are_listed_and_all_are_counted()
    {
        Read(_folder.Write("a.jsonl", Good + "\n" + string.Concat(Enumerable.Repeat("{}\n", 1000))));
        Assert.That(_report.BadRows, Is.EqualTo(1000));
        Assert.That(_report.BadRowList, Has.Count.EqualTo(CorpusReport.ListedIssues));
    }

    [TestCase("")]
    [TestCase("\n \n")]
    [TestCase("{}\n{}")]
    public void A_corpus_without_a_good_row_is_an_error(string text)
    {
        var error = Error(_folder.Write("a.jsonl", text));
        Assert.That(error.Code, Is.EqualTo("corpus.empty"));
        Assert.That(error.Message, Does.Contain(text.Contains('{', StringComparison.Ordinal) ? "2 are bad" : "no rows"));
    }

    [Test]
    public void A_missing_second_file_is_found_before_the_first_row()
    {
        string first = _folder.Write("a.jsonl", Good);
        var error = Assert.Throws<ShadException>(
            () => CorpusReader.ReadAsync([first, _folder["b.jsonl"]], _report).ToBlockingEnumerable().First())!;
        Assert.That(error.Code, Is.EqualTo("file.missing"));
    }

    [Test]
    public void Rows_of_several_files_follow_each_other_and_repeated_ids_get_a_number()
    {
        string Row(string id) => $$"""{"id":"{{id}}","prompt":"a","response":"b"}""";
        string first = _folder.Write("a.jsonl", $"{Row("x")}\n{Row("x")}\n{Row("x#3")}\n{Good}");
        string second = _folder.Write("b.jsonl", $"{Row("x")}\n{Row("y")}\n" + """{"id":"x","input_ids":[1,2],"labels":[-100,2],"weight":[0,3]}""");
        var rows = CorpusReader.ReadAsync([first, second], _report).ToBlockingEnumerable().ToList();
        Assert.That(rows.Select(r => r.Id), Is.EqualTo(new[] { "x", "x#2", "x#3", "a.jsonl:4", "x#4", "y", "x#5" }));
        Assert.That(_report.DuplicateIds, Is.EqualTo(3));
        var tokens = ((TokenizedRow)rows[^1]).Tokens;
        Assert.That(tokens.Id, Is.EqualTo("x#5"));
        Assert.That(tokens.Weights, Is.EqualTo(new[] { 0f, 3f }));
    }

    [Test]
    public void A_JSON_array_is_read_element_by_element_and_a_json_file_of_lines_as_lines()
    {
        string rows = $"[\n  {Good},\n  {{}},\n  {Good}\n]\n";
        string plain = _folder.Write("a.json", rows);
        File.WriteAllBytes(_folder["b.json.gz"], TokenizedSampleReaderTests.Compress("\uFEFF" + rows, "gz"));
        foreach (string path in (string[])[plain, _folder["b.json.gz"]])
        {
            _report = new CorpusReport();
            Assert.That(Read(path).Select(r => r.Source.Number), Is.EqualTo(new[] { 1, 3 }));
            Assert.That(_report.BadRowList.Single().Source, Is.EqualTo(path + ":2"));
        }

        Assert.That(Read(_folder.Write("c.json", $"{Good}\n{Good}")), Has.Count.EqualTo(2));
    }

    [Test]
    public void A_JSON_array_that_breaks_off_is_an_error()
    {
        var error = Error(_folder.Write("a.json", $"[{Good},{Good}"));
        Assert.That(error.Code, Is.EqualTo("file.not_json_array"));
    }

    [Test]
    public void Parquet_rows_mean_what_JSON_rows_mean()
    {
        string[] rows =
        [
            """{"id":"1","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b\n😀"}],"tools":["{\"x\":1}"]}""",
            """{"messages":[{"role":"system","content":"s"},{"role":"user","content":"ü"},{"role":"assistant","content":"c"}]}""",
            """{"prompt":"p","response":"rr","reasoning_spans":[[0,1]],"tools":[]}""",
            """{"prompt":"p"}""",
            """{"id":"t","input_ids":[1,2,3],"labels":[-100,2,3]}""",
        ];
        ParquetFiles.Write(_folder["a.parquet"], rows);
        var fromParquet = Read(_folder["a.parquet"]);
        Assert.That(_report.BadRowList.Single().Source, Is.EqualTo(_folder["a.parquet:4"]));
        var fromJson = Read(_folder.Write("a.jsonl", string.Join('\n', rows)));
        Assert.That(fromParquet, Has.Count.EqualTo(4));
        for (int i = 0; i < 3; i++)
        {
            var (actual, expected) = ((ConversationRow)fromParquet[i], (ConversationRow)fromJson[i]);
            Assert.That(actual.Messages, Is.EqualTo(expected.Messages));
            Assert.That(actual.Tools, Is.EqualTo(expected.Tools));
            Assert.That(actual.KnownReasoning, Is.EqualTo(expected.KnownReasoning));
        }

        Samples.AssertEqual(((TokenizedRow)fromParquet[3]).Tokens, ((TokenizedRow)fromJson[3]).Tokens);
    }

    [Test]
    public void A_damaged_Parquet_file_is_an_error()
    {
        ParquetFiles.Write(_folder["a.parquet"], [.. Enumerable.Repeat(Good, 5000)]);
        byte[] whole = File.ReadAllBytes(_folder["a.parquet"]);
        File.WriteAllBytes(_folder["cut.parquet"], whole[..(whole.Length / 2)]);
        Assert.That(Error(_folder["cut.parquet"]).Code, Is.EqualTo("file.damaged"));
        whole.AsSpan(4, whole.Length / 4).Fill(0xFF);
        File.WriteAllBytes(_folder["bad.parquet"], whole);
        Assert.That(Error(_folder["bad.parquet"]).Code, Is.EqualTo("file.damaged"));
        Assert.That(Error(_folder.Write("text.parquet", "text")).Code, Is.EqualTo("file.damaged"));
    }

    [Test]
    public async Task A_line_longer_than_any_text_is_an_error_that_names_it()
    {
        File.WriteAllText(_folder["a.jsonl"], "{}\n" + new string('x', 200_000) + "\n");
        using var rows = new JsonLineRows(_folder["a.jsonl"], maximumLine: 100_000);
        Assert.That(await rows.ReadAsync(CancellationToken.None));
        ShadException error = (await Assert.ThrowsAsync<ShadException>(() => rows.ReadAsync(CancellationToken.None).AsTask()))!;
        Assert.That(error.Code, Is.EqualTo("file.line_too_long"));
        Assert.That(error.Message, Does.Contain("a.jsonl").And.Contain("2"));
    }

    [Test]
    public void A_Parquet_column_of_a_type_that_no_corpus_has_is_an_error_that_names_it()
    {
        var column = new Apache.Arrow.Date32Array.Builder().Append(new DateTime(2026, 1, 1)).Build();
        ParquetFiles.Write(_folder["a.parquet"], "prompt", column);
        ShadException error = Assert.Throws<ShadException>(() => Read(_folder["a.parquet"]));
        Assert.That(error.Code, Is.EqualTo("file.unsupported_column"));
        Assert.That(error.Message, Does.Contain("a.parquet").And.Contain("prompt").And.Contain("date32"));
    }

    [Test]
    public void A_Parquet_file_without_a_known_column_is_an_empty_corpus()
    {
        ParquetFiles.Write(_folder["a.parquet"], ["""{"text":"a"}"""]);
        Assert.That(Error(_folder["a.parquet"]).Code, Is.EqualTo("corpus.empty"));
    }

    [TestCase("bfcl.jsonl", 1150)]
    [TestCase("gsm8k.jsonl", 2000)]
    public void The_real_corpora_are_read_without_a_bad_row(string name, int count)
    {
        string path = SharedData.PathOf("data", name);
        var rows = Read(path).Cast<ConversationRow>().ToList();
        Assert.That(rows, Has.Count.EqualTo(count));
        Assert.That(_report.BadRows, Is.Zero);
        Assert.That(_report.DuplicateIds, Is.Zero);
        Assert.That(rows.TrueForAll(row => row.Messages[^1].Role == ChatRole.Assistant));
        Assert.That(rows.Any(row => row.Tools.Count > 0), Is.EqualTo(name == "bfcl.jsonl"));

        File.WriteAllBytes(_folder["a.jsonl.zst"], TokenizedSampleReaderTests.Compress(File.ReadAllText(path), "zst"));
        var compressed = Read(_folder["a.jsonl.zst"]).Cast<ConversationRow>().ToList();
        Assert.That(compressed.Select(row => row.Messages[^1]), Is.EqualTo(rows.Select(row => row.Messages[^1])));
    }

    [Test]
    public void Memory_does_not_grow_with_the_corpus()
    {
        string filler = new('x', 2000);
        string block = string.Concat(Enumerable.Repeat($$"""{"prompt":"{{filler}}","response":"b"}""" + "\n", 1000));
        using (var file = File.Create(_folder["a.jsonl.zst"]))
        using (var zstd = new ZstdSharp.CompressionStream(file))
        {
            for (int i = 0; i < 60; i++) zstd.Write(Encoding.UTF8.GetBytes(block));
        }

        long before = GC.GetTotalMemory(forceFullCollection: true);
        long most = 0;
        long count = 0;
        foreach (var row in CorpusReader.ReadAsync([_folder["a.jsonl.zst"]], _report).ToBlockingEnumerable())
        {
            if (++count % 20_000 == 0) most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
        }

        // 120 MB of text as UTF-8, 240 MB as strings; the ids' hashes take about 2 MB.
        Assert.That(count, Is.EqualTo(60_000));
        Assert.That(most, Is.LessThan(16 << 20));
    }

    private List<CorpusRow> Read(string path, CorpusOptions? options = null) =>
        [.. CorpusReader.ReadAsync([path], _report, options).ToBlockingEnumerable()];

    private ConversationRow Single(string row) => (ConversationRow)Read(_folder.Write("a.jsonl", row), new() { MaximumBadRows = 0 }).Single();

    private ShadException Error(string path, CorpusOptions? options = null) =>
        Assert.Throws<ShadException>(() => Read(path, options))!;
}
