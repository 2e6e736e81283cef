using System.Globalization;
using System.Text;

namespace Shad.Data.Reports.Page;

/// <summary>Makes characters visible that would otherwise hide, reorder or break the text around them.</summary>
internal static class VisibleText
{
    /// <summary>
    /// The text with control characters as their pictures (<c>␀</c>) and invisible formatting characters, bidirectional overrides
    /// among them, as <c>‹202E›</c>. Line feeds, tabs and spaces stay, and so do the joiners that emoji and scripts need.
    /// Half surrogate pairs become U+FFFD.
    /// </summary>
    public static string Of(string text)
    {
        int first = 0;
        while (first < text.Length && IsPlain(text[first])) first++;
        if (first == text.Length) return text;

        var visible = new StringBuilder(text, 0, first, text.Length + 16);
        foreach (Rune rune in text.AsSpan(first).EnumerateRunes())
        {
            int value = rune.Value;
            if (value is '\n' or '\t') visible.Append((char)value);
            else if (value < 0x20) visible.Append((char)(0x2400 + value));
            else if (value == 0x7F) visible.Append('\u2421');
            else if (IsHidden(value)) visible.Append(CultureInfo.InvariantCulture, $"‹{value:X4}›");
            else visible.Append(rune.ToString());
        }

        return visible.ToString();
    }

    private static bool IsPlain(char c) =>
        c is >= ' ' and < '\u007F' or '\n' or '\t' || (c >= '\u00A0' && !char.IsSurrogate(c) && !IsHidden(c));

    private static bool IsHidden(int value) => value switch
    {
        >= 0x80 and <= 0x9F => true,    // C1 controls
        0xAD or 0x61C or 0x180E => true, // soft hyphen, Arabic letter mark, Mongolian vowel separator
        0x200B or 0x200E or 0x200F => true, // zero-width space, direction marks; not the joiners 200C and 200D
        >= 0x2028 and <= 0x202E => true, // line and paragraph separators, embeddings and overrides
        >= 0x2060 and <= 0x206F => true, // word joiner, invisible operators, isolates
        0xFEFF => true,                  // byte order mark
        >= 0xFFF9 and <= 0xFFFB => true, // interlinear annotation
        >= 0xE0000 and <= 0xE001F => true, // language tags; the tags E0020–E007F spell flag emoji
        _ => false,
    };
}
