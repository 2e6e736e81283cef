using CsCheck;
using Shad.Core.Errors;
using Shad.Data.Chat;
using Shad.Data.Corpora;

namespace Shad.Data.Tests.Chat;

internal sealed class ChatLayoutTests
{
    private const string End = "</s>";

    private static readonly ConversationRow Conversation = new(
        "x",
        new RowSource("a.jsonl", 1),
        [
            new(ChatRole.System, "Be brief."),
            new(ChatRole.User, "Hi?"),
            new(ChatRole.Assistant, "Yes."),
            new(ChatRole.Tool, "42"),
            new(ChatRole.Assistant, "Done."),
            new(ChatRole.User, "Thanks"),
        ],
        ["""{"name":"f"}""", """{"name":"g"}"""]);

    [Test]
    public void Plain_puts_the_role_on_a_line_above_the_text()
    {
        AssertSegments(
            ChatLayout.Plain,
            "Be brief.\n\nTools:\n{\"name\":\"f\"}\n{\"name\":\"g\"}\n\nUser:\nHi?\n\nAssistant:\n",
            "Yes.</s>",
            "\n\nTool:\n42\n\nAssistant:\n",
            "Done.</s>");
    }

    [Test]
    public void ChatMl_marks_each_turn_and_its_end_is_part_of_the_response()
    {
        AssertSegments(
            ChatLayout.ChatMl,
            "<|im_start|>system\nBe brief.\n\nTools:\n{\"name\":\"f\"}\n{\"name\":\"g\"}<|im_end|>\n<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n",
            "Yes.<|im_end|>",
            "\n<|im_start|>tool\n42<|im_end|>\n<|im_start|>assistant\n",
            "Done.<|im_end|>");
    }

