using System.Text.Json.Nodes;
using CsCheck;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class SentencePieceTokenizerTests
{
    private static (ITextTokenizer Tokenizer, ReferenceTokenizer Reference) Stories()
    {
        var folder = TokenizerFixture.StoriesFolder();
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!.AsObject();
        return (TokenizerLoader.Load(folder), new ReferenceTokenizer(json));
    }

    // The samples hold no added token of the model, which the reference does not know.
    private static readonly Gen<string> Texts = TextGenerator.AnyUnits.Where(text => !text.Contains("<s>", StringComparison.Ordinal));

    [Test]
    public void Stories260k_encodes_as_its_training_did()
    {
        var (tokenizer, _) = Stories();
        Assert.That(tokenizer.Encode("Once upon a time").Ids, Is.EqualTo((int[])[403, 407, 261, 378]));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(512));
        Assert.That(tokenizer.BeginningOfSequenceId, Is.EqualTo(1));
        Assert.That(tokenizer.EndOfSequenceId, Is.EqualTo(2));
        Assert.That(tokenizer.Describe(403), Is.EqualTo(" Once"));
        Assert.That(tokenizer.IdOf("▁Once"), Is.EqualTo(403));
        Assert.That(tokenizer.IdOf("</s>"), Is.EqualTo(2));
        Assert.That(tokenizer.IdOf("nothing such"), Is.Null);
    }

    [Test]
    public void Ids_and_offsets_equal_the_naive_reference([Values] bool isContinuation)
    {
        var (tokenizer, reference) = Stories();
        foreach (var text in TokenizerFixture.Samples.Append(string.Join(" ", Enumerable.Repeat("Lily and Timmy saw a big happy friend.", 30))))
        {
            Assert.That(
                ByteLevelTokenizerTests.TokensOf(tokenizer.Encode(text, isContinuation)),
                Is.EqualTo(reference.EncodeSentencePiece(text, !isContinuation)), text);
        }

        Texts.Sample(
            text => ByteLevelTokenizerTests.TokensOf(tokenizer.Encode(text, isContinuation))
                .SequenceEqual(reference.EncodeSentencePiece(text, !isContinuation)),
            iter: 5000, threads: 1);
    }

    [Test]
    public void Decoding_gives_the_text_back()
    {
        var (tokenizer, _) = Stories();
        // ▁ spells a space in this kind of tokenizer, so a text with ▁ itself comes back with a space.
        TextGenerator.WellFormed.Sample(
            text => tokenizer.Decode(tokenizer.Encode(text).Ids) == text.Replace('▁', ' '), iter: 5000, threads: 1);
    }

    [Test]
    public void A_sequence_in_parts_has_the_tokens_of_the_whole_where_parts_end_at_words()
    {
        var (tokenizer, _) = Stories();
        int[] parts = [.. tokenizer.Encode("Once upon").Ids, .. tokenizer.Encode(" a time", isContinuation: true).Ids];
        Assert.That(parts, Is.EqualTo(tokenizer.Encode("Once upon a time").Ids));
    }

    [Test]
    public void Special_tokens_in_the_text_are_found_and_a_prefix_follows_each()
    {
        var (tokenizer, _) = Stories();
        var encoded = tokenizer.Encode("<s>Once</s>upon");
        Assert.That(encoded.Ids[..3], Is.EqualTo((int[])[1, 403, 2]));
        Assert.That(encoded.OffsetStart[..3], Is.EqualTo((int[])[0, 3, 7]));
        Assert.That(encoded.OffsetEnd[..3], Is.EqualTo((int[])[3, 7, 11]));
        Assert.That(encoded.Ids[3..], Is.EqualTo(tokenizer.Encode("upon").Ids));
        Assert.That(tokenizer.Encode("upon", isContinuation: true, previousId: 2).Ids, Is.EqualTo(encoded.Ids[3..]));
        Assert.That(tokenizer.Encode("upon", isContinuation: true, previousId: 403).Ids, Is.EqualTo(tokenizer.Encode("upon", isContinuation: true).Ids));
        Assert.That(tokenizer.Encode("upon", isContinuation: true).Ids, Is.Not.EqualTo(encoded.Ids[3..]));
        Assert.That(tokenizer.Decode(encoded.Ids), Is.EqualTo("<s>Once</s>upon"));
    }

    [Test]
    public void Bytes_of_a_character_without_a_token_carry_its_span()
    {
        var (tokenizer, _) = Stories();
        var encoded = tokenizer.Encode("a🦊", isContinuation: true);
        Assert.That(encoded.Ids.Select(tokenizer.Describe), Is.EqualTo((string[])["a", "‹F0›", "‹9F›", "‹A6›", "‹8A›"]));
        Assert.That(encoded.OffsetStart, Is.EqualTo((int[])[0, 1, 1, 1, 1]));
        Assert.That(encoded.OffsetEnd, Is.EqualTo((int[])[1, 3, 3, 3, 3]));
    }

    [Test]
    public void The_metaspace_form_gives_the_tokens_of_the_normalizer_form([Values] bool split, [Values("first", "always", null)] string? scheme)
    {
        var folder = TokenizerFixture.StoriesFolder();
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!.AsObject();
        var (tokenizer, reference) = (TokenizerLoader.Load(folder), new ReferenceTokenizer(json));
        json["normalizer"] = null;
        json["pre_tokenizer"] = new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁", ["split"] = split };
        if (scheme is null) json["pre_tokenizer"]!["add_prefix_space"] = true;
        else json["pre_tokenizer"]!["prepend_scheme"] = scheme;
        var metaspace = TokenizerFixture.Load(json);
        // No merge of this vocabulary joins two spaces, so cutting at each changes nothing; a leading space is its own prefix.
        Texts.Sample(
            text => ByteLevelTokenizerTests.TokensOf(metaspace.Encode(text)).SequenceEqual(
                reference.EncodeSentencePiece(text, prefix: text.Length > 0 && text[0] is not (' ' or '▁'))),
            iter: 2000, threads: 1);
        Assert.That(metaspace.Decode(metaspace.Encode("Once upon").Ids), Is.EqualTo("Once upon"));
        Assert.That(metaspace.Encode("Once", isContinuation: true).Ids, Is.EqualTo(tokenizer.Encode("Once", isContinuation: true).Ids));
    }

    [Test]
    public void Words_are_cut_without_changing_tokens_even_where_spaces_merge()
    {
        // Tokens of several spaces, as Llama 2 has them, and one merge across a word's start, after which no cut is allowed.
        var folder = TokenizerFixture.StoriesFolder();
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer.json")))!.AsObject();
        var vocabulary = json["model"]!["vocab"]!.AsObject();
        void Merge(string left, string right)
        {
            vocabulary.TryAdd(left + right, vocabulary.Count);
            json["model"]!["merges"]!.AsArray().Insert(0, new JsonArray(left, right));
        }

        Merge("▁", "▁");
        Check();
        Merge("e", "▁");
        Merge(".", "▁");
        Check();

        void Check()
        {
            var tokenizer = TokenizerFixture.Load(json);
            var reference = new ReferenceTokenizer(json);
            Texts.Sample(
                text => ByteLevelTokenizerTests.TokensOf(tokenizer.Encode(text)).SequenceEqual(reference.EncodeSentencePiece(text, prefix: true)),
                iter: 2000, threads: 1);
        }
    }
}
