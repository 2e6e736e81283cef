using System.Text.Json.Nodes;
using Shad.Core.Errors;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class TokenizerErrorTests
{
    private static void Refused(Action<JsonObject> spoil, string code, params string[] mentions)
    {
        var json = TokenizerFixture.ByteLevel(merges: 5);
        spoil(json);
        var error = Assert.Throws<ShadException>(() => TokenizerFixture.Load(json))!;
        Assert.That(error.Code, Is.EqualTo(code), error.Message);
        foreach (var mention in mentions.Append("tokenizer.json")) Assert.That(error.Message, Does.Contain(mention));
    }

    private static JsonObject Vocabulary(JsonObject json) => json["model"]!["vocab"]!.AsObject();

    [Test]
    public void A_folder_without_tokenizer_json_is_refused()
    {
        var error = Assert.Throws<ShadException>(() => TokenizerLoader.Load(TokenizerFixture.Folder(null)))!;
        Assert.That(error.Code, Is.EqualTo("tokenizer.missing_file"));
        Assert.That(TokenizerLoader.TryLoad(TokenizerFixture.Folder(null)), Is.Null);
        Assert.Throws<ShadException>(() => TokenizerLoader.Load(Path.Combine(TokenizerFixture.Folder(null), "nowhere")));
    }

    [Test]
    public void A_cut_file_is_refused()
    {
        var whole = TokenizerFixture.ByteLevel(merges: 5).ToJsonString();
        foreach (var length in (int[])[0, 1, whole.Length / 2, whole.Length - 1])
        {
            var folder = TokenizerFixture.Folder(null, ("tokenizer.json", whole[..length]));
            Assert.That(Assert.Throws<ShadException>(() => TokenizerLoader.Load(folder))!.Code, Is.EqualTo("tokenizer.not_json"));
        }
    }

    [TestCase("Unigram")]
    [TestCase("WordPiece")]
    [TestCase("WordLevel")]
    public void Another_kind_of_model_is_named_with_what_is_supported(string type) =>
        Refused(json => json["model"]!["type"] = type, "tokenizer.unsupported", type, "model.type", "byte-level", "SentencePiece");

    [TestCase("normalizer", "BertNormalizer")]
    [TestCase("normalizer", "Precompiled")]
    [TestCase("pre_tokenizer", "UnicodeScripts")]
    [TestCase("post_processor", "RobertaProcessing")]
    [TestCase("decoder", "WordPiece")]
    public void An_unknown_part_is_named(string field, string type) =>
        Refused(json => json[field] = new JsonObject { ["type"] = type }, "tokenizer.unsupported", type, field);

    [Test]
    public void Parts_in_an_order_that_is_not_supported_are_refused()
    {
        JsonArray After(string type) => new(
            new JsonObject { ["type"] = "Digits" }, new JsonObject { ["type"] = type }, new JsonObject { ["type"] = "Digits" });
        Refused(
            json => json["pre_tokenizer"] = new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = After("ByteLevel") },
            "tokenizer.unsupported", "after ByteLevel", "pre_tokenizer.pretokenizers[1].type");
        Refused(
            json => json["pre_tokenizer"] = new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = After("Metaspace") },
            "tokenizer.unsupported", "Metaspace");
        Refused(
            json => json["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(new JsonObject { ["type"] = "Digits" }, new JsonObject { ["type"] = "ByteLevel" }),
            },
            "tokenizer.unsupported", "prefix space");
    }

    [Test]
    public void Some_ids_may_have_no_token_but_not_most()
    {
        var json = TokenizerFixture.ByteLevel(merges: 5);
        Vocabulary(json)["extra"] = 400;
        var tokenizer = TokenizerFixture.Load(json);
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(401));
        Assert.That(tokenizer.Describe(400), Is.EqualTo("extra"));
        Assert.That(Assert.Throws<ShadException>(() => tokenizer.Decode([399]))!.Message, Does.Contain("399"));
        Refused(j => Vocabulary(j)["extra"] = 40_000, "tokenizer.vocabulary_holes", "extra", "40000");
        Refused(j => Vocabulary(j)["extra"] = int.MaxValue, "tokenizer.vocabulary_holes", "extra");
    }

    [Test]
    public void One_id_for_two_tokens_is_refused()
    {
        Refused(json => Vocabulary(json)["extra"] = 7, "tokenizer.duplicate_id", "id 7", "extra", "model.vocab");
        Refused(json => json["added_tokens"]![0]!["id"] = 7, "tokenizer.duplicate_id", "id 7", "<|begin|>", "added_tokens");
        Refused(json => json["added_tokens"]![0]!["content"] = "!", "tokenizer.bad_field", "!", "added_tokens[0].id");
    }

    [Test]
    public void One_token_twice_is_refused()
    {
        Refused(json => json["added_tokens"]![1]!["content"] = "<|begin|>", "tokenizer.duplicate_token", "<|begin|>");
        var text = TokenizerFixture.ByteLevel(merges: 5).ToJsonString().Replace("\"vocab\":{", "\"vocab\":{\"!\":33,", StringComparison.Ordinal);
        var folder = TokenizerFixture.Folder(null, ("tokenizer.json", text));
        Assert.That(Assert.Throws<ShadException>(() => TokenizerLoader.Load(folder))!.Code, Is.EqualTo("tokenizer.duplicate_token"));
    }

    [Test]
    public void Merges_of_unknown_tokens_are_refused()
    {
        Refused(json => json["model"]!["merges"]![3] = "e xyz", "tokenizer.unknown_merge_token", "xyz", "model.merges[3]");
        Refused(json => json["model"]!["merges"]![3] = new JsonArray("q", "!"), "tokenizer.unknown_merge_token", "q!", "model.merges[3]");
        Refused(json => json["model"]!["merges"]![3] = "exyz", "tokenizer.bad_field", "model.merges[3]");
        Refused(json => json["model"]!["merges"]![3] = new JsonArray("q"), "tokenizer.bad_field", "model.merges[3]");
    }

    [Test]
    public void Fields_of_the_wrong_type_are_refused()
    {
        Refused(json => json.Remove("model"), "tokenizer.bad_field", "model", "missing");
        Refused(json => json["model"]!.AsObject().Remove("vocab"), "tokenizer.bad_field", "model.vocab");
        Refused(json => json["model"]!.AsObject().Remove("merges"), "tokenizer.bad_field", "model.merges");
        Refused(json => json["model"]!["vocab"] = new JsonArray(), "tokenizer.bad_field", "a list");
        Refused(json => Vocabulary(json)["!"] = "33", "tokenizer.bad_field", "model.vocab.!");
        Refused(json => Vocabulary(json)["!"] = -1, "tokenizer.bad_field", "-1");
        Refused(json => Vocabulary(json)["!"] = 3.5, "tokenizer.bad_field", "3.5");
        Refused(json => json["model"]!["vocab"] = new JsonObject(), "tokenizer.bad_field", "empty");
        Refused(json => json["model"]!["ignore_merges"] = "no", "tokenizer.bad_field", "ignore_merges");
        Refused(json => json["model"]!["dropout"] = 0.1, "tokenizer.bad_field", "dropout");
        Refused(json => json["added_tokens"]![0]!["content"] = "", "tokenizer.bad_field", "added_tokens[0].content");
        Refused(json => json["model"]!["unk_token"] = "<none>", "tokenizer.unknown_special_token", "model.unk_token", "<none>");
        Refused(json => json["model"]!["end_of_word_suffix"] = "</w>", "tokenizer.unsupported", "</w>");
        Refused(json => json["pre_tokenizer"] = TokenizerFixture.SplitThenBytes("x", "Scattered"), "tokenizer.bad_field", "Scattered");
    }

    [Test]
    public void Half_of_a_surrogate_pair_in_the_file_is_refused()
    {
        var text = TokenizerFixture.ByteLevel(merges: 5).ToJsonString().Replace("\\u003C|begin|\\u003E", "\\uD83D", StringComparison.Ordinal);
        var folder = TokenizerFixture.Folder(null, ("tokenizer.json", text));
        var error = Assert.Throws<ShadException>(() => TokenizerLoader.Load(folder))!;
        Assert.That(error.Message, Does.Contain("added_tokens[0].content").And.Contain("surrogate"));
    }

    [Test]
    public void A_pattern_that_cannot_be_translated_is_quoted() =>
        Refused(
            json => json["pre_tokenizer"] = TokenizerFixture.SplitThenBytes(@"\p{Han}+"), "tokenizer.bad_pattern", @"\p{Han}+",
            "pre_tokenizer.pretokenizers[0].pattern.Regex");

    [Test]
    public void A_vocabulary_that_would_lose_text_is_refused()
    {
        Refused(
            json =>
            {
                var rest = Vocabulary(json).Where(p => p.Key != "q").Select((p, i) => KeyValuePair.Create(p.Key, (JsonNode?)JsonValue.Create(i)));
                json["model"]!["vocab"] = new JsonObject(rest);
                json["added_tokens"] = new JsonArray();
            },
            "tokenizer.loses_text", "\"q\"");
        Refused(json => json["pre_tokenizer"] = null, "tokenizer.loses_text", "<0x00>");
    }

    [Test]
    public void A_tokenizer_with_more_tokens_than_the_model_is_refused()
    {
        var folder = TokenizerFixture.Folder(TokenizerFixture.ByteLevel(merges: 0)); // 259 tokens
        Assert.That(TokenizerLoader.Load(folder, 259).VocabularySize, Is.EqualTo(259));
        Assert.That(TokenizerLoader.Load(folder, 320).VocabularySize, Is.EqualTo(259));
        var error = Assert.Throws<ShadException>(() => TokenizerLoader.Load(folder, 258))!;
        Assert.That(error.Code, Is.EqualTo("tokenizer.does_not_fit"));
        Assert.That(error.Message, Does.Contain("<|end|>of turn").And.Contain("258 tokens"));
    }

    [Test]
    public void Ids_outside_the_tokenizer_are_refused()
    {
        var tokenizer = TokenizerFixture.Load(TokenizerFixture.ByteLevel(merges: 0));
        foreach (var id in (int[])[-1, 259, int.MaxValue, -100])
        {
            Assert.That(Assert.Throws<ShadException>(() => tokenizer.Decode([65, id]))!.Code, Is.EqualTo("tokenizer.unknown_id"));
            Assert.That(Assert.Throws<ShadException>(() => tokenizer.Describe(id))!.Message, Does.Contain(id.ToString()));
        }
    }
}
