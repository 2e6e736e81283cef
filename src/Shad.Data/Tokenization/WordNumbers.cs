using System.Globalization;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>
/// Which tokens make up one word of a text. A word is a run of letters, marks and digits, whatever the tokenizer cuts it into; every
/// other token stands alone. Scripts that put no space between words (Han, kana, Thai and their neighbours) have no words here.
/// </summary>
public static class WordNumbers
{
    /// <summary>The number of the word each token belongs to.</summary>
    /// <param name="text">The text.</param>
    /// <param name="offsetStart">First character of each token, UTF-16 units, <c>[S]</c>.</param>
    /// <param name="offsetEnd">One past the last character of each token, <c>[S]</c>.</param>
    /// <returns><c>[S]</c>, ascending from 0; neighbours of one word share a number, and so do tokens that each hold some of one
    /// character's bytes.</returns>
    /// <exception cref="ArgumentException">The offsets differ in length.</exception>
    public static int[] Of(string text, ReadOnlySpan<int> offsetStart, ReadOnlySpan<int> offsetEnd)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (offsetStart.Length != offsetEnd.Length)
            throw new ArgumentException($"{offsetStart.Length} starts and {offsetEnd.Length} ends; expected as many.", nameof(offsetEnd));
        var numbers = new int[offsetStart.Length];
        for (int i = 1; i < numbers.Length; i++)
        {
            int end = offsetEnd[i - 1], start = offsetStart[i];
            bool isEmpty = start == offsetEnd[i] || offsetStart[i - 1] == end;
            bool continues = !isEmpty && (start < end || (start == end && IsInWord(text, start)));
            numbers[i] = numbers[i - 1] + (continues ? 0 : 1);
        }

        return numbers;
    }

    /// <summary>True where the characters on both sides of a place belong to one word.</summary>
    private static bool IsInWord(string text, int at) =>
        at > 0 && at < text.Length
        && Rune.DecodeLastFromUtf16(text.AsSpan(0, at), out Rune before, out _) == System.Buffers.OperationStatus.Done && BelongsToWord(before)
        && Rune.DecodeFromUtf16(text.AsSpan(at), out Rune after, out _) == System.Buffers.OperationStatus.Done && BelongsToWord(after);

    private static bool BelongsToWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.OtherLetter => !IsOfScriptWithoutSpaces(rune.Value),
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => true,
        _ => false,
    };

    // Blocks of the Unicode Standard: Thai, Lao; Myanmar; Khmer; kana, Bopomofo and CJK ideographs; their supplementary planes.
    private static bool IsOfScriptWithoutSpaces(int value) => value
        is (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF)
        or (>= 0x2E80 and <= 0x312F) or (>= 0x3190 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x3FFFF);
}
