using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Shad.Data.Tests.Tokenization;

/// <summary>One token as the reference finds it: id and span in UTF-16 units.</summary>
internal readonly record struct ReferenceToken(int Id, int Start, int End);

/// <summary>
/// Byte-pair encoding straight from its definition, for comparison: strings and lists, one merge at a time, every pair looked at
/// each time, words cut by hand-written rules over code points. Shares nothing with the tested code, not even the regex engine.
/// </summary>
internal sealed class ReferenceTokenizer
{
    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<(string, string), int> _ranks = [];
    private readonly bool _ignoreMerges;

    public ReferenceTokenizer(JsonObject tokenizer)
    {
        var model = tokenizer["model"]!.AsObject();
        _vocabulary = model["vocab"]!.AsObject().ToDictionary(p => p.Key, p => p.Value!.GetValue<int>());
        _ignoreMerges = model["ignore_merges"]?.GetValue<bool>() ?? false;
        foreach (var merge in model["merges"]!.AsArray())
        {
            var pair = merge is JsonArray parts
                ? (parts[0]!.GetValue<string>(), parts[1]!.GetValue<string>())
                : (merge!.GetValue<string>().Split(' ')[0], merge.GetValue<string>().Split(' ')[1]);
            _ranks[pair] = _ranks.Count;
        }
    }

    /// <summary>One symbol with the span of its text.</summary>
    private sealed record Symbol(string Text, int Start, int End);

    /// <summary>Byte-level encoding with words cut as <paramref name="cut"/> says.</summary>
    public List<ReferenceToken> EncodeByteLevel(string text, Func<List<CodePoint>, int, int> cut)
    {
        var points = CodePoint.Of(text);
        var tokens = new List<ReferenceToken>();
        for (var at = 0; at < points.Count;)
        {
            var end = cut(points, at);
            var symbols = new List<Symbol>();
            foreach (var point in points[at..end])
            {
                foreach (var value in point.Utf8) symbols.Add(new Symbol(ByteSymbol(value), point.Start, point.End));
            }

            tokens.AddRange(Merge(symbols));
            at = end;
        }

        return tokens;
    }

    /// <summary>SentencePiece-style encoding: ▁ for spaces, one in front, unknown characters as bytes.</summary>
    public List<ReferenceToken> EncodeSentencePiece(string text, bool prefix)
    {
        var symbols = new List<Symbol>();
        if (prefix && text.Length > 0) symbols.Add(new Symbol("▁", 0, 0));
        foreach (var point in CodePoint.Of(text))
        {
            var spelled = point.Value == ' ' ? "▁" : char.ConvertFromUtf32(point.Value);
            if (_vocabulary.ContainsKey(spelled)) symbols.Add(new Symbol(spelled, point.Start, point.End));
            else foreach (var value in point.Utf8) symbols.Add(new Symbol($"<0x{value:X2}>", point.Start, point.End));
        }

        return Merge(symbols);
    }

    private List<ReferenceToken> Merge(List<Symbol> symbols)
    {
        var whole = string.Concat(symbols.Select(s => s.Text));
        if (_ignoreMerges && symbols.Count > 0 && _vocabulary.TryGetValue(whole, out var id))
        {
            return [new ReferenceToken(id, symbols[0].Start, symbols[^1].End)];
        }

        while (true)
        {
            var best = -1;
            var bestRank = int.MaxValue;
            for (var i = 0; i + 1 < symbols.Count; i++)
            {
                if (_ranks.TryGetValue((symbols[i].Text, symbols[i + 1].Text), out var rank) && rank < bestRank)
                {
                    (best, bestRank) = (i, rank);
                }
            }

            if (best < 0) break;
            var (left, right) = (symbols[best], symbols[best + 1]);
            symbols[best] = new Symbol(left.Text + right.Text, left.Start, right.End);
            symbols.RemoveAt(best + 1);
        }

        return [.. symbols.Select(s => new ReferenceToken(_vocabulary[s.Text], s.Start, s.End))];
    }

    /// <summary>The character that spells a byte in byte-level vocabularies, from the definition in GPT-2's code.</summary>
    public static string ByteSymbol(int value)
    {
        var printable = Enumerable.Range('!', '~' - '!' + 1).Concat(Enumerable.Range(0xA1, 0xAC - 0xA1 + 1))
            .Concat(Enumerable.Range(0xAE, 0xFF - 0xAE + 1)).ToHashSet();
        if (printable.Contains(value)) return ((char)value).ToString();
        var others = Enumerable.Range(0, 256).Where(b => !printable.Contains(b)).ToList();
        return ((char)(256 + others.IndexOf(value))).ToString();
    }
}

