using System.Text;
using System.Text.Json;

namespace Shad.Data.Tokenization;

/// <summary>Reads <c>tokenizer.json</c>.</summary>
internal sealed class TokenizerFile
{
    private readonly string _file;
    private readonly List<TextNormalizer> _normalizers = [];
    private readonly List<TextNormalizer> _rewritings = [];
    private readonly List<WordSplitter> _splitters = [];
    private bool _isByteLevel;
    private bool _hasPrefixSpace;
    private bool _hasPrefixSpaceAfterAdded;
    private char? _spaceSymbol;

    private TokenizerFile(string file) => _file = file;

    /// <summary>Reads a file.</summary>
    /// <exception cref="Core.Errors.ShadException">It cannot be read, is inconsistent, or of a kind that is not supported.</exception>
    public static TokenizerDefinition Read(string file)
    {
        using var document = JsonFile.Open(file);
        return new TokenizerFile(file).Read(JsonField.Root(file, document.RootElement));
    }

    private TokenizerDefinition Read(JsonField root)
    {
        var model = root.Required("model");
        CheckKind(model);
        ReadNormalizer(root.Optional("normalizer"));
        ReadPreTokenizer(root.Optional("pre_tokenizer"), isFirst: true, isLast: true);
        CheckDecoder(root.Optional("decoder"));
        var beginning = ReadTemplate(root.Optional("post_processor"));

        var vocabularyField = model.Required("vocab");
        var vocabulary = ReadVocabulary(vocabularyField);
        var merges = ReadMerges(model.Required("merges"), vocabulary);
        var added = ReadAddedTokens(root.Optional("added_tokens"), vocabulary);
        var tokens = CollectTokens(vocabularyField, vocabulary, added);
        if (beginning >= tokens.Length)
        {
            throw root.Child("post_processor").Bad($"it puts token {beginning} first, but there are {tokens.Length} tokens", "the id of a token");
        }

        var hasByteFallback = !_isByteLevel && model.Flag("byte_fallback", false);
        var unknown = ReadUnknown(model.Optional("unk_token"), vocabulary, added);
        if (unknown is null) CheckNothingIsLost(vocabulary, hasByteFallback);
        var ignoresMerges = model.Flag("ignore_merges", false);

        return new TokenizerDefinition
        {
            File = _file,
            Vocabulary = vocabulary,
            Merges = merges,
            AddedTokens = added,
            Tokens = tokens,
            IsByteLevel = _isByteLevel,
            HasByteFallback = hasByteFallback,
            UnknownId = unknown,
            FusesUnknown = model.Flag("fuse_unk", false),
            IgnoresMergesOfWholeWords = ignoresMerges,
            Normalizers = _normalizers,
            Rewritings = _rewritings,
            Splitter = CreateSplitter(merges, tokens, ignoresMerges, fusesUnknown: unknown is not null && !hasByteFallback),
            HasPrefixSpace = _hasPrefixSpace,
            HasPrefixSpaceAfterAdded = _hasPrefixSpaceAfterAdded,
            SpaceSymbol = _isByteLevel ? null : _spaceSymbol,
            TemplateBeginningId = beginning,
        };
    }

    private static void CheckKind(JsonField model)
    {
        // Files of the first versions name no type; theirs is BPE where there are merges.
        var type = model.Optional("type")?.Text() ?? (model.Optional("merges") is null ? "a model without type and merges" : "BPE");
        if (type != "BPE") throw model.Child("type").Unsupported($"the tokenizer model {type}");
        foreach (var affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Optional(affix)?.Text() is { Length: > 0 } text) throw model.Child(affix).Unsupported($"the affix \"{text}\"");
        }

