using System.Globalization;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>
/// Reads tiktoken files: a line a token, its bytes in base64 and its rank, which is its id. Two neighbours merge where their bytes
/// together are a token, lowest rank first; a word that is a token is that token.
/// </summary>
/// <remarks>
/// The file says neither how text is cut into words nor which special tokens there are: both follow from its name, the published names
/// of OpenAI's encodings, Qwen's and Llama 3's, and <c>added_tokens_decoder</c> of <c>tokenizer_config.json</c> where that is there.
/// </remarks>
internal static class TiktokenFile
{
    private const string Llama3Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string QwenPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string O200kPattern =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
        @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly Dictionary<string, Encoding> Known = new(StringComparer.Ordinal)
    {
        ["r50k_base.tiktoken"] = new(PatternSplitter.Gpt2Pattern, [("<|endoftext|>", 50256)]),
        ["p50k_base.tiktoken"] = new(PatternSplitter.Gpt2Pattern, [("<|endoftext|>", 50256)]),
        ["cl100k_base.tiktoken"] = new(Llama3Pattern,
        [
            ("<|endoftext|>", 100257), ("<|fim_prefix|>", 100258), ("<|fim_middle|>", 100259), ("<|fim_suffix|>", 100260), ("<|endofprompt|>", 100276),
        ]),
        ["o200k_base.tiktoken"] = new(O200kPattern, [("<|endoftext|>", 199999), ("<|endofprompt|>", 200018)]),
        ["qwen.tiktoken"] = new(QwenPattern, After(
            ["<|endoftext|>", "<|im_start|>", "<|im_end|>", .. Enumerable.Range(0, 205).Select(i => $"<|extra_{i}|>")], 151643)),
        ["tokenizer.model"] = new(Llama3Pattern, After(
            [
                "<|begin_of_text|>", "<|end_of_text|>", .. Reserved(0, 4), "<|start_header_id|>", "<|end_header_id|>", .. Reserved(4, 5),
                "<|eot_id|>", .. Reserved(5, 251),
            ],
            128000)),
    };

    /// <summary>True where a file begins as a tiktoken file does, with a line of base64 and a rank.</summary>
    public static bool IsOne(string file)
    {
        if (file.EndsWith(".tiktoken", StringComparison.Ordinal)) return true;
        try
        {
            using var stream = File.OpenRead(file);
            Span<byte> head = stackalloc byte[64];
            head = head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
            var end = head.IndexOf((byte)'\n');
            return end > 0 && TryParse(System.Text.Encoding.Latin1.GetString(head[..end]), out _, out _);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw TokenizerErrors.Unreadable(file, error);
        }
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="Core.Errors.ShadException">It cannot be read, is damaged, or of a name that is not known.</exception>
    public static TokenizerDefinition Read(string file)
    {
        if (!Known.TryGetValue(Path.GetFileName(file), out var encoding)) throw TokenizerErrors.TiktokenPatternUnknown(file, Known.Keys);
        var vocabulary = ReadVocabulary(file);
        var added = ReadAddedTokens(Path.GetDirectoryName(file)!) ?? [.. encoding.Special.Select(token =>
            new AddedToken(token.Id, token.Content, IsSpecial: true, false, false, false, IsNormalized: false))];
        var tokens = new string?[Math.Max(vocabulary.Values.Max(), added.Select(token => token.Id).DefaultIfEmpty().Max()) + 1];
        foreach (var (token, id) in vocabulary) tokens[id] = token;
        foreach (var token in added)
        {
            if (tokens[token.Id] is { } taken && taken != token.Content) throw TokenizerErrors.DuplicateId(file, "special tokens", token.Id, taken, token.Content);
            tokens[token.Id] = token.Content;
        }

        return new TokenizerDefinition
        {
            File = file,
            Vocabulary = vocabulary,
            Merges = MergesOf(vocabulary),
            AddedTokens = added,
            Tokens = tokens,
            IsByteLevel = true,
            HasByteFallback = false,
            UnknownId = null,
            FusesUnknown = false,
            IgnoresMergesOfWholeWords = true,
            Normalizers = [],
            Rewritings = [],
            Splitter = new PatternSplitter(OnigurumaSyntax.Compile(encoding.Pattern), DelimiterBehavior.Isolated, invert: false),
            HasPrefixSpace = false,
            HasPrefixSpaceAfterAdded = false,
            SpaceSymbol = null,
            TemplateBeginningId = added.Find(token => token.Content == "<|begin_of_text|>")?.Id, // Llama 3 begins every sequence so
        };
    }

    private static Dictionary<string, int> ReadVocabulary(string file)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw TokenizerErrors.Unreadable(file, error);
        }

