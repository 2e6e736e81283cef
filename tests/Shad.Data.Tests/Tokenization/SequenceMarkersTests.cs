using System.Text.Json.Nodes;
using Shad.Core.Errors;

namespace Shad.Data.Tests.Tokenization;

public sealed class SequenceMarkersTests
{
    private static JsonObject WithTemplate(params string[] before)
    {
        var json = TokenizerFixture.ByteLevel(merges: 0); // <|begin|> is 256, <|end|> 257
        var single = new JsonArray();
        var tokens = new JsonObject();
        foreach (var name in before)
        {
            single.Add(new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = name, ["type_id"] = 0 } });
            tokens[name] = new JsonObject { ["id"] = name, ["ids"] = new JsonArray(256), ["tokens"] = new JsonArray(name) };
        }

        single.Add(new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 } });
        json["post_processor"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["processors"] = new JsonArray(
                new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = true, ["trim_offsets"] = false, ["use_regex"] = true },
                new JsonObject { ["type"] = "TemplateProcessing", ["single"] = single, ["pair"] = new JsonArray(), ["special_tokens"] = tokens }),
        };
        return json;
    }

    [Test]
    public void The_beginning_comes_from_the_template_where_the_configuration_does_not_say()
    {
        Assert.That(TokenizerFixture.Load(WithTemplate("<|begin|>")).BeginningOfSequenceId, Is.EqualTo(256));
        Assert.That(TokenizerFixture.Load(WithTemplate()).BeginningOfSequenceId, Is.Null);
        Assert.That(
            TokenizerFixture.Load(WithTemplate("<|begin|>"), ("tokenizer_config.json", """{"bos_token":"<|end|>"}""")).BeginningOfSequenceId,
            Is.EqualTo(256));
    }

    [Test]
    public void The_configuration_turns_the_beginning_on_and_off()
    {
        Assert.That(
            TokenizerFixture.Load(WithTemplate("<|begin|>"), ("tokenizer_config.json", """{"add_bos_token":false,"bos_token":"<|begin|>"}"""))
                .BeginningOfSequenceId, Is.Null);
        Assert.That(
            TokenizerFixture.Load(WithTemplate(), ("tokenizer_config.json", """{"add_bos_token":true,"bos_token":{"content":"<|begin|>"}}"""))
                .BeginningOfSequenceId, Is.EqualTo(256));
    }

    [Test]
    public void The_end_comes_from_the_first_file_that_names_it()
    {
        var json = WithTemplate();
        var config = ("config.json", """{"eos_token_id":[258,257]}""");
        var generation = ("generation_config.json", """{"eos_token_id":257}""");
        var map = ("special_tokens_map.json", """{"eos_token":{"content":"<|begin|>"}}""");
        Assert.That(TokenizerFixture.Load(json).EndOfSequenceId, Is.Null);
        Assert.That(TokenizerFixture.Load(json, config).EndOfSequenceId, Is.EqualTo(258));
        Assert.That(TokenizerFixture.Load(json, config, generation).EndOfSequenceId, Is.EqualTo(257));
        Assert.That(TokenizerFixture.Load(json, config, generation, map).EndOfSequenceId, Is.EqualTo(256));
        Assert.That(
            TokenizerFixture.Load(json, config, map, ("tokenizer_config.json", """{"eos_token":"<|end|>"}""")).EndOfSequenceId, Is.EqualTo(257));
    }

    [TestCase("tokenizer_config.json", """{"eos_token":"<|nowhere|>"}""", "tokenizer.unknown_special_token", "eos_token")]
    [TestCase("tokenizer_config.json", """{"add_bos_token":true,"bos_token":"<|nowhere|>"}""", "tokenizer.unknown_special_token", "bos_token")]
    [TestCase("tokenizer_config.json", """{"add_bos_token":"yes"}""", "tokenizer.bad_field", "add_bos_token")]
    [TestCase("tokenizer_config.json", """{"eos_token":""", "tokenizer.not_json", "tokenizer_config.json")]
    [TestCase("tokenizer_config.json", "[]", "tokenizer.bad_field", "a list")]
    [TestCase("config.json", """{"eos_token_id":99999}""", "tokenizer.bad_field", "99999")]
    [TestCase("config.json", """{"eos_token_id":"two"}""", "tokenizer.bad_field", "eos_token_id")]
    public void A_wrong_marker_is_refused(string file, string content, string code, string mentions)
    {
        var error = Assert.Throws<ShadException>(() => TokenizerFixture.Load(WithTemplate(), (file, content)))!;
        Assert.That(error.Code, Is.EqualTo(code));
        Assert.That(error.Message, Does.Contain(mentions).And.Contain(file));
    }

    [Test]
    public void A_template_that_puts_an_unknown_token_first_is_refused()
    {
        var json = WithTemplate("<|begin|>");
        json["post_processor"]!["processors"]![1]!["special_tokens"]!["<|begin|>"]!["ids"]![0] = 4711;
        var error = Assert.Throws<ShadException>(() => TokenizerFixture.Load(json))!;
        Assert.That(error.Message, Does.Contain("post_processor").And.Contain("4711"));
    }
}
