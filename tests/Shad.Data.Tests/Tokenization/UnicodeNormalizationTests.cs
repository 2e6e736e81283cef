using System.Text.Json.Nodes;
using CsCheck;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Tokenization;

public sealed class UnicodeNormalizationTests
{
    private static string Compose(string text) => UnicodeNormalization.Normalize(NormalizedText.Of(text, 0), UnicodeForm.C).Text;

    // Lines of Unicode's NormalizationTest.txt: source and its form C.
    [TestCase("\u1E0A\u0323", "\u1E0C\u0307")]
    [TestCase("D\u0307\u0323", "\u1E0C\u0307")]
    [TestCase("\u1E14\u0304", "\u1E14\u0304")]
    [TestCase("E\u0304\u0300", "\u1E14")]
    [TestCase("\u05B8\u05B9\u05B1\u0591\u05C3\u05B0\u05AC\u059F", "\u05B1\u05B8\u05B9\u0591\u05C3\u05B0\u05AC\u059F")]
    [TestCase("\u0592\u05B7\u05BC\u05A5\u05B0\u05C0\u05C4\u05AD", "\u05B0\u05B7\u05BC\u05A5\u0592\u05C0\u05AD\u05C4")]
    [TestCase("\u1100\uAC00\u11A8", "\u1100\uAC01")]
    [TestCase("\u1100\uAC00\u11A8\u11A8", "\u1100\uAC01\u11A8")]
    [TestCase("\u1112\u1161\u11AB", "\uD55C")]
    [TestCase("\u212B", "\u00C5")]
    [TestCase("\u0340", "\u0300")]
    [TestCase("\u0344", "\u0308\u0301")]
    [TestCase("\u0958", "\u0915\u093C")]
    [TestCase("\u2126", "\u03A9")]
    [TestCase("\uF900", "\u8C48")]
    [TestCase("\uFB1D", "\u05D9\u05B4")]
    [TestCase("a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b")]
    [TestCase("\U0001D15E", "\U0001D157\U0001D165")]
    [TestCase("\U00011131\U00011127", "\U0001112E")]
    [TestCase("\U0002F800", "\u4E3D")]
    [TestCase("\u0DD9\u0DCF\u0DCA", "\u0DDD")]
    public void Text_is_in_form_c(string text, string expected) => Assert.That(Compose(text), Is.EqualTo(expected));

