using System.Text.Json;
using CsCheck;
using Shad.Core.Errors;
using Shad.Data.Chat;
using Shad.Data.Corpora;
using Shad.Data.Tests.Corpora;

namespace Shad.Data.Tests.Chat;

/// <summary>Templates of our own with the constructs of real ones, and where they say the responses are.</summary>
internal sealed class ChatTemplateTests
{
    /// <summary>ChatML with tools, calls and thoughts of earlier turns left out, as in Qwen's templates.</summary>
    private const string ChatMl = """
        {%- set ns = namespace(last=-1) %}
        {%- for message in messages %}
            {%- if message.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}
        {%- endfor %}
        {%- if tools %}
            {{- '<|im_start|>system\n' }}
            {%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{% endif %}
            {{- '# Tools' }}
            {%- for tool in tools %}{{- '\n' + (tool | tojson) }}{% endfor %}
            {{- '<|im_end|>\n' }}
        {%- elif messages[0].role == 'system' %}
            {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
        {%- endif %}
        {%- for message in messages %}
            {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
                {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
            {%- elif message.role == 'assistant' %}
                {%- set content = message.content or '' %}
                {%- if '</think>' in content and loop.index0 < ns.last %}{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}
                {{- '<|im_start|>assistant\n' + content }}
                {%- for call in message.tool_calls or [] %}
                    {{- '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) + '}\n</tool_call>' }}
                {%- endfor %}
                {{- '<|im_end|>\n' }}
            {%- elif message.role == 'tool' %}
                {{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
            {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}
        """;

    /// <summary>No generation prompt, content stripped, no system role, roles that must alternate, as in Llama 2's and Mistral's.</summary>
    private const string Instruct = """
        {{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'].strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}
        """;

    /// <summary>The <c>generation</c> tag.</summary>
    private const string Marked = """
        {%- for message in messages %}
            {%- if message.role == 'assistant' %}<|assistant|>{% generation %}{{ message.content }}<|end|>{% endgeneration %}{% else %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endif %}
        {%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}
        """;

    private const string Config = """
        {"bos_token":"<s>","eos_token":{"content":"</s>"},"added_tokens_decoder":{"5":{"content":"<|im_end|>","special":true},
         "6":{"content":"<|im_start|>","special":true},"7":{"content":"<|end|>","special":true},"8":{"content":"<tool_call>","special":false}}}
        """;

    private static readonly ChatMessage User = new(ChatRole.User, "Hi?"), Answer = new(ChatRole.Assistant, "Yes."), System = new(ChatRole.System, "Be brief.");

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void A_response_begins_after_the_generation_prompt_and_ends_with_the_end_of_turn_token()
    {
        AssertSegments(
            ChatMl, [System, User, Answer, User, Answer],
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n", "Yes.<|im_end|>",
            "\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n", "Yes.<|im_end|>");
    }

    [Test]
    public void Without_a_generation_prompt_the_whole_turn_is_response_and_what_is_stripped_is_gone()
    {
        AssertSegments(
            Instruct, [new(ChatRole.User, " a \n"), new(ChatRole.Assistant, "\n b\n"), User, Answer],
            "<s>[INST] a [/INST]", " b </s>", "[INST] Hi? [/INST]", " Yes. </s>");
    }

    [Test]
    public void The_generation_tag_says_exactly_what_is_response() =>
        AssertSegments(Marked, [User, Answer, User, Answer], "<|user|>Hi?<|end|><|assistant|>", "Yes.<|end|>", "<|user|>Hi?<|end|><|assistant|>", "Yes.<|end|>");

    [Test]
    public void A_template_that_rewrites_earlier_turns_still_has_exact_responses()
    {
        ChatMessage thought = new(ChatRole.Assistant, "<think>\nh\n</think>\n\nOne");
        AssertSegments(
            ChatMl, [User, thought, User, thought],
            "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n", "One<|im_end|>",
            "\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n", "<think>\nh\n</think>\n\nOne<|im_end|>");
    }

    [Test]
    public void Tools_and_calls_are_written_by_the_template()
    {
        var call = new ChatMessage(ChatRole.Assistant, """[{"name":"f","arguments":{"x":1.0,"ü":"<&>"}}]""")
        {
            Text = null, ToolCalls = [new ToolCall("f", """{"x":1.0,"ü":"<&>"}""", "call_1")],
        };
        AssertSegments(
            ChatMl, [User, call, new(ChatRole.Tool, "42"), Answer], ["""{"type":"function","function":{"name":"f"}}"""],
            """
            <|im_start|>system
            # Tools
            {"type": "function", "function": {"name": "f"}}<|im_end|>
            <|im_start|>user
            Hi?<|im_end|>
            <|im_start|>assistant

            """,
            "\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1.0, \"ü\": \"<&>\"}}\n</tool_call><|im_end|>",
            "\n<|im_start|>user\n<tool_response>\n42\n</tool_response><|im_end|>\n<|im_start|>assistant\n", "Yes.<|im_end|>");
    }

