using CsCheck;

namespace Shad.Data.Tests.Tokenization;

/// <summary>Random texts of many scripts, with everything that is hard on tokenizers.</summary>
internal static class TextGenerator
{
    private static readonly Gen<string> Fragment = Gen.OneOf(
        Gen.Select(Gen.Int[0, TokenizerFixture.Samples.Length - 1], Gen.Int[0, 60], Gen.Int[0, 20], (sample, start, length) =>
        {
            var text = TokenizerFixture.Samples[sample];
            var from = Math.Min(start, text.Length);
            return Whole(text.Substring(from, Math.Min(length, text.Length - from)));
        }),
        Pick(" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00A0", "\u3000", "\u2028", "\u0085", "\u200B"),
        Pick("'s", "'RE", "'ll", "'", "''", "don't", "_", "__", "▁", "<0x41>", "<s>", "<|end|>", "<|end|>of turn", "|>"),
        Pick("0", "12", "1234567", "٣", "½", "Ⅷ", "𝟙", "𝟙𝟚𝟛𝟜", "²"),
        Pick("👍", "👍🏽", "👩‍👩‍👧", "🇨🇭", "é", "e\u0301", "a\u0323\u0307", "\u0301", "가", "ᄀ\u1161", "\u212B", "𠀋", "𐍈𐍈", "𝒜"),
        Gen.Int[0x20, 0x7E].Select(c => ((char)c).ToString()),
        Gen.Int[0xA0, 0xFFFF].Where(c => c is < 0xD800 or > 0xDFFF).Select(c => ((char)c).ToString()),
        Gen.Int[0x10000, 0x10FFFF].Select(char.ConvertFromUtf32),
        Gen.Int[0, 0x1F].Select(c => ((char)c).ToString()));

    /// <summary>Texts of whole characters.</summary>
    public static readonly Gen<string> WellFormed = Fragment.Array[0, 14].Select(string.Concat);

    /// <summary>Texts that may hold halves of surrogate pairs.</summary>
    public static readonly Gen<string> AnyUnits = Gen.OneOf(
        Fragment, Gen.Int[0xD800, 0xDFFF].Select(c => ((char)c).ToString())).Array[0, 14].Select(string.Concat);

    private static Gen<string> Pick(params string[] choices) => Gen.Int[0, choices.Length - 1].Select(i => choices[i]);

    private static string Whole(string text)
    {
        if (text.Length > 0 && char.IsLowSurrogate(text[0])) text = text[1..];
        return text.Length > 0 && char.IsHighSurrogate(text[^1]) ? text[..^1] : text;
    }
}
