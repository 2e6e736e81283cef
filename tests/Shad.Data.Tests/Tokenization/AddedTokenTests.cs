using System.Text.Json.Nodes;
using CsCheck;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class AddedTokenTests
{
    private static (ITextTokenizer Tokenizer, int Id) With(Func<int, JsonObject> token, JsonObject? normalizer = null)
    {
        var json = TokenizerFixture.ByteLevel(merges: 0);
        json["normalizer"] = normalizer;
        var id = TokenizerFixture.Add(json, token);
        return (TokenizerFixture.Load(json), id);
    }

    private static string[] Pieces(ITextTokenizer tokenizer, string text)
    {
        var encoded = tokenizer.Encode(text);
        return [.. encoded.Ids.Select((_, i) => text[encoded.OffsetStart[i]..encoded.OffsetEnd[i]])];
    }

    [Test]
    public void Text_that_spells_an_added_token_becomes_it_and_the_longest_wins()
    {
        var tokenizer = TokenizerFixture.Load(TokenizerFixture.ByteLevel(merges: 0));
        Assert.That(Pieces(tokenizer, "a<|begin|><|end|>of turn<|end|>of<|end"), Is.EqualTo((string[])
            ["a", "<|begin|>", "<|end|>of turn", "<|end|>", "o", "f", "<", "|", "e", "n", "d"]));
        Assert.That(tokenizer.IdOf("<|end|>of turn"), Is.EqualTo(258));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(259));
        Assert.That(tokenizer.Describe(257), Is.EqualTo("<|end|>"));
    }

    [Test]
    public void Lstrip_and_rstrip_take_in_the_white_space_beside()
    {
        var (left, id) = With(i => TokenizerFixture.Added(i, "<m>", lstrip: true));
        Assert.That(Pieces(left, "a \n<m> b"), Is.EqualTo((string[])["a", " \n<m>", " ", "b"]));
        Assert.That(left.Encode("a \n<m> b").Ids[1], Is.EqualTo(id));
        var (right, _) = With(i => TokenizerFixture.Added(i, "<m>", rstrip: true));
        Assert.That(Pieces(right, "a <m> \u3000b"), Is.EqualTo((string[])["a", " ", "<m> \u3000", "b"]));
        var (both, _) = With(i => TokenizerFixture.Added(i, "<m>", lstrip: true, rstrip: true));
        Assert.That(Pieces(both, " <m> <m> <m>x"), Is.EqualTo((string[])[" <m> ", "<m> ", "<m>", "x"]));
    }

    [Test]
    public void A_whole_word_token_is_not_found_inside_words()
    {
        var (tokenizer, id) = With(i => TokenizerFixture.Added(i, "cat", singleWord: true));
        Assert.That(tokenizer.Encode("cat").Ids, Is.EqualTo((int[])[id]));
        Assert.That(tokenizer.Encode("cat, (cat) cat").Ids.Count(i => i == id), Is.EqualTo(3));
        Assert.That(tokenizer.Encode("cats concat écat cat_ 𝒜cat cat\u200D").Ids, Has.No.Member(id));
    }

    [Test]
    public void A_normalized_token_is_found_in_the_normalized_text_only_where_it_is_marked_so()
    {
        var nfc = new JsonObject { ["type"] = "NFC" };
        var (marked, id) = With(i => TokenizerFixture.Added(i, "café", special: false, normalized: true), nfc.DeepClone().AsObject());
        Assert.That(marked.Encode("a cafe\u0301!").Ids, Has.Member(id));
        Assert.That(marked.Encode("a cafe\u0301!").OffsetStart[2..], Is.EqualTo((int[])[2, 7]));
        Assert.That(marked.Encode("a cafe\u0301!").OffsetEnd[2..], Is.EqualTo((int[])[7, 8]));
        var (unmarked, other) = With(i => TokenizerFixture.Added(i, "café", special: false, normalized: false), nfc);
        Assert.That(unmarked.Encode("a cafe\u0301!").Ids, Has.No.Member(other));
        Assert.That(unmarked.Encode("a café!").Ids, Has.Member(other));
    }

    [Test]
    public void Added_tokens_and_text_around_them_cover_the_text()
    {
        var tokenizer = TokenizerFixture.Load(TokenizerFixture.ByteLevel());
        TextGenerator.WellFormed.Sample(
            text =>
            {
                var encoded = tokenizer.Encode(text);
                var reached = 0;
                for (var i = 0; i < encoded.Ids.Length; i++)
                {
                    // The next token begins where the last ended, or shares the last one's character.
                    if (encoded.OffsetStart[i] > reached || encoded.OffsetEnd[i] < reached) return false;
                    reached = encoded.OffsetEnd[i];
                }

                return reached == text.Length;
            },
            iter: 3000, threads: 1);
    }
}