    [Test]
    public void What_a_template_cannot_write_becomes_text()
    {
        const string calls = """[{"name":"f","arguments":{}}]""";
        var call = new ChatMessage(ChatRole.Assistant, calls) { Text = null, ToolCalls = [new ToolCall("f", "{}")] };

        // No system role, no tools, no calls, no results: all of it is there as text, and the roles alternate.
        AssertSegments(
            Instruct, [System, User, call, new(ChatRole.Tool, "42"), Answer], ["""{"name":"f"}"""],
            "<s>[INST] Be brief.\n\nTools:\n{\"name\":\"f\"}\n\nHi? [/INST]", $" {calls} </s>", "[INST] 42 [/INST]", " Yes. </s>");
    }

    [TestCase("{% if message.tool_calls %}{% for c in message.tool_calls %}{{ '<' + c.function.arguments + '>' + c.function.name }}{% endfor %}{% endif %}", "<{\"k\":1}>f")]
    [TestCase("{% for c in message.tool_calls %}{{ c.function.name ~ (c.function.arguments | tojson) ~ message.content.strip() }}{% endfor %}", "f{\"k\": 1}")]
    [TestCase("{% for c in message.tool_calls %}{% if c.id | length != 9 %}{{ raise_exception('id') }}{% endif %}{{ c.function.name ~ (c.function.arguments | tojson) }}{% endfor %}", "f{\"k\": 1}")]
    public void The_form_of_calls_that_a_template_wants_is_found_out(string calls, string expected)
    {
        string template = "{% for message in messages %}{% if message.role == 'assistant' and message.tool_calls is defined %}{{ '<|im_start|>' }}" + calls
            + "{{ '<|im_end|>' }}{% else %}{{ '<|im_start|>' + message.content + '<|im_end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}";
        var call = new ChatMessage(ChatRole.Assistant, "") { Text = null, ToolCalls = [new ToolCall("f", """{"k":1}""", "call_1")] };
        AssertSegments(template, [User, call], "<|im_start|>Hi?<|im_end|><|im_start|>", expected + "<|im_end|>");
    }

    [Test]
    public void Known_reasoning_follows_its_characters_through_the_template()
    {
        Gen<string> content = Gen.OneOf("a", " ", "\n", "é", "😀", "</think>", "<think>", "x y").Array[1, 10].Select(pieces => string.Concat(pieces) + "z");
        foreach (string source in (string[])[ChatMl, Instruct, Marked])
        {
            var template = Open(source);
            Gen.Select(content, Gen.Int[0, 100], Gen.Int[1, 100]).Array[1, 3].Sample(
                turns =>
                {
                    ChatMessage[] messages = [.. turns.SelectMany(turn => (ChatMessage[])[User, new(ChatRole.Assistant, turn.Item1)])];
                    ReasoningSpan[] known = [.. turns.Select((turn, i) =>
                    {
                        int start = turn.Item2 % turn.Item1.Length;
                        return new ReasoningSpan((2 * i) + 1, start, Math.Min(turn.Item1.Length, start + turn.Item3));
                    })];
                    TextSample sample = template.Render(Row(messages) with { KnownReasoning = known }, null);
                    string text = string.Concat(sample.Segments.Select(segment => segment.Text));
                    string all = string.Concat(sample.KnownReasoning!.Select(span => text[span.Start..span.End]));
                    string expected = string.Concat(known.Select(span => Written(source, messages, span)));
                    Assert.That(all, Is.EqualTo(expected));
                    int position = 0;
                    foreach (TextSegment segment in sample.Segments)
                    {
                        // Known reasoning lies in responses only.
                        if (!segment.IsResponse) Assert.That(sample.KnownReasoning!.Any(span => span.Start < position + segment.Text.Length && span.End > position), Is.False);
                        position += segment.Text.Length;
                    }
                },
                iter: 300);
        }

        // What each template keeps of a content, told independently: the characters that survive in order.
        static string Written(string source, ChatMessage[] messages, ReasoningSpan span)
        {
            string content = messages[span.Message].Content;
            int from = 0, to = content.Length;
            if (source == Instruct)
            {
                from = content.Length - content.TrimStart().Length;
                to = content.TrimEnd().Length;
            }
            else if (source == ChatMl && span.Message < messages.Length - 1 && content.LastIndexOf("</think>", StringComparison.Ordinal) is var at and >= 0)
            {
                from = at + "</think>".Length;
                while (from < to && content[from] == '\n') from++;
            }

            int start = Math.Max(from, span.Start), end = Math.Min(to, span.End);
            return start < end ? content[start..end] : "";
        }
    }

