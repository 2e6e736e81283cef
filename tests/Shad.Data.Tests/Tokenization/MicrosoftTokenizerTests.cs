using System.Buffers;
using Microsoft.ML.Tokenizers;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

[TestFixture]
public sealed class MicrosoftTokenizerTests
{
    private static readonly ITextTokenizer Own = TokenizerFixture.Load(TokenizerFixture.ByteLevel());
    private static readonly Tokenizer Bridged = new MicrosoftTokenizer(Own);

    [TestCaseSource(typeof(TokenizerFixture), nameof(TokenizerFixture.Samples))]
    public void Ids_offsets_and_text_are_those_of_the_tokenizer(string text)
    {
        EncodedText expected = Own.Encode(text);

        Assert.That(Bridged.EncodeToIds(text), Is.EqualTo(expected.Ids));
        Assert.That(Bridged.CountTokens(text), Is.EqualTo(expected.Ids.Length));
        IReadOnlyList<EncodedToken> tokens = Bridged.EncodeToTokens(text, out _);
        Assert.That(tokens.Select(static token => token.Offset), Is.EqualTo(expected.OffsetStart.Zip(expected.OffsetEnd, static (start, end) => start..end)));
        Assert.That(Bridged.Decode(expected.Ids), Is.EqualTo(Own.Decode(expected.Ids)));
    }

    [Test]
    public void A_text_is_cut_at_a_number_of_tokens()
    {
        const string text = "the quick brown fox jumps over the lazy dog";
        int[] all = Own.Encode(text).Ids;

        IReadOnlyList<int> first = Bridged.EncodeToIds(text, 5, out _, out int consumed);

        Assert.That(first, Is.EqualTo(all[..5]));
        Assert.That(consumed, Is.EqualTo(Own.Encode(text).OffsetEnd[4]));
        Assert.That(Bridged.GetIndexByTokenCount(text, 5, out _, out int count), Is.EqualTo(consumed));
        Assert.That(count, Is.EqualTo(5));
    }

    [Test]
    public void Decoding_into_too_short_a_span_writes_what_fits_and_says_so()
    {
        int[] ids = Own.Encode("the quick brown fox").Ids;
        Span<char> room = stackalloc char[9];

        OperationStatus status = Bridged.Decode(ids, room, out int idsConsumed, out int charsWritten);

        Assert.That(status, Is.EqualTo(OperationStatus.DestinationTooSmall));
        Assert.That(idsConsumed, Is.InRange(1, ids.Length - 1));
        Assert.That(room[..charsWritten].ToString(), Is.EqualTo(Own.Decode(ids.AsSpan(0, idsConsumed))));
        Assert.That(Own.Decode(ids.AsSpan(0, idsConsumed + 1)), Has.Length.GreaterThan(9));
    }
}
