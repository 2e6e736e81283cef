using System.Text.Json.Nodes;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

/// <summary>Where the tokens of rewritten text lie in the text as it was.</summary>
public sealed class NormalizerTests
{
    private static (string Token, string Text)[] Pieces(string text, params JsonObject[] normalizers)
    {
        var json = TokenizerFixture.ByteLevel(merges: 0);
        json["added_tokens"] = new JsonArray();
        json["normalizer"] = new JsonObject { ["type"] = "Sequence", ["normalizers"] = new JsonArray([.. normalizers]) };
        var tokenizer = TokenizerFixture.Load(json);
        var encoded = tokenizer.Encode(text);
        return [.. encoded.Ids.Select((id, i) => (tokenizer.Describe(id), text[encoded.OffsetStart[i]..encoded.OffsetEnd[i]]))];
    }

    private static JsonObject Of(string type) => new() { ["type"] = type };

    [Test]
    public void A_ligature_is_behind_each_of_its_letters() =>
        Assert.That(Pieces("aﬁb", Of("NFKC")), Is.EqualTo(new[] { ("a", "a"), ("f", "ﬁ"), ("i", "ﬁ"), ("b", "b") }));

    [Test]
    public void Letter_and_mark_are_behind_what_they_compose_to() =>
        Assert.That(Pieces("xＡ\u030Ay", Of("NFKC")), Is.EqualTo(new[] { ("x", "x"), ("‹C3›", "Ａ\u030A"), ("‹85›", "Ａ\u030A"), ("y", "y") }));

    [Test]
    public void A_letter_that_lost_its_accent_has_its_own_span() =>
        Assert.That(Pieces("éÀ", Of("NFD"), Of("StripAccents"), Of("Lowercase")), Is.EqualTo(new[] { ("e", "é"), ("a", "À") }));

    [Test]
    public void Small_letters_that_are_longer_than_their_capital() => Assert.That(
        Pieces("Iİ", Of("Lowercase")), Is.EqualTo(new[] { ("i", "I"), ("i", "İ"), ("‹CC›", "İ"), ("‹87›", "İ") }));

    [Test]
    public void Stripped_space_is_behind_no_token() =>
        Assert.That(Pieces(" \ta b\n", Of("Strip")), Is.EqualTo(new[] { ("a", "a"), (" ", " "), ("b", "b") }));

    [Test]
    public void Space_is_stripped_on_the_sides_that_are_named() => Assert.That(
        Pieces(" a ", new JsonObject { ["type"] = "Strip", ["strip_left"] = true, ["strip_right"] = false }), Is.EqualTo(new[] { ("a", "a"), (" ", " ") }));

    [Test]
    public void Half_of_a_surrogate_pair_is_the_replacement_character_in_every_form([Values("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents")] string type)
    {
        var pieces = Pieces("a\uD83D\u00C5", Of(type));
        Assert.That(pieces[..4], Is.EqualTo(new[] { ("a", "a"), ("‹EF›", "\uD83D"), ("‹BF›", "\uD83D"), ("‹BD›", "\uD83D") }));
    }

    [TestCase("WhitespaceSplit", "a-b|c.|日本")]
    [TestCase("Whitespace", "a|-|b|c|.|日本")]
    [TestCase("BertPreTokenizer", "a|-|b|c|.|日本")]
    [TestCase("Punctuation", "a|-|b  c|.|\t日本")]
    public void Words_are_cut_as_the_pre_tokenizer_says(string type, string expected)
    {
        // ignore_merges makes each word a token of its own, which shows the words.
        var json = TokenizerFixture.ByteLevel(merges: 0, ignoreMerges: true);
        json["added_tokens"] = new JsonArray();
        var vocabulary = json["model"]!["vocab"]!.AsObject();
        foreach (var word in expected.Split('|'))
            vocabulary.TryAdd(string.Concat(System.Text.Encoding.UTF8.GetBytes(word).Select(b => ReferenceTokenizer.ByteSymbol(b))), vocabulary.Count);
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(Of(type), new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = false }),
        };
        var tokenizer = TokenizerFixture.Load(json);
        Assert.That(string.Join('|', tokenizer.Encode("a-b  c.\t日本").Ids.Select(tokenizer.Describe)), Is.EqualTo(expected));
    }

    [Test]
    public void Text_between_delimiters()
    {
        var json = TokenizerFixture.ByteLevel(merges: 0);
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject { ["type"] = "CharDelimiterSplit", ["delimiter"] = "|" },
                new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = false }),
        };
        var tokenizer = TokenizerFixture.Load(json);
        Assert.That(tokenizer.Decode(tokenizer.Encode("a|b||c").Ids), Is.EqualTo("abc"));
    }
}