    [Test]
    public void Every_response_is_written_between_its_prompt_and_the_next()
    {
        ChatTemplate template = Open(ChatMl);
        Conversations.Generate.Sample(
            row =>
            {
                TextSample sample = template.Render(row with { KnownReasoning = null }, null);
                string[] responses = [.. sample.Segments.Where(segment => segment.IsResponse).Select(segment => segment.Text)];
                Assert.That(responses, Is.EqualTo(row.Messages.Where(m => m.Role == ChatRole.Assistant).Select(m => m.Content + "<|im_end|>")));
                Assert.That(sample.IsWholeSequence);
                Assert.That(sample.Segments[^1].IsResponse);
            },
            iter: 100);
    }

    [Test]
    public void A_template_refusal_names_the_row_and_the_line_of_the_template()
    {
        var error = Assert.Throws<ShadException>(() => Open(Instruct).Render(Row([User, User, Answer]), null))!;
        Assert.That(error.Code, Is.EqualTo("chat.template_refused"));
        Assert.That(error.Message, Does.StartWith("a.jsonl:7: ").And.Contains("must alternate").And.Contains("chat_template.jinja:1"));
    }

    [TestCase("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", "chat.text_lost", "the text of message 1")]
    [TestCase("{% for m in messages %}{% if m.tool_calls and not m.content %}{{ m.tool_calls[0].function.name ~ (m.tool_calls[0].function.arguments | tojson) }}{% else %}{{ m.content }}{% endif %}{% endfor %}", "chat.text_lost", "the call of 'f' of message 1")]
    [TestCase("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}(say:){% endif %}", "chat.unclear_response", "'(say:)'")]
    public void A_response_that_is_lost_or_has_no_clear_bounds_is_an_error(string source, string code, string part)
    {
        var call = new ChatMessage(ChatRole.Assistant, "x") { ToolCalls = source.Contains("tool_calls") ? [new ToolCall("f", "{}")] : [] };
        var error = Assert.Throws<ShadException>(() => Open(source).Render(Row([User, call]), null))!;
        Assert.That(error.Code, Is.EqualTo(code));
        Assert.That(error.Message, Does.Contain(part).And.StartsWith("a.jsonl:7: "));
    }

    [Test]
    public void Reasoning_known_within_calls_is_an_error_where_the_template_writes_them()
    {
        var call = new ChatMessage(ChatRole.Assistant, """ok\n[{"name":"f","arguments":{}}]""") { Text = "ok", ToolCalls = [new ToolCall("f", "{}")] };
        var row = Row([User, call]) with { KnownReasoning = [new ReasoningSpan(1, 0, 9)] };
        Assert.That(Assert.Throws<ShadException>(() => Open(ChatMl).Render(row, null))!.Code, Is.EqualTo("chat.span_in_tool_call"));
        Assert.That(Open(ChatMl).Render(row with { KnownReasoning = [new ReasoningSpan(1, 0, 2)] }, null).KnownReasoning, Has.Count.EqualTo(1));
    }

    [Test]
    public void The_template_is_found_where_transformers_finds_it()
    {
        Assert.That(ChatTemplate.Open(_folder.Path), Is.Null);
        Assert.That(Assert.Throws<ShadException>(() => ChatTemplate.Require(_folder.Path))!.Code, Is.EqualTo("chat.no_template"));
        _folder.Write("tokenizer_config.json", """{"eos_token":"</s>"}""");
        Assert.That(ChatTemplate.Open(_folder.Path), Is.Null);

        string OfName(string name) => "{% for m in messages %}{{ m.content + '" + name + "' }}{% endfor %}";
        WriteConfig(OfName("1"));
        Assert.That(Text([User, Answer]), Is.EqualTo("Hi?1Yes.1"));
        WriteConfig(new[] { new { name = "tool_use", template = OfName("T") }, new { name = "default", template = OfName("D") } });
        Assert.That(Text([User, Answer]), Is.EqualTo("Hi?DYes.D"));
        Assert.That(Text([User, Answer], "{}"), Does.EndWith("Hi?TYes.T"));
        _folder.Write("chat_template.jinja", OfName("J"));
        Assert.That(Text([User, Answer]), Is.EqualTo("Hi?JYes.J"));

        void WriteConfig(object template) => _folder.Write("tokenizer_config.json", JsonSerializer.Serialize(new { eos_token = "</s>", chat_template = template }));
        string Text(ChatMessage[] messages, params string[] tools) =>
            string.Concat(ChatTemplate.Require(_folder.Path).Render(Row(messages) with { Tools = tools }, null).Segments.Select(segment => segment.Text));
    }

