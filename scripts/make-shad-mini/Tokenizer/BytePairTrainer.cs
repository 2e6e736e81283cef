using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MakeShadMini.Tokenizer;

/// <summary>
/// Byte-level byte-pair encoding (Sennrich et al., arXiv:1508.07909, over bytes as in GPT-2): the most frequent pair of adjacent
/// symbols is merged until a part of the vocabulary is taken; the rest holds the most frequent words whole. Ties go to the smaller
/// ids and to the word that sorts first, so that the result is deterministic.
/// </summary>
/// <remarks>
/// Merges alone would spend half of a small vocabulary on the stages of a word's making. Words that no merge makes are found because
/// the tokenizer looks a word up before it merges (<c>ignore_merges</c>, as in Llama 3).
/// </remarks>
internal sealed class BytePairTrainer
{
    /// <summary>
    /// Words with their leading space, cut before a capital inside (<c>order|Voucher</c>), single digits, runs of punctuation, white
    /// space.
    /// </summary>
    public const string PreTokenizerPattern =
        @" ?\p{Lu}?[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\p{M}]+| ?\p{Lu}+(?!\p{Ll})|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+";

    private readonly Dictionary<string, int> _words = [];
    private readonly Regex _pattern = new(PreTokenizerPattern, RegexOptions.Compiled | RegexOptions.CultureInvariant);

    /// <summary>Counts the words of a text.</summary>
    public void Add(string text)
    {
        foreach (var match in _pattern.EnumerateMatches(text))
        {
            string word = text.Substring(match.Index, match.Length);
            _words[word] = _words.GetValueOrDefault(word) + 1;
        }
    }

    /// <summary>Learns the vocabulary and writes <c>tokenizer.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabularySize">Tokens in all.</param>
    /// <param name="mergedSize">Tokens before the whole words: special tokens, bytes and what merges make.</param>
    /// <param name="specialTokens">Special tokens; the first begins a sequence.</param>
    public void Write(string path, int vocabularySize, int mergedSize, IReadOnlyList<string> specialTokens)
    {
        var symbols = specialTokens.ToList();
        var byteIds = new int[256];
        for (int value = 0; value < 256; value++)
        {
            byteIds[value] = symbols.Count;
            symbols.Add(ByteCharacter(value).ToString());
        }

        var words = _words.OrderBy(word => word.Key, StringComparer.Ordinal)
            .Select(word => (Symbols: Encoding.UTF8.GetBytes(word.Key).Select(value => byteIds[value]).ToArray(), Count: word.Value)).ToArray();
        var merges = Learn(words, symbols, mergedSize);
        AddWholeWords(symbols, vocabularySize);

        var vocabulary = symbols.Select((symbol, id) => (symbol, id)).ToDictionary(entry => entry.symbol, entry => entry.id);
        using var stream = File.Create(path);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = false, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < specialTokens.Count; id++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", specialTokens[id]);
            foreach (string flag in (string[])["single_word", "lstrip", "rstrip", "normalized"]) json.WriteBoolean(flag, false);
            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNull("normalizer");
        json.WriteRawProperty("pre_tokenizer",
            $$"""{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":{{JsonSerializer.Serialize(PreTokenizerPattern)}}},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}""");
        json.WriteRawProperty("post_processor",
            """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"BOS","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"SpecialToken":{"id":"BOS","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"BOS":{"id":"BOS","ids":[0],"tokens":["BOS"]}}}"""
                .Replace("BOS", specialTokens[0], StringComparison.Ordinal));
        json.WriteRawProperty("decoder", """{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""");
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", true);
        json.WriteStartObject("vocab");
        foreach (var (symbol, id) in vocabulary.OrderBy(entry => entry.Value)) json.WriteNumber(symbol, id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in merges) json.WriteStringValue($"{symbols[left]} {symbols[right]}");
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void AddWholeWords(List<string> symbols, int vocabularySize)
    {
        var known = symbols.ToHashSet(StringComparer.Ordinal);
        var frequent = _words.Where(word => word.Key.TrimStart(' ').All(char.IsLetter))
            .OrderByDescending(word => word.Value).ThenBy(word => word.Key, StringComparer.Ordinal)
            .Select(word => string.Concat(Encoding.UTF8.GetBytes(word.Key).Select(value => ByteCharacter(value))))
            .Where(known.Add);
        symbols.AddRange(frequent.Take(vocabularySize - symbols.Count));
        if (symbols.Count < vocabularySize) throw new InvalidOperationException($"The text has words for {symbols.Count} tokens only.");
    }

    private static List<(int Left, int Right)> Learn((int[] Symbols, int Count)[] words, List<string> symbols, int vocabularySize)
    {
        var counts = new Dictionary<(int, int), long>();
        var places = new Dictionary<(int, int), HashSet<int>>();
        void Count(int word, int sign)
        {
            var (sequence, count) = words[word];
            for (int i = 0; i + 1 < sequence.Length; i++)
            {
                var pair = (sequence[i], sequence[i + 1]);
                counts[pair] = counts.GetValueOrDefault(pair) + sign * count;
                if (sign < 0) continue;
                if (!places.TryGetValue(pair, out var where)) places[pair] = where = [];
                where.Add(word);
            }
        }

        for (int word = 0; word < words.Length; word++) Count(word, 1);
        var merges = new List<(int, int)>();
        var known = symbols.ToHashSet(StringComparer.Ordinal);
        while (symbols.Count < vocabularySize)
        {
            var best = counts.Where(entry => entry.Value > 1).OrderByDescending(entry => entry.Value).ThenBy(entry => entry.Key).FirstOrDefault();
            if (best.Value <= 1) throw new InvalidOperationException($"The text has pairs for {symbols.Count} tokens only.");
            var (left, right) = best.Key;
            string merged = symbols[left] + symbols[right];
            int id = symbols.Count;
            // Two different pairs may spell the same symbol; the vocabulary holds it once, so the second way is not learned.
            if (!known.Add(merged))
            {
                counts.Remove(best.Key);
                continue;
            }

            symbols.Add(merged);
            merges.Add(best.Key);
            foreach (int word in places[best.Key])
            {
                Count(word, -1);
                words[word].Symbols = Merge(words[word].Symbols, left, right, id);
                Count(word, 1);
            }

            counts.Remove(best.Key);
            places.Remove(best.Key);
        }

        return merges;
    }

    private static int[] Merge(int[] sequence, int left, int right, int id)
    {
        var merged = new List<int>(sequence.Length);
        for (int i = 0; i < sequence.Length; i++)
        {
            if (i + 1 < sequence.Length && sequence[i] == left && sequence[i + 1] == right)
            {
                merged.Add(id);
                i++;
            }
            else
            {
                merged.Add(sequence[i]);
            }
        }

        return [.. merged];
    }

    /// <summary>GPT-2's visible character of a byte: printable Latin-1 stays, the others follow from U+0100 on.</summary>
    private static char ByteCharacter(int value)
    {
        static bool IsPrintable(int candidate) => candidate is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255);
        if (IsPrintable(value)) return (char)value;
        int rank = 0;
        for (int i = 0; i < value; i++)
        {
            if (!IsPrintable(i)) rank++;
        }

        return (char)(256 + rank);
    }
}

file static class JsonWriting
{
    public static void WriteRawProperty(this Utf8JsonWriter json, string name, string raw)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(raw);
    }
}