        if (model.Optional("dropout") is { } dropout && dropout.Number() != 0)
        {
            throw dropout.Bad("merges are dropped at random", "null or 0: one text has one encoding");
        }
    }

    private void ReadNormalizer(JsonField? field)
    {
        if (field is null) return;
        var type = field.Required("type").Text();
        switch (type)
        {
            case "Sequence":
                foreach (var part in field.Required("normalizers").Items()) ReadNormalizer(part);
                break;
            case "NFC" or "NFD" or "NFKC" or "NFKD":
                _normalizers.Add(new FormNormalizer(Enum.Parse<UnicodeForm>(type[2..])));
                break;
            case "Lowercase":
                _normalizers.Add(new LowercaseNormalizer());
                break;
            case "StripAccents":
                _normalizers.Add(new AccentRemoval());
                break;
            case "Strip":
                _normalizers.Add(new SpaceRemoval(field.Flag("strip_left", true), field.Flag("strip_right", true)));
                break;
            case "Prepend":
                var prefix = field.Required("prepend").Text();
                if (prefix.Length == 0) break;
                _normalizers.Add(new PrefixNormalizer(prefix, onlyWhereAbsent: false, onlyAtStart: false));
                _hasPrefixSpace = _hasPrefixSpaceAfterAdded = true;
                break;
            case "Replace":
                var content = field.Required("content").Text();
                var pattern = field.Required("pattern");
                if (pattern.Optional("String") is { } literal)
                {
                    if (literal.Text().Length == 0) throw literal.Bad("the replaced string is empty", "a string of one or more characters");
                    _normalizers.Add(new LiteralReplacement(literal.Text(), content));
                    if (literal.Text() == " " && content.Length == 1) _spaceSymbol = content[0];
                }
                else
                {
                    _normalizers.Add(new PatternReplacement(Compile(pattern.Required("Regex")), content));
                }

                break;
            default:
                throw field.Child("type").Unsupported($"the normalizer {type}");
        }
    }

    private void ReadPreTokenizer(JsonField? field, bool isFirst, bool isLast)
    {
        if (field is null) return;
        var type = field.Required("type").Text();
        switch (type)
        {
            case "Sequence":
                var parts = field.Required("pretokenizers").Items().ToList();
                for (var i = 0; i < parts.Count; i++) ReadPreTokenizer(parts[i], isFirst && i == 0, isLast && i == parts.Count - 1);
                break;
            case "ByteLevel":
                if (!isLast) throw field.Child("type").Unsupported("a pre-tokenizer after ByteLevel");
                _isByteLevel = true;
                if (field.Flag("use_regex", true))
                {
                    _splitters.Add(new PatternSplitter(
                        OnigurumaSyntax.Compile(PatternSplitter.Gpt2Pattern), DelimiterBehavior.Isolated, invert: false));
                }

                if (field.Flag("add_prefix_space", true))
                {
                    if (!isFirst) throw field.Child("add_prefix_space").Unsupported("a prefix space in each word (ByteLevel after others)");
                    _rewritings.Add(new PrefixNormalizer(" ", onlyWhereAbsent: true, onlyAtStart: false));
                    _hasPrefixSpace = _hasPrefixSpaceAfterAdded = true;
                }

                break;
            case "Split":
                var pattern = field.Required("pattern");
                var behavior = ReadBehavior(field.Required("behavior"));
                var invert = field.Flag("invert", false);
                if (pattern.Optional("String") is { } literal)
                {
                    if (literal.Text().Length == 0) throw literal.Bad("the string to split at is empty", "a string of one or more characters");
                    // Where the normalizer has left no space to split at, as in Gemma 3, the splitter has nothing to do.
                    if (literal.Text() != " " || _spaceSymbol is null or ' ') _splitters.Add(new LiteralSplitter(literal.Text(), behavior, invert));
                }
                else
                {
                    _splitters.Add(new PatternSplitter(Compile(pattern.Required("Regex")), behavior, invert));
                }

                break;
            case "Digits":
                _splitters.Add(new DigitSplitter(field.Flag("individual_digits", false)));
                break;
            case "Punctuation":
                _splitters.Add(new PunctuationSplitter(field.Optional("behavior") is { } punctuation ? ReadBehavior(punctuation) : DelimiterBehavior.Isolated));
                break;
            case "WhitespaceSplit":
                _splitters.Add(new PatternSplitter(OnigurumaSyntax.Compile(@"\s+"), DelimiterBehavior.Removed, invert: false));
                break;
            case "Whitespace":
                _splitters.Add(new PatternSplitter(OnigurumaSyntax.Compile(@"\w+|[^\w\s]+"), DelimiterBehavior.Removed, invert: true));
                break;
            case "BertPreTokenizer":
                _splitters.Add(new PatternSplitter(OnigurumaSyntax.Compile(@"\s+"), DelimiterBehavior.Removed, invert: false));
                _splitters.Add(new PunctuationSplitter(DelimiterBehavior.Isolated));
                break;
            case "CharDelimiterSplit":
                var delimiter = field.Required("delimiter");
                if (delimiter.Text().Length == 0) throw delimiter.Bad("the delimiter is empty", "one character");
                _splitters.Add(new LiteralSplitter(delimiter.Text(), DelimiterBehavior.Removed, invert: false));
                break;
            case "Metaspace":
                if (!isFirst) throw field.Child("type").Unsupported("Metaspace after another pre-tokenizer");
                ReadMetaspace(field);
                break;
            default:
                throw field.Child("type").Unsupported($"the pre-tokenizer {type}");
        }
    }

    private void ReadMetaspace(JsonField field)
    {
        var symbol = field.Optional("replacement")?.Text() ?? "▁";
        if (symbol.Length != 1) throw field.Child("replacement").Bad($"\"{symbol}\" is not one character", "one character, as ▁");
        _spaceSymbol = symbol[0];
        _rewritings.Add(new LiteralReplacement(" ", symbol));

        var scheme = field.Optional("prepend_scheme")?.Text() ?? (field.Flag("add_prefix_space", true) ? "always" : "never");
        switch (scheme)
        {
            case "always" or "first":
                _rewritings.Add(new PrefixNormalizer(symbol, onlyWhereAbsent: true, onlyAtStart: scheme == "first"));
                _hasPrefixSpace = true;
                _hasPrefixSpaceAfterAdded = scheme == "always";
                break;
            case "never":
                break;
            default:
                throw field.Child("prepend_scheme").Bad($"\"{scheme}\" is not known", "always, first or never");
        }

        if (field.Flag("split", true)) _splitters.Add(new LiteralSplitter(symbol, DelimiterBehavior.MergedWithNext, invert: false));
    }

    private static DelimiterBehavior ReadBehavior(JsonField field) => field.Text() switch
    {
        "Removed" => DelimiterBehavior.Removed,
        "Isolated" => DelimiterBehavior.Isolated,
        "MergedWithPrevious" => DelimiterBehavior.MergedWithPrevious,
        "MergedWithNext" => DelimiterBehavior.MergedWithNext,
        "Contiguous" => DelimiterBehavior.Contiguous,
        var other => throw field.Bad($"\"{other}\" is not known", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
    };

    private UnicodePattern Compile(JsonField field)
    {
        try
        {
            return OnigurumaSyntax.Compile(field.Text());
        }
        catch (FormatException error)
        {
            throw TokenizerErrors.Pattern(_file, field.Path, field.Text(), error.Message, error);
        }
    }

    // Decoding follows from how text is encoded; the decoder is only checked to be of the same kind.
    private static void CheckDecoder(JsonField? field)
    {
        if (field is null) return;
        var type = field.Required("type").Text();
        if (type == "Sequence")
        {
            foreach (var part in field.Required("decoders").Items()) CheckDecoder(part);
        }
        else if (type is not ("ByteLevel" or "Replace" or "ByteFallback" or "Fuse" or "Strip" or "Metaspace"))
        {
            throw field.Child("type").Unsupported($"the decoder {type}");
        }
    }

    private static int? ReadTemplate(JsonField? field)
    {
        if (field is null) return null;
        var type = field.Required("type").Text();
        switch (type)
        {
            case "ByteLevel":
                return null;
            case "Sequence":
                return field.Required("processors").Items().Select(ReadTemplate).FirstOrDefault(id => id is not null);
            case "TemplateProcessing":
                foreach (var item in field.Required("single").Items())
                {
                    if (item.Optional("SpecialToken") is not { } special) return null;
                    var name = special.Required("id").Text();
                    var ids = field.Required("special_tokens").Required(name).Required("ids").Items().ToList();
                    if (ids.Count > 0) return ids[0].TokenId();
                }

                return null;
            default:
                throw field.Child("type").Unsupported($"the post-processor {type}");
        }
    }

    private Dictionary<string, int> ReadVocabulary(JsonField field)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var member in field.Members())
        {
            if (!vocabulary.TryAdd(member.Name, member.TokenId())) throw TokenizerErrors.DuplicateToken(_file, field.Path, member.Name);
        }

        if (vocabulary.Count == 0) throw field.Bad("the vocabulary is empty", "an object of tokens and ids");
        return vocabulary;
    }

    private List<TokenMerge> ReadMerges(JsonField field, Dictionary<string, int> vocabulary)
    {
        var merges = new List<TokenMerge>();
        foreach (var merge in field.Items())
        {
            string left, right;
            if (merge.Element.ValueKind == JsonValueKind.Array)
            {
                var parts = merge.Items().ToList();
                if (parts.Count != 2) throw merge.Bad($"the merge has {parts.Count} parts", "two tokens");
                (left, right) = (parts[0].Text(), parts[1].Text());
            }
            else
            {
                var parts = merge.Text().Split(' ');
                if (parts.Length != 2) throw merge.Bad($"the merge \"{merge.Text()}\" has {parts.Length} parts", "two tokens with a space between");
                (left, right) = (parts[0], parts[1]);
            }

            merges.Add(new TokenMerge(Id(left), Id(right), Id(left + right), merges.Count));

            int Id(string token) =>
                vocabulary.TryGetValue(token, out var id) ? id : throw TokenizerErrors.UnknownMergeToken(_file, merge.Path, token);
        }

        return merges;
    }

    private List<AddedToken> ReadAddedTokens(JsonField? field, Dictionary<string, int> vocabulary)
    {
        var added = new List<AddedToken>();
        var contents = new HashSet<string>(StringComparer.Ordinal);
        foreach (var item in field?.Items() ?? [])
        {
            var content = item.Required("content").Text();
            var id = item.Required("id").TokenId();
            if (content.Length == 0) throw item.Child("content").Bad("the added token is empty", "one or more characters");
            if (!contents.Add(content)) throw TokenizerErrors.DuplicateToken(_file, item.Path, content);
            if (vocabulary.TryGetValue(content, out var known) && known != id)
            {
                throw item.Child("id").Bad($"the added token \"{content}\" has id {id}, in model.vocab it has id {known}", "the same id in both");
            }

            var isSpecial = item.Flag("special", false);
            added.Add(new AddedToken(
                id, content, isSpecial, item.Flag("lstrip", false), item.Flag("rstrip", false), item.Flag("single_word", false),
                item.Flag("normalized", !isSpecial)));
        }

        return added;
    }

    private string?[] CollectTokens(JsonField vocabularyField, Dictionary<string, int> vocabulary, List<AddedToken> added)
    {
        var byId = new Dictionary<int, string>(vocabulary.Count + added.Count);
        foreach (var (token, id) in vocabulary) Add(token, id, vocabularyField.Path);
        foreach (var token in added) Add(token.Content, token.Id, "added_tokens");

        // Published vocabularies have some ids without a token; where most have none, an id is wrong.
        var largest = byId.Keys.Max();
        if (largest / 2 >= byId.Count)
        {
            throw TokenizerErrors.Holes(_file, largest + 1L - byId.Count, largest, byId[largest]);
        }

        var tokens = new string?[largest + 1];
        foreach (var (id, token) in byId) tokens[id] = token;
        return tokens;

        void Add(string token, int id, string field)
        {
            if (!byId.TryAdd(id, token) && byId[id] != token) throw TokenizerErrors.DuplicateId(_file, field, id, byId[id], token);
        }
    }

    private int? ReadUnknown(JsonField? field, Dictionary<string, int> vocabulary, List<AddedToken> added)
    {
        if (field is null) return null;
        var token = field.Text();
        if (vocabulary.TryGetValue(token, out var id)) return id;
        return added.Find(t => t.Content == token)?.Id ?? throw TokenizerErrors.UnknownSpecialToken(_file, field.Path, token);
    }

    private void CheckNothingIsLost(Dictionary<string, int> vocabulary, bool hasByteFallback)
    {
        if (!_isByteLevel && !hasByteFallback)
        {
            throw TokenizerErrors.LosesText(_file, "byte tokens <0x00> to <0xFF>", 256, "<0x00>");
        }

        var missing = Enumerable.Range(0, 256).Select(value => (byte)value).Where(ByteAlphabet.OccursInText)
            .Select(value => _isByteLevel ? ByteAlphabet.CharacterOf(value).ToString() : $"<0x{value:X2}>")
            .Where(token => !vocabulary.ContainsKey(token)).ToList();
        if (missing.Count > 0) throw TokenizerErrors.LosesText(_file, "byte tokens", missing.Count, missing[0]);
    }

    private WordSplitter CreateSplitter(
        List<TokenMerge> merges, string?[] tokens, bool ignoresMerges, bool fusesUnknown)
    {
        if (_splitters.Count == 1) return _splitters[0];
        if (_splitters.Count > 1) return new SplitterSequence(_splitters);

        // Without a pre-tokenizer the whole text is one word.
        return _isByteLevel || ignoresMerges || fusesUnknown ? new NoSplitter() : new MergeBoundarySplitter(merges, tokens);
    }
}