        var vocabulary = new Dictionary<string, int>(lines.Length, StringComparer.Ordinal);
        var ranks = new HashSet<int>(lines.Length);
        for (var number = 1; number <= lines.Length; number++)
        {
            var line = lines[number - 1];
            if (line.Length == 0) continue;
            if (!TryParse(line, out var bytes, out var rank)) throw TokenizerErrors.BadTiktokenLine(file, number, "the line is no token");
            if (!vocabulary.TryAdd(ByteAlphabet.Spell(bytes), rank)) throw TokenizerErrors.BadTiktokenLine(file, number, "the token is there twice");
            if (!ranks.Add(rank)) throw TokenizerErrors.BadTiktokenLine(file, number, $"the rank {rank} is there twice");
        }

        var missing = Enumerable.Range(0, 256).Select(value => (byte)value).Where(ByteAlphabet.OccursInText)
            .Select(value => ByteAlphabet.CharacterOf(value).ToString()).Where(token => !vocabulary.ContainsKey(token)).ToList();
        if (missing.Count > 0) throw TokenizerErrors.LosesText(file, "byte tokens", missing.Count, missing[0]);
        if (ranks.Max() / 2 >= ranks.Count)
            throw TokenizerErrors.Holes(file, ranks.Max() + 1L - ranks.Count, ranks.Max(), vocabulary.First(token => token.Value == ranks.Max()).Key);
        return vocabulary;
    }

    private static bool TryParse(string line, out byte[] bytes, out int rank)
    {
        var space = line.IndexOf(' ');
        bytes = new byte[Math.Max(0, space)];
        rank = 0;
        if (space <= 0 || !Convert.TryFromBase64Chars(line.AsSpan(0, space), bytes, out var length) || length == 0) return false;
        bytes = bytes[..length];
        return int.TryParse(line.AsSpan(space + 1), NumberStyles.None, CultureInfo.InvariantCulture, out rank);
    }

    /// <summary>Every way to put a token together from two others, by the token's rank.</summary>
    private static List<TokenMerge> MergesOf(Dictionary<string, int> vocabulary)
    {
        var parts = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<TokenMerge>();
        foreach (var (token, rank) in vocabulary)
        {
            for (var cut = 1; cut < token.Length; cut++)
            {
                if (parts.TryGetValue(token.AsSpan(0, cut), out var left) && parts.TryGetValue(token.AsSpan(cut), out var right))
                    merges.Add(new TokenMerge(left, right, rank, rank));
            }
        }

        return merges;
    }

    private static List<AddedToken>? ReadAddedTokens(string folder)
    {
        var file = Path.Combine(folder, "tokenizer_config.json");
        if (!File.Exists(file)) return null;
        using var document = JsonFile.Open(file);
        if (JsonField.Root(file, document.RootElement).Optional("added_tokens_decoder") is not { } decoder) return null;
        var added = new List<AddedToken>();
        foreach (var member in decoder.Members())
        {
            if (!int.TryParse(member.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)) throw member.Bad("its name is no token id", "a token id as name");
            var content = member.Required("content").Text();
            if (content.Length == 0 || added.Exists(token => token.Content == content)) throw member.Child("content").Bad("it is empty or there twice", "a token's text");
            var isSpecial = member.Flag("special", true);
            added.Add(new AddedToken(
                id, content, isSpecial, member.Flag("lstrip", false), member.Flag("rstrip", false), member.Flag("single_word", false),
                member.Flag("normalized", !isSpecial)));
        }

        return added;
    }

    private static (string Content, int Id)[] After(string[] contents, int first) => [.. contents.Select((content, i) => (content, first + i))];

    private static IEnumerable<string> Reserved(int first, int end) => Enumerable.Range(first, end - first).Select(i => $"<|reserved_special_token_{i}|>");

    private sealed record Encoding(string Pattern, (string Content, int Id)[] Special);
}