    [Test]
    public void Llama3_marks_each_turn_and_its_end_is_part_of_the_response()
    {
        AssertSegments(
            ChatLayout.Llama3,
            "<|start_header_id|>system<|end_header_id|>\n\nBe brief.\n\nTools:\n{\"name\":\"f\"}\n{\"name\":\"g\"}<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "Yes.<|eot_id|>",
            "<|start_header_id|>ipython<|end_header_id|>\n\n42<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "Done.<|eot_id|>");
    }

    [Test]
    public void Mistral_puts_the_system_text_at_the_head_of_the_user_turn()
    {
        AssertSegments(
            ChatLayout.Mistral,
            "[INST] Be brief.\n\nTools:\n{\"name\":\"f\"}\n{\"name\":\"g\"}\n\nHi?[/INST]",
            " Yes.</s>",
            "[TOOL_RESULTS] 42[/TOOL_RESULTS]",
            " Done.</s>");
        var noUser = Conversation with { Messages = [new(ChatRole.System, "S\n\n"), new(ChatRole.Assistant, "A")], Tools = [] };
        Assert.That(Texts(ChatLayout.Mistral.Render(noUser, End)), Is.EqualTo(new[] { "[INST] S\n\n[/INST]", " A</s>" }));
    }

    [Test]
    public void Verbatim_adds_nothing_but_the_end()
    {
        var row = Conversation with { Messages = [new(ChatRole.User, "Q: 1? A: "), new(ChatRole.Assistant, "2")], Tools = [] };
        Assert.That(Texts(ChatLayout.Verbatim.Render(row, End)), Is.EqualTo(new[] { "Q: 1? A: ", "2</s>" }));
    }

    [Test]
    public void Tools_without_a_system_message_are_a_system_turn_of_their_own()
    {
        var row = Conversation with { Messages = [new(ChatRole.User, "Hi?"), new(ChatRole.Assistant, "Yes.")], Tools = ["{}"] };
        Assert.That(ChatLayout.Plain.Render(row, End).Segments[0].Text, Is.EqualTo("Tools:\n{}\n\nUser:\nHi?\n\nAssistant:\n"));
        Assert.That(
            ChatLayout.ChatMl.Render(row, End).Segments[0].Text,
            Does.StartWith("<|im_start|>system\nTools:\n{}<|im_end|>\n<|im_start|>user\n"));
        Assert.That(ChatLayout.Mistral.Render(row, End).Segments[0].Text, Is.EqualTo("[INST] Tools:\n{}\n\nHi?[/INST]"));
    }

    [Test]
    public void Without_an_end_of_sequence_token_a_line_end_ends_the_response()
    {
        Assert.That(ChatLayout.Plain.Render(Conversation, null).Segments[1].Text, Is.EqualTo("Yes.\n"));
    }

    [Test]
    public void A_placeholder_in_a_message_stays_as_it_is()
    {
        var row = Conversation with { Messages = [new(ChatRole.User, "{eos}"), new(ChatRole.Assistant, "{eos}")] };
        Assert.That(ChatLayout.Plain.Render(row, End).Segments[1].Text, Is.EqualTo("{eos}</s>"));
    }

    [Test]
    public void A_layout_can_be_changed_in_one_part()
    {
        var layout = ChatLayout.Plain with { Name = "mine", User = new("Q: ", "") };
        Assert.That(layout.Render(Conversation, End).Segments[0].Text, Does.Contain("\n\nQ: Hi?\n\nAssistant:\n"));
    }

    [Test]
    public void Layouts_are_found_by_name_in_any_case_and_an_unknown_name_lists_the_known_ones()
    {
        foreach (string name in ChatLayout.Names) Assert.That(ChatLayout.Named(name.ToUpperInvariant()).Name, Is.EqualTo(name));
        var error = Assert.Throws<ShadException>(() => ChatLayout.Named("alpaca"))!;
        Assert.That(error.Code, Is.EqualTo("chat.unknown_layout"));
        Assert.That(error.Message, Does.Contain("plain, chatml, llama3, mistral, verbatim"));
    }

    [Test]
    public void Prompt_and_response_alternate_and_hold_every_content_at_the_place_of_its_spans()
    {
        Conversations.Generate.Sample(
            row =>
            {
                foreach (string name in ChatLayout.Names)
                {
                    var sample = ChatLayout.Named(name).Render(row, End);
                    string text = string.Concat(sample.Segments.Select(s => s.Text));
                    Assert.That(sample.Segments.Zip(sample.Segments.Skip(1)).All(pair =>
                        pair.First.IsResponse != pair.Second.IsResponse || name == "verbatim"));
                    Assert.That(sample.Segments[^1].IsResponse);
                    var expected = row.KnownReasoning!.Select(s => row.Messages[s.Message].Content[s.Start..s.End]).Order();
                    Assert.That(sample.KnownReasoning!.Select(s => text[s.Start..s.End]).Order(), Is.EqualTo(expected));
                    int responses = row.Messages.Where(m => m.Role == ChatRole.Assistant).Sum(m => m.Content.Length);
                    int added = name == "mistral" ? " </s>".Length : name is "plain" or "verbatim" ? End.Length : 0;
                    if (added > 0)
                    {
                        int turns = row.Messages.Count(m => m.Role == ChatRole.Assistant);
                        Assert.That(sample.Segments.Where(s => s.IsResponse).Sum(s => s.Text.Length), Is.EqualTo(responses + turns * added));
                    }
                }
            },
            iter: 300);
    }

    private static void AssertSegments(ChatLayout layout, params string[] texts)
    {
        var sample = layout.Render(Conversation, End);
        Assert.That(Texts(sample), Is.EqualTo(texts));
        Assert.That(sample.Segments.Select(s => s.IsResponse), Is.EqualTo(texts.Select((_, i) => i % 2 == 1)));
        Assert.That(sample.Source, Is.EqualTo("a.jsonl:1"));
    }

    private static string[] Texts(TextSample sample) => [.. sample.Segments.Select(s => s.Text)];
}
