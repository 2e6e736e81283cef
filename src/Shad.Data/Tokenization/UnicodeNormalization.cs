using System.Buffers;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>A normalization form of Unicode (UAX #15).</summary>
internal enum UnicodeForm
{
    /// <summary>Composed.</summary>
    C,

    /// <summary>Decomposed.</summary>
    D,

    /// <summary>Composed, with variants of a character (<c>ﬁ</c>, <c>①</c>, <c>Ａ</c>) as their plain form.</summary>
    KC,

    /// <summary>Decomposed, with variants of a character as their plain form.</summary>
    KD,
}

/// <summary>Unicode normalization (UAX #15), with the original span of each character.</summary>
/// <remarks>
/// .NET's own <see cref="string.Normalize()"/> leaves text as it is in the invariant globalization mode this program runs in, and
/// tells nothing about positions. The data are those of Unicode 14, made by <c>scripts/make-canonical-data.py</c>.
/// </remarks>
internal static class UnicodeNormalization
{
    // Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, SyllableCount = LeadCount * VowelCount * TrailCount;

    // The longest decompositions of all Unicode: 4 code points canonically, 18 for compatibility (U+FDFA).
    private const int LongestDecomposition = 18;

    private static readonly Tables Data = Tables.Parse(CanonicalData.Decompositions, CanonicalData.CombiningClasses);
    private static readonly Lazy<Dictionary<int, int[]>> Compatibility = new(ParseCompatibility);

    /// <summary>A text in a form; the same object where it is in that form already.</summary>
    public static NormalizedText Normalize(NormalizedText text, UnicodeForm form)
    {
        // Below these nothing changes: U+00A0 is a variant of the space, U+00C0 is A and a grave accent, U+0300 is that accent.
        var first = form switch { UnicodeForm.C => '\u0300', UnicodeForm.D => '\u00C0', _ => '\u00A0' };
        if (text.Text.AsSpan().IndexOfAnyInRange(first, '\uFFFF') < 0 || (form == UnicodeForm.C && IsComposed(text.Text))) return text;
        var parts = Decompose(text.Text, form is UnicodeForm.KC or UnicodeForm.KD ? Compatibility.Value : null);
        var count = form is UnicodeForm.C or UnicodeForm.KC ? ComposeInPlace(parts) : parts.Length;

        var characters = new char[count * 2];
        var from = new int[count * 2];
        var to = new int[count * 2];
        var length = 0;
        foreach (var part in parts.AsSpan(0, count))
        {
            // An unpaired surrogate is kept as it is, so it is written without Rune.
            if (part.CodePoint > 0xFFFF)
            {
                characters[length] = (char)(0xD800 + ((part.CodePoint - 0x10000) >> 10));
                (from[length], to[length++]) = (part.Start, part.End);
                characters[length] = (char)(0xDC00 + ((part.CodePoint - 0x10000) & 0x3FF));
            }
            else
            {
                characters[length] = (char)part.CodePoint;
            }

            (from[length], to[length++]) = (part.Start, part.End);
        }

        var composed = new string(characters, 0, length);
        return string.Equals(composed, text.Text, StringComparison.Ordinal) ? text : text.Rewrite(composed, from, to);
    }

    // True where no character of the text can take part in a change. False does not mean that something changes.
    private static bool IsComposed(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value >= 0x300 && Data.MayChange(rune.Value)) return false;
        }

        return true;
    }

    private static Part[] Decompose(string text, Dictionary<int, int[]>? compatibility)
    {
        var parts = new List<Part>(text.Length + 8);
        Span<int> decomposed = stackalloc int[LongestDecomposition];
        for (var i = 0; i < text.Length;)
        {
            var isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            var codePoint = isPair ? char.ConvertToUtf32(text[i], text[i + 1]) : text[i];
            var end = i + (isPair ? 2 : 1);
            var count = Data.DecomposeFully(codePoint, decomposed, compatibility);
            foreach (var part in decomposed[..count]) parts.Add(new Part(part, Data.CombiningClass(part), i, end));
            i = end;
        }

        var ordered = parts.ToArray();
        // Canonical ordering: marks between two starters, by combining class, keeping the order of equal classes.
        for (var start = 0; start < ordered.Length; start++)
        {
            if (ordered[start].Class == 0) continue;
            var end = start + 1;
            while (end < ordered.Length && ordered[end].Class != 0) end++;
            if (end - start > 1)
            {
                var keys = new long[end - start];
                for (var i = start; i < end; i++) keys[i - start] = ((long)ordered[i].Class << 32) | (uint)i;
                keys.AsSpan().Sort(ordered.AsSpan(start, end - start));
            }

            start = end;
        }

        return ordered;
    }

    private static int ComposeInPlace(Part[] parts)
    {
        var count = 0;
        var starter = -1;
        var lastClass = 0; // class of the part last kept after the starter
        foreach (var part in parts)
        {
            var isAdjacent = starter == count - 1;
            if (starter >= 0 && (isAdjacent || (lastClass != 0 && lastClass < part.Class)) &&
                TryCompose(parts[starter].CodePoint, part.CodePoint, out var composed))
            {
                var first = parts[starter];
                parts[starter] = new Part(composed, 0, Math.Min(first.Start, part.Start), Math.Max(first.End, part.End));
                continue;
            }

            if (part.Class == 0) starter = count;
            lastClass = part.Class;
            parts[count++] = part;
        }

        return count;
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        var lead = first - LeadBase;
        var vowel = second - VowelBase;
        if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
        {
            composed = SyllableBase + ((lead * VowelCount) + vowel) * TrailCount;
            return true;
        }

        var syllable = first - SyllableBase;
        var trail = second - TrailBase;
        if ((uint)syllable < SyllableCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            composed = first + trail;
            return true;
        }

        return Data.TryCompose(first, second, out composed);
    }

    // Entries VARIANT=FIRST+SECOND…, decomposed fully, or FIRST-LAST=PLAIN for variants and plain forms that count up together.
    private static Dictionary<int, int[]> ParseCompatibility()
    {
        var decompositions = new Dictionary<int, int[]>();
        foreach (var entry in CompatibilityData.Decompositions.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = entry.IndexOf('=');
            int[] range = [.. entry[..equals].Split('-').Select(Hex)];
            int[] plain = [.. entry[(equals + 1)..].Split('+').Select(Hex)];
            for (var variant = range[0]; variant <= range[^1]; variant++)
                decompositions[variant] = range.Length == 1 ? plain : [plain[0] + variant - range[0]];
        }

        return decompositions;
    }

    private static int Hex(string digits) => int.Parse(digits, System.Globalization.NumberStyles.AllowHexSpecifier);

    private readonly record struct Part(int CodePoint, byte Class, int Start, int End);

    private sealed class Tables
    {
        private readonly Dictionary<int, (int First, int Second)> _decompositions = [];
        private readonly Dictionary<(int First, int Second), int> _compositions = [];
        private readonly Dictionary<int, byte> _classes = [];
        private readonly HashSet<int> _mayChange = [];
        private readonly SearchValues<char> _mayChangeInBasicPlane;

        private Tables(string decompositions, string classes)
        {
            foreach (var entry in classes.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            {
                // FIRST[-LAST]:CLASS, hexadecimal and decimal
                var colon = entry.IndexOf(':');
                var range = entry[..colon].Split('-');
                for (var codePoint = Hex(range[0]); codePoint <= Hex(range[^1]); codePoint++)
                {
                    _classes[codePoint] = byte.Parse(entry.AsSpan(colon + 1));
                    _mayChange.Add(codePoint);
                }
            }

            foreach (var entry in decompositions.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            {
                // COMPOSED=FIRST[+SECOND], with ! in front where it is not composed again
                var excluded = entry[0] == '!';
                var fields = entry[(excluded ? 1 : 0)..].Split('=', '+');
                var composed = Hex(fields[0]);
                var pair = (First: Hex(fields[1]), Second: fields.Length > 2 ? Hex(fields[2]) : 0);
                _decompositions[composed] = pair;
                if (excluded)
                {
                    _mayChange.Add(composed);
                }
                else
                {
                    _compositions[pair] = composed;
                    _mayChange.Add(pair.Second);
                }
            }

            for (var vowel = 0; vowel < VowelCount; vowel++) _mayChange.Add(VowelBase + vowel);
            for (var trail = 1; trail < TrailCount; trail++) _mayChange.Add(TrailBase + trail);
            _mayChangeInBasicPlane = SearchValues.Create(_mayChange.Where(c => c <= 0xFFFF).Select(c => (char)c).ToArray());
        }

        public static Tables Parse(string decompositions, string classes) => new(decompositions, classes);

        public bool MayChange(int codePoint) =>
            codePoint <= 0xFFFF ? _mayChangeInBasicPlane.Contains((char)codePoint) : _mayChange.Contains(codePoint);

        public byte CombiningClass(int codePoint) => _classes.GetValueOrDefault(codePoint);

        public bool TryCompose(int first, int second, out int composed) => _compositions.TryGetValue((first, second), out composed);

        public int DecomposeFully(int codePoint, Span<int> into, Dictionary<int, int[]>? compatibility)
        {
            if (compatibility is not null && compatibility.TryGetValue(codePoint, out var plain))
            {
                plain.CopyTo(into);
                return plain.Length;
            }

            var syllable = codePoint - SyllableBase;
            if ((uint)syllable < SyllableCount)
            {
                into[0] = LeadBase + syllable / (VowelCount * TrailCount);
                into[1] = VowelBase + syllable % (VowelCount * TrailCount) / TrailCount;
                into[2] = TrailBase + syllable % TrailCount;
                return syllable % TrailCount == 0 ? 2 : 3;
            }

            if (codePoint < 0xC0 || !_decompositions.TryGetValue(codePoint, out var pair))
            {
                into[0] = codePoint;
                return 1;
            }

            var count = DecomposeFully(pair.First, into, compatibility);
            if (pair.Second != 0) count += DecomposeFully(pair.Second, into[count..], compatibility);
            return count;
        }
    }
}