/// <summary>A code point of a text and its place; half a surrogate pair counts as U+FFFD.</summary>
internal sealed record CodePoint(int Value, int Start, int End)
{
    public byte[] Utf8 => Encoding.UTF8.GetBytes(char.ConvertFromUtf32(Value));

    public UnicodeCategory Category => CharUnicodeInfo.GetUnicodeCategory(Value);

    public bool IsLetter => Category is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
        or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    public bool IsNumber => Category is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    public bool IsSpace => Value is (>= 9 and <= 13) or 0x85 ||
        Category is UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    public bool IsLineEnd => Value is '\r' or '\n';

    public static List<CodePoint> Of(string text)
    {
        var points = new List<CodePoint>();
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                points.Add(new CodePoint(char.ConvertToUtf32(text[i], text[i + 1]), i, i + 2));
                i++;
            }
            else
            {
                points.Add(new CodePoint(char.IsSurrogate(text[i]) ? 0xFFFD : text[i], i, i + 1));
            }
        }

        return points;
    }
}

/// <summary>Word rules of known tokenizers, written out by hand: the end of the word that begins at an index.</summary>
internal static class ReferenceWords
{
    private static readonly string[] Contractions = ["s", "t", "re", "ve", "m", "ll", "d"];

    /// <summary>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</summary>
    public static int Gpt2(List<CodePoint> text, int at)
    {
        if (Contraction(text, at, ignoreCase: false) is var contracted and > 0) return contracted;
        var from = text[at].Value == ' ' && at + 1 < text.Count ? at + 1 : at;
        foreach (var start in from > at ? (int[])[from, at] : [at])
        {
            if (Run(text, start, p => p.IsLetter) is var letters && letters > start) return letters;
            if (Run(text, start, p => p.IsNumber) is var numbers && numbers > start) return numbers;
            if (Run(text, start, p => !p.IsSpace && !p.IsLetter && !p.IsNumber) is var others && others > start) return others;
        }

        return Spaces(text, at);
    }

    /// <summary>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</summary>
    public static Func<List<CodePoint>, int, int> Llama3(int digits) => (text, at) =>
    {
        if (Contraction(text, at, ignoreCase: true) is var contracted and > 0) return contracted;
        var first = text[at];
        if (!first.IsLineEnd && !first.IsLetter && !first.IsNumber && Run(text, at + 1, p => p.IsLetter) is var after && after > at + 1)
        {
            return after;
        }

        if (Run(text, at, p => p.IsLetter) is var letters && letters > at) return letters;
        if (Run(text, at, p => p.IsNumber) is var numbers && numbers > at) return Math.Min(numbers, at + digits);
        foreach (var start in first.Value == ' ' ? (int[])[at + 1, at] : [at])
        {
            if (Run(text, start, p => !p.IsSpace && !p.IsLetter && !p.IsNumber) is var others && others > start)
            {
                return Run(text, others, p => p.IsLineEnd);
            }
        }

        // \s*[\r\n]+ takes the longest run of spaces that ends in a line end.
        var spaces = Run(text, at, p => p.IsSpace);
        for (var end = spaces; end > at; end--)
        {
            if (text[end - 1].IsLineEnd) return end;
        }

        return Spaces(text, at);
    };

    // \s+(?!\S)|\s+ : all but the last space where something follows, unless that leaves nothing.
    private static int Spaces(List<CodePoint> text, int at)
    {
        var end = Run(text, at, p => p.IsSpace);
        if (end == at) throw new InvalidOperationException("no rule of the pattern holds here");
        return end < text.Count && end - at > 1 ? end - 1 : end;
    }

    private static int Contraction(List<CodePoint> text, int at, bool ignoreCase)
    {
        if (text[at].Value != '\'') return 0;
        foreach (var contraction in Contractions)
        {
            if (at + contraction.Length >= text.Count) continue;
            var matches = true;
            for (var i = 0; i < contraction.Length; i++)
            {
                var value = text[at + 1 + i].Value;
                if (ignoreCase && value is >= 'A' and <= 'Z') value += 'a' - 'A';
                matches &= value == contraction[i];
            }

            if (matches) return at + 1 + contraction.Length;
        }

        return 0;
    }

    private static int Run(List<CodePoint> text, int at, Func<CodePoint, bool> belongs)
    {
        while (at < text.Count && belongs(text[at])) at++;
        return at;
    }
}
