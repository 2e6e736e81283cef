using System.Text.Json.Nodes;
using CsCheck;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class ByteLevelTokenizerTests
{
    private static JsonObject Gpt2(bool mergesAsArrays = false, bool ignoreMerges = false)
    {
        var json = TokenizerFixture.ByteLevel(mergesAsArrays, ignoreMerges);
        json["added_tokens"] = new JsonArray();
        return json;
    }

    private static JsonObject With(JsonObject json, JsonObject preTokenizer)
    {
        json["pre_tokenizer"] = preTokenizer;
        return json;
    }

    internal static List<ReferenceToken> TokensOf(EncodedText encoded) =>
        [.. encoded.Ids.Select((id, i) => new ReferenceToken(id, encoded.OffsetStart[i], encoded.OffsetEnd[i]))];

    [Test]
    public void Ids_and_offsets_equal_the_naive_reference_with_the_gpt2_pattern([Values] bool mergesAsArrays, [Values] bool ignoreMerges)
    {
        var json = Gpt2(mergesAsArrays, ignoreMerges);
        var tokenizer = TokenizerFixture.Load(json);
        var reference = new ReferenceTokenizer(json);
        foreach (var text in TokenizerFixture.Samples)
        {
            Assert.That(TokensOf(tokenizer.Encode(text)), Is.EqualTo(reference.EncodeByteLevel(text, ReferenceWords.Gpt2)), text);
        }

        TextGenerator.AnyUnits.Sample(
            text => TokensOf(tokenizer.Encode(text)).SequenceEqual(reference.EncodeByteLevel(text, ReferenceWords.Gpt2)),
            iter: 3000, threads: 1);
    }

    [TestCase(TokenizerFixture.Llama3Pattern, 3)]
    [TestCase(TokenizerFixture.QwenPattern, 1)]
    public void Ids_and_offsets_equal_the_naive_reference_with_a_split_pattern(string pattern, int digits)
    {
        var json = With(Gpt2(), TokenizerFixture.SplitThenBytes(pattern));
        var tokenizer = TokenizerFixture.Load(json);
        var reference = new ReferenceTokenizer(json);
        TextGenerator.AnyUnits.Sample(
            text => TokensOf(tokenizer.Encode(text)).SequenceEqual(reference.EncodeByteLevel(text, ReferenceWords.Llama3(digits))),
            iter: 5000, threads: 1);
    }

    [Test]
    public void Long_words_are_merged_as_short_ones_are()
    {
        var json = With(Gpt2(), TokenizerFixture.SplitThenBytes(@"[\s\S]+"));
        var tokenizer = TokenizerFixture.Load(json);
        var reference = new ReferenceTokenizer(json);
        foreach (var text in (string[])
                 [
                     new string('a', 1000), string.Concat(TokenizerFixture.Samples), string.Concat(Enumerable.Repeat("the dog ", 60)),
                     string.Concat(Enumerable.Repeat("💬🗨", 40)), new string(' ', 333),
                 ])
        {
            Assert.That(TokensOf(tokenizer.Encode(text)), Is.EqualTo(reference.EncodeByteLevel(text, (points, _) => points.Count)));
        }
    }

    [Test]
    public void Decoding_gives_the_text_back()
    {
        var tokenizer = TokenizerFixture.Load(TokenizerFixture.ByteLevel());
        TextGenerator.WellFormed.Sample(text => tokenizer.Decode(tokenizer.Encode(text).Ids) == text, iter: 5000, threads: 1);
    }

    [Test]
    public void Half_a_surrogate_pair_becomes_the_bytes_of_the_replacement_character()
    {
        var tokenizer = TokenizerFixture.Load(Gpt2());
        var encoded = tokenizer.Encode("a\uD83D");
        Assert.That(tokenizer.Decode(encoded.Ids), Is.EqualTo("a\uFFFD"));
        Assert.That(encoded.OffsetEnd[^1], Is.EqualTo(2));
    }

    [Test]
    public void Tokens_that_share_a_character_carry_its_whole_span()
    {
        var json = Gpt2();
        json["model"]!["merges"] = new JsonArray();
        var tokenizer = TokenizerFixture.Load(json);
        var encoded = tokenizer.Encode("x🦊");
        Assert.That(encoded.OffsetStart, Is.EqualTo((int[])[0, 1, 1, 1, 1]));
        Assert.That(encoded.OffsetEnd, Is.EqualTo((int[])[1, 3, 3, 3, 3]));
    }

    [Test]
    public void A_word_in_the_vocabulary_is_one_token_where_merges_are_ignored()
    {
        var tokenizer = TokenizerFixture.Load(Gpt2(ignoreMerges: true));
        Assert.That(tokenizer.Encode(" lazy").Ids, Is.EqualTo((int[])[tokenizer.IdOf("Ġlazy")!.Value]));
        Assert.That(tokenizer.Encode(" lazyx").Ids, Has.Length.GreaterThan(1));
    }

    [Test]
    public void A_prefix_space_is_added_at_the_start_of_a_sequence_only()
    {
        var tokenizer = TokenizerFixture.Load(With(
            Gpt2(), new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = true, ["use_regex"] = true }));
        var plain = TokenizerFixture.Load(Gpt2());
        Assert.That(tokenizer.Encode("the").Ids, Is.EqualTo(plain.Encode(" the").Ids));
        Assert.That(tokenizer.Encode(" the").Ids, Is.EqualTo(plain.Encode(" the").Ids));
        Assert.That(tokenizer.Encode("the", isContinuation: true).Ids, Is.EqualTo(plain.Encode("the").Ids));
        Assert.That(tokenizer.Encode("the").OffsetStart[0], Is.Zero);
        Assert.That(tokenizer.Encode("the").OffsetEnd[^1], Is.EqualTo(3));
        Assert.That(tokenizer.Decode(tokenizer.Encode("the").Ids), Is.EqualTo("the"));
    }

    [Test]
    public void Digits_are_cut_one_by_one_or_together()
    {
        var json = TokenizerFixture.ByteLevel();
        JsonObject Digits(bool individually) => new()
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject { ["type"] = "Digits", ["individual_digits"] = individually },
                new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = false }),
        };
        json["model"]!["ignore_merges"] = true;
        foreach (var word in (string[])["12", "1", "2", "ab", "34"]) json["model"]!["vocab"]!.AsObject().TryAdd(word, json["model"]!["vocab"]!.AsObject().Count);
        json["added_tokens"] = new JsonArray();

        string[] Pieces(bool individually)
        {
            var tokenizer = TokenizerFixture.Load(With(json, Digits(individually)));
            return [.. tokenizer.Encode("ab12ab34 𝟙").Ids.Select(tokenizer.Describe)];
        }

        Assert.That(Pieces(individually: false)[..4], Is.EqualTo((string[])["ab", "12", "ab", "34"]));
        Assert.That(Pieces(individually: true)[..6], Is.EqualTo((string[])["ab", "1", "2", "ab", "3", "4"]));
    }

    [Test]
    public void Bytes_that_are_no_whole_character_are_described_in_hexadecimal()
    {
        var json = Gpt2();
        json["model"]!["merges"] = new JsonArray();
        var tokenizer = TokenizerFixture.Load(json);
        Assert.That(tokenizer.Encode("€").Ids.Select(tokenizer.Describe), Is.EqualTo((string[])["‹E2›", "‹82›", "‹AC›"]));
        Assert.That(tokenizer.Describe(tokenizer.IdOf("Ġ")!.Value), Is.EqualTo(" "));
    }

    [Test]
    public void Several_threads_get_the_same_tokens()
    {
        var tokenizer = TokenizerFixture.Load(TokenizerFixture.ByteLevel());
        var texts = Enumerable.Range(0, 2000).Select(i => TokenizerFixture.Samples[i % TokenizerFixture.Samples.Length] + (i * 7919)).ToArray();
        var alone = TokenizerFixture.Load(TokenizerFixture.ByteLevel());
        var encoded = new int[texts.Length][];
        Parallel.For(0, texts.Length, i => encoded[i] = tokenizer.Encode(texts[i]).Ids);
        for (var i = 0; i < texts.Length; i++) Assert.That(encoded[i], Is.EqualTo(alone.Encode(texts[i]).Ids));
    }
}
