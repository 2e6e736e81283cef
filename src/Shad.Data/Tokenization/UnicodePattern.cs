using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Shad.Data.Tokenization;

/// <summary>
/// A regular expression over code points. .NET matches UTF-16 units, so <c>\p{L}</c> would never match a letter beyond U+FFFF and
/// <c>\p{N}{1,3}</c> would count such a digit twice.
/// </summary>
/// <remarks>
/// A text with such characters is matched through a stand-in text that has one unit for each code point: a code point beyond
/// U+FFFF is replaced by a character of the basic plane of the same general category, and an unpaired surrogate by U+FFFD, which
/// is what it is encoded as. Patterns of tokenizers ask for categories and for explicit characters of the basic plane, so the
/// stand-in matches as the character would; patterns that name code points beyond U+FFFF are refused by
/// <see cref="OnigurumaSyntax"/>. One deviation is left: without regard to case, Oniguruma lets <c>s</c> match U+017F (ſ), .NET
/// does not.
/// </remarks>
internal sealed class UnicodePattern(Regex regex)
{
    /// <summary>Adds the span of each match, in order and apart, in UTF-16 units.</summary>
    public void FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            foreach (var match in regex.EnumerateMatches(text)) matches.Add((match.Index, match.Index + match.Length));
            return;
        }

        var standIn = ArrayPool<char>.Shared.Rent(text.Length);
        var position = ArrayPool<int>.Shared.Rent(text.Length + 1);
        try
        {
            var count = 0;
            for (var i = 0; i < text.Length; count++)
            {
                position[count] = i;
                if (!char.IsSurrogate(text[i])) standIn[count] = text[i++];
                else if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                {
                    standIn[count] = StandInFor(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1])));
                    i += 2;
                }
                else
                {
                    standIn[count] = '\uFFFD';
                    i++;
                }
            }

            position[count] = text.Length;
            foreach (var match in regex.EnumerateMatches(standIn.AsSpan(0, count)))
            {
                matches.Add((position[match.Index], position[match.Index + match.Length]));
            }
        }
        finally
        {
            ArrayPool<char>.Shared.Return(standIn);
            ArrayPool<int>.Shared.Return(position);
        }
    }

    // Rare characters without case, so that (?i:…) cannot tie them to others.
    internal static char StandInFor(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u03D2',
        UnicodeCategory.LowercaseLetter => '\u0138',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02EC',
        UnicodeCategory.OtherLetter => '\u16A0',
        UnicodeCategory.NonSpacingMark => '\u0859',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.EnclosingMark => '\u20DD',
        UnicodeCategory.DecimalDigitNumber => '\u0BE6',
        UnicodeCategory.LetterNumber => '\u16EE',
        UnicodeCategory.OtherNumber => '\u0BF0',
        UnicodeCategory.ConnectorPunctuation => '\u203F',
        UnicodeCategory.DashPunctuation => '\u2E3A',
        UnicodeCategory.OpenPunctuation => '\u2045',
        UnicodeCategory.ClosePunctuation => '\u2046',
        UnicodeCategory.InitialQuotePunctuation => '\u2E02',
        UnicodeCategory.FinalQuotePunctuation => '\u2E03',
        UnicodeCategory.OtherPunctuation => '\u2E0E',
        UnicodeCategory.MathSymbol => '\u2A00',
        UnicodeCategory.CurrencySymbol => '\u20B0',
        UnicodeCategory.ModifierSymbol => '\uA700',
        UnicodeCategory.OtherSymbol => '\u2600',
        UnicodeCategory.Format => '\u206A',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\u2FE0',
    };
}