    // Lines of Unicode's NormalizationTest.txt and of UAX #15: source and its forms D, KC and KD.
    [TestCase("\u1E0A\u0323", "D\u0323\u0307", "\u1E0C\u0307", "D\u0323\u0307")]
    [TestCase("\u00A0", "\u00A0", " ", " ")]
    [TestCase("\u00BC", "\u00BC", "1\u20444", "1\u20444")]
    [TestCase("\uFB01", "\uFB01", "fi", "fi")]
    [TestCase("\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [TestCase("\u2460\uFF21\u3392", "\u2460\uFF21\u3392", "1AMHz", "1AMHz")]
    [TestCase("\uFF76\uFF9E", "\uFF76\uFF9E", "\u30AC", "\u30AB\u3099")]
    [TestCase("\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8")]
    [TestCase("\u3131", "\u3131", "\u1100", "\u1100")]
    [TestCase("\uFDFA", "\uFDFA", "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647 \u0648\u0633\u0644\u0645", "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647 \u0648\u0633\u0644\u0645")]
    [TestCase("\U0001D7D8", "\U0001D7D8", "0", "0")]
    [TestCase("\U0002F800", "\u4E3D", "\u4E3D", "\u4E3D")]
    [TestCase("abc", "abc", "abc", "abc")]
    public void Text_is_in_the_other_forms(string text, string d, string kc, string kd)
    {
        string[] forms = [.. ((UnicodeForm[])[UnicodeForm.D, UnicodeForm.KC, UnicodeForm.KD])
            .Select(form => UnicodeNormalization.Normalize(NormalizedText.Of(text, 0), form).Text)];
        Assert.That(forms, Is.EqualTo((string[])[d, kc, kd]));
    }

    [Test]
    public void Forms_of_forms_are_the_forms() => TextGenerator.WellFormed.Sample(
        text =>
        {
            // UAX #15: NFC(NFD(x)) = NFC(x), NFD(NFC(x)) = NFD(x), NFKC(NFD(x)) = NFKC(x), and each form of itself is itself.
            string Form(string source, UnicodeForm form) => UnicodeNormalization.Normalize(NormalizedText.Of(source, 0), form).Text;
            var (c, d, kc, kd) = (Form(text, UnicodeForm.C), Form(text, UnicodeForm.D), Form(text, UnicodeForm.KC), Form(text, UnicodeForm.KD));
            return Form(d, UnicodeForm.C) == c && Form(c, UnicodeForm.D) == d && Form(d, UnicodeForm.KC) == kc && Form(kc, UnicodeForm.KD) == kd
                && Form(kd, UnicodeForm.KC) == kc && Form(kd, UnicodeForm.KD) == kd && Form(c, UnicodeForm.KD) == kd;
        },
        iter: 3000, threads: 1);

    [Test]
    public void Composing_twice_changes_nothing_and_half_pairs_stay() => TextGenerator.AnyUnits.Sample(
        text =>
        {
            var once = Compose(text);
            return Compose(once) == once && once.Count(char.IsSurrogate) >= text.Count(char.IsSurrogate) % 2;
        },
        iter: 3000, threads: 1);

    [Test]
    public void Marks_of_different_classes_may_come_in_any_order()
    {
        // Below (220), attached below (202), above (230): classes differ, so their order carries no meaning.
        string[] marks = ["\u0323", "\u0327", "\u0301"];
        Gen.Select(Gen.Shuffle(marks), Gen.Int['a', 'z']).Sample(
            (order, letter) => Compose((char)letter + string.Concat(order)) == Compose((char)letter + string.Concat(marks)));
    }

    [Test]
    public void Text_in_form_c_is_left_as_it_is()
    {
        var text = NormalizedText.Of("Zürich 東京 한국어 Ελλάδα 🦊", 0);
        Assert.That(UnicodeNormalization.Normalize(text, UnicodeForm.C), Is.SameAs(text));
    }

    [Test]
    public void Offsets_are_those_of_the_text_before_it_was_normalized()
    {
        var json = TokenizerFixture.ByteLevel(merges: 0);
        json["normalizer"] = new JsonObject { ["type"] = "NFC" };
        var tokenizer = TokenizerFixture.Load(json);
        var encoded = tokenizer.Encode("xe\u0301y");
        Assert.That(tokenizer.Decode(encoded.Ids), Is.EqualTo("xéy"));
        Assert.That(encoded.OffsetStart, Is.EqualTo((int[])[0, 1, 1, 3]));
        Assert.That(encoded.OffsetEnd, Is.EqualTo((int[])[1, 3, 3, 4]));
    }

    [Test]
    public void Tokens_of_normalized_text_are_the_tokens_of_its_form_c()
    {
        var json = TokenizerFixture.ByteLevel();
        var plain = TokenizerFixture.Load(json);
        json["normalizer"] = new JsonObject { ["type"] = "Sequence", ["normalizers"] = new JsonArray(new JsonObject { ["type"] = "NFC" }) };
        var tokenizer = TokenizerFixture.Load(json);
        TextGenerator.AnyUnits.Where(t => !t.Contains("<|", StringComparison.Ordinal)).Sample(
            text =>
            {
                var encoded = tokenizer.Encode(text);
                var spansAreInOrder = encoded.OffsetStart.Zip(encoded.OffsetEnd).All(s => s.First < s.Second && s.Second <= text.Length);
                return spansAreInOrder && encoded.Ids.SequenceEqual(plain.Encode(Compose(text)).Ids);
            },
            iter: 3000, threads: 1);
    }
}
