using System.Text;
using Microsoft.ML.Tokenizers;
using Shad.Core.Errors;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class SentencePieceFileTests
{
    private const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    private static readonly string[] Merged = ["▁▁", "th", "he", "the", "▁the", "an", "and", "▁and", "in", "ing", "▁▁▁▁", "日本", "or", "▁or"];

    private static List<(string Text, float Score, int Type)> Pieces() =>
    [
        ("<unk>", 0, Unknown), ("<s>", 0, Control), ("</s>", 0, Control),
        .. Enumerable.Range(0, 256).Select(value => ($"<0x{value:X2}>", 0f, Byte)),
        .. Merged.Select((text, i) => (text, -(float)i, Normal)),
        .. string.Concat(Merged).Concat(" .,!abcdefgxyz").Where(c => c != ' ').Distinct().Select((c, i) => (c.ToString(), -1000f - i, Normal)),
    ];

    private static byte[] Model(
        List<(string Text, float Score, int Type)>? pieces = null, int type = 2, bool byteFallback = true, bool prefix = true, bool removesSpaces = false,
        bool suffix = false, byte[]? charsMap = null)
    {
        var whole = new MemoryStream();
        foreach (var (text, score, kind) in pieces ?? Pieces())
        {
            var piece = new MemoryStream();
            Bytes(piece, 1, Encoding.UTF8.GetBytes(text));
            piece.WriteByte((2 << 3) | 5);
            piece.Write(BitConverter.GetBytes(score));
            Integer(piece, 3, kind);
            Bytes(whole, 1, piece.ToArray());
        }

        var trainer = new MemoryStream();
        Integer(trainer, 3, type);
        Integer(trainer, 24, suffix ? 1 : 0);
        Integer(trainer, 35, byteFallback ? 1 : 0);
        Bytes(whole, 2, trainer.ToArray());
        var normalizer = new MemoryStream();
        Bytes(normalizer, 1, charsMap is null ? "identity"u8.ToArray() : "nmt_nfkc"u8.ToArray());
        Bytes(normalizer, 2, charsMap ?? []);
        Integer(normalizer, 3, prefix ? 1 : 0);
        Integer(normalizer, 4, removesSpaces ? 1 : 0);
        Integer(normalizer, 5, 1);
        Bytes(whole, 3, normalizer.ToArray());
        return whole.ToArray();
    }

    private static ITextTokenizer Load(byte[] model, params (string Name, string Content)[] others) =>
        TokenizerLoader.Load(TokenizerFixture.Folder(null, ("tokenizer.model", model), others));

    [Test]
    public void Ids_are_those_of_the_second_tokenizer([Values] bool prefix)
    {
        var model = Model(prefix: prefix);
        var tokenizer = Load(model);
        var second = SentencePieceTokenizer.Create(new MemoryStream(model), false);
        // Of equal neighbours it merges other ones than SentencePiece does, so that odd runs of spaces are left out; see the next test.
        foreach (var text in TokenizerFixture.Samples.Concat((string[])["the and or", "the  anding ", "thethe", "日本日本 日", "x", " ", "🦊 ing"])
            .Where(text => !text.Contains("   ", StringComparison.Ordinal)))
            Assert.That(tokenizer.Encode(text).Ids, Is.EqualTo(second.EncodeToIds(text)), text);
    }

    [Test]
    public void Of_equal_neighbours_the_leftmost_merge()
    {
        // Ids that SentencePiece itself gives for these pieces: 3 to 258 are the bytes.
        List<(string Text, float Score, int Type)> pieces =
        [
            .. Pieces()[..259], ("▁▁", 0, Normal), ("▁▁▁▁", -4, Normal), ("▁", -1000, Normal), ("a", -1001, Normal), ("aa", -5, Normal),
        ];
        var tokenizer = Load(Model(pieces, prefix: false));
        Assert.That(tokenizer.Encode("a   a").Ids, Is.EqualTo((int[])[262, 259, 261, 262]));
        Assert.That(tokenizer.Encode("aaa").Ids, Is.EqualTo((int[])[263, 262]));
        Assert.That(tokenizer.Encode("     ").Ids, Is.EqualTo((int[])[260, 261]));
    }

    [Test]
    public void Sequences_begin_with_the_models_beginning_unless_the_configuration_says_no()
    {
        Assert.That(Load(Model()).BeginningOfSequenceId, Is.EqualTo(1));
        Assert.That(Load(Model(), ("tokenizer_config.json", """{"add_bos_token": false}""")).BeginningOfSequenceId, Is.Null);
    }

    [Test]
    public void Higher_scores_come_first_whatever_the_order_of_pieces()
    {
        var pieces = Pieces();
        pieces.Add(("eand", 5, Normal)); // higher than all others; e + and
        var tokenizer = Load(Model(pieces, prefix: false));
        Assert.That(tokenizer.Encode("theand").Ids.Select(tokenizer.Describe), Is.EqualTo((string[])["the", "and"]), "and is not there yet when the is made");
        Assert.That(tokenizer.Encode("xeand").Ids.Select(tokenizer.Describe), Is.EqualTo((string[])["x", "eand"]));
    }

    [Test]
    public void Control_pieces_are_special_tokens_and_user_defined_ones_are_found_first()
    {
        var pieces = Pieces();
        pieces.Add(("▁<tool>", 0, UserDefined));
        pieces.Add(("nothing", 0, Unused));
        var tokenizer = Load(Model(pieces, prefix: false));
        Assert.That(tokenizer.Encode("</s>the <tool>the").Ids, Is.EqualTo((int[])[2, tokenizer.IdOf("the")!.Value, tokenizer.IdOf("▁<tool>")!.Value, tokenizer.IdOf("the")!.Value]));
        Assert.That(tokenizer.IdOf("nothing"), Is.Null);
    }

    [Test]
    public void The_space_in_front_follows_special_tokens_unless_legacy_is_false()
    {
        var legacy = Load(Model());
        Assert.That(legacy.Encode("</s>the").Ids, Is.EqualTo((int[])[2, legacy.IdOf("▁the")!.Value]));
        var newer = Load(Model(), ("tokenizer_config.json", """{"legacy": false}"""));
        Assert.That(newer.Encode("</s>the").Ids, Is.EqualTo((int[])[2, newer.IdOf("the")!.Value]));
        Assert.That(newer.Encode("the").Ids, Is.EqualTo((int[])[newer.IdOf("▁the")!.Value]));
    }

    [Test]
    public void Without_byte_fallback_unknown_characters_are_one_unknown_token()
    {
        var tokenizer = Load(Model(byteFallback: false, prefix: false));
        var encoded = tokenizer.Encode("the🦊éthe");
        Assert.That(encoded.Ids, Is.EqualTo((int[])[tokenizer.IdOf("the")!.Value, 0, tokenizer.IdOf("the")!.Value]));
        Assert.That((encoded.OffsetStart[1], encoded.OffsetEnd[1]), Is.EqualTo((3, 6)));
    }

    [Test]
    public void Offsets_are_those_of_the_text()
    {
        var encoded = Load(Model()).Encode("the🦊 and");
        Assert.That(encoded.OffsetStart, Is.EqualTo((int[])[0, 3, 3, 3, 3, 5]));
        Assert.That(encoded.OffsetEnd, Is.EqualTo((int[])[3, 5, 5, 5, 5, 9]));
    }

    [Test]
    public void Other_kinds_are_named()
    {
        Refused(Model(type: 1), "tokenizer.unsupported", "Unigram");
        Refused(Model(type: 4), "tokenizer.unsupported", "Char");
        Refused(Model(charsMap: [1, 2, 3]), "tokenizer.unsupported", "nmt_nfkc");
        Refused(Model(removesSpaces: true), "tokenizer.unsupported", "white space");
        Refused(Model(suffix: true), "tokenizer.unsupported", "suffix");
    }

    [Test]
    public void Damaged_files_are_refused()
    {
        var whole = Model();
        foreach (var length in (int[])[0, 1, 2, 17, whole.Length / 2, whole.Length - 1]) Refused(whole[..length], "tokenizer.bad_model", "");
        Refused("not a model"u8.ToArray(), "tokenizer.bad_model", "");
        var twice = Pieces();
        twice.Add(twice[^1]);
        Refused(Model(twice), "tokenizer.duplicate_token", "");
        Refused(Model([.. Pieces().Skip(1)]), "tokenizer.bad_model", "unknown piece");
        Refused(Model([.. Pieces(), ("x1", float.NaN, Normal)]), "tokenizer.bad_model", "score");
        Refused(Model([.. Pieces(), ("", 1, Normal)]), "tokenizer.bad_model", "text");
    }

    private static void Refused(byte[] model, string code, string mention)
    {
        var error = Assert.Throws<ShadException>(() => Load(model))!;
        Assert.That(error.Code, Is.EqualTo(code), error.Message);
        Assert.That(error.Message, Does.Contain(mention).And.Contain("tokenizer.model"));
    }

    private static void Integer(Stream stream, int field, int value)
    {
        Variable(stream, field << 3);
        Variable(stream, value);
    }

    private static void Bytes(Stream stream, int field, byte[] value)
    {
        Variable(stream, (field << 3) | 2);
        Variable(stream, value.Length);
        stream.Write(value);
    }

    private static void Variable(Stream stream, int value)
    {
        for (; value >= 0x80; value >>= 7) stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }
}