    [Test]
    public void A_list_of_templates_without_a_default_and_a_field_that_is_none_are_errors()
    {
        _folder.Write("tokenizer_config.json", """{"chat_template":[{"name":"rag","template":"x"}]}""");
        Assert.That(Assert.Throws<ShadException>(() => ChatTemplate.Open(_folder.Path))!.Message, Does.Contain("default").And.Contain("rag"));
        _folder.Write("tokenizer_config.json", """{"chat_template":7}""");
        Assert.That(Assert.Throws<ShadException>(() => ChatTemplate.Open(_folder.Path))!.Message, Does.Contain("chat_template"));
        _folder.Write("tokenizer_config.json", """{"chat_template":"a\n{% nosuch %}"}""");
        Assert.That(Assert.Throws<ShadException>(() => ChatTemplate.Open(_folder.Path))!.Where, Does.EndWith("tokenizer_config.json(chat_template):2"));
    }

    [Test]
    public void A_template_begins_the_sequence_itself_and_a_refused_row_is_counted()
    {
        var report = new CorpusReport();
        var encoder = new SampleEncoder(
            new PieceTokenizer(hasBeginning: true, hasEnd: true, "<s>"), Open(Instruct), new EncoderOptions { ContextLength = 1000 }, report);
        EncodedSample encoded = encoder.Encode(Row([User, Answer]))!;
        Assert.That(encoded.Text, Does.StartWith("<s>[INST]"));
        Assert.That(encoded.Tokens.InputIds[0], Is.Not.Zero, "the tokenizer's own beginning, 0, is not put before the template's");
        Assert.That(encoder.Encode(Row([User, User, Answer])), Is.Null);
        Assert.That((report.Encoded, report.BadRows), Is.EqualTo((1L, 1L)));
        Assert.That(report.BadRowList[0].Code, Is.EqualTo("chat.template_refused"));

        var strict = new SampleEncoder(
            new PieceTokenizer(true, true), Open(Instruct), new EncoderOptions { ContextLength = 1000, MaximumBadRows = 0 }, new CorpusReport());
        Assert.That(Assert.Throws<ShadException>(() => strict.Encode(Row([User, User, Answer])))!.Code, Is.EqualTo("chat.template_refused"));
    }

    [Test]
    public async Task A_corpus_that_a_template_refuses_whole_ends_with_the_reason()
    {
        var encoder = new SampleEncoder(new PieceTokenizer(true, true), Open(Instruct), new EncoderOptions { ContextLength = 1000 }, new CorpusReport());
        ShadException? error = await Assert.ThrowsAsync<ShadException>(async () =>
        {
            await foreach (EncodedSample sample in encoder.EncodeAsync(Rows())) Assert.Fail($"{sample.Tokens.Id} is no good row.");
        });
        Assert.That(error!.Code, Is.EqualTo("chat.template_refused"));

        static async IAsyncEnumerable<CorpusRow> Rows()
        {
            await Task.CompletedTask;
            yield return Row([User, User, Answer]);
        }
    }

    private static ConversationRow Row(ChatMessage[] messages) => new("x", new RowSource("a.jsonl", 7), messages, []);

    private ChatTemplate Open(string template)
    {
        _folder.Write("tokenizer_config.json", Config);
        _folder.Write("chat_template.jinja", template);
        return ChatTemplate.Require(_folder.Path);
    }

    private void AssertSegments(string template, ChatMessage[] messages, params string[] segments) => AssertSegments(template, messages, [], segments);

    private void AssertSegments(string template, ChatMessage[] messages, string[] tools, params string[] segments)
    {
        TextSample sample = Open(template).Render(Row(messages) with { Tools = tools }, null);
        Assert.That(sample.Segments.Select(segment => segment.Text), Is.EqualTo(segments));
        Assert.That(sample.Segments.Select(segment => segment.IsResponse), Is.EqualTo(segments.Select((_, i) => i % 2 == 1)));
    }
}
