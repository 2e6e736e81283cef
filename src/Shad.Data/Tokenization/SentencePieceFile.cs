using System.Buffers.Binary;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>
/// Reads <c>tokenizer.model</c>, a SentencePiece model of type BPE (Kudo and Richardson 2018; protocol buffers of
/// <c>sentencepiece_model.proto</c>): a piece has a text, a score and a type. Two neighbours merge where together they are a piece,
/// highest score first.
/// </summary>
/// <remarks>
/// Read here rather than through Microsoft.ML.Tokenizers, whose offsets are wrong beyond U+FFFF and where characters become bytes; the
/// tests compare the ids of both. Supported are models that leave text as it is but for <c>▁</c> and the space in front: those of Llama 2,
/// Mistral, Gemma, Yi, InternLM.
/// </remarks>
internal static class SentencePieceFile
{
    private const string SpaceSymbol = "▁";

    private enum PieceType
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    private enum ModelType
    {
        Unigram = 1,
        Bpe = 2,
        Word = 3,
        Char = 4,
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="Core.Errors.ShadException">It cannot be read, is damaged, or of a kind that is not supported.</exception>
    public static TokenizerDefinition Read(string file)
    {
        var model = ReadModel(file);
        if (model.Type != ModelType.Bpe) throw TokenizerErrors.SentencePieceUnsupported(file, $"the model type {model.Type}");
        if (model.RewritesText) throw TokenizerErrors.SentencePieceUnsupported(file, $"the normalizer '{model.NormalizerName}'");
        if (model.RemovesSpaces) throw TokenizerErrors.SentencePieceUnsupported(file, "removing of extra white space");
        if (model.SpaceIsSuffix) throw TokenizerErrors.SentencePieceUnsupported(file, "white space as suffix");

        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var added = new List<AddedToken>();
        var tokens = new string?[model.Pieces.Count];
        int? unknown = null;
        for (var id = 0; id < tokens.Length; id++)
        {
            var (text, _, type) = model.Pieces[id];
            tokens[id] = text;
            if (type == PieceType.Unused) continue;
            if (!vocabulary.TryAdd(text, id)) throw TokenizerErrors.DuplicateToken(file, $"piece {id}", text);
            if (type == PieceType.Unknown) unknown = id;
            if (type is PieceType.Unknown or PieceType.Control or PieceType.UserDefined)
                added.Add(new AddedToken(id, text, type != PieceType.UserDefined, false, false, false, IsNormalized: type == PieceType.UserDefined));
        }

        if (unknown is null) throw TokenizerErrors.NotSentencePiece(file, "there is no unknown piece");
        var lacksBytes = Enumerable.Range(0, 256).Any(value => !vocabulary.ContainsKey($"<0x{value:X2}>"));
        var merges = MergesOf(model.Pieces, vocabulary);
        var normalizers = new List<TextNormalizer>();
        if (model.AddsPrefix) normalizers.Add(new PrefixNormalizer(SpaceSymbol, onlyWhereAbsent: false, onlyAtStart: !IsLegacy(file)));
        normalizers.Add(new LiteralReplacement(" ", SpaceSymbol));
        return new TokenizerDefinition
        {
            File = file,
            Vocabulary = vocabulary,
            Merges = merges,
            AddedTokens = added,
            Tokens = tokens,
            IsByteLevel = false,
            HasByteFallback = model.HasByteFallback,
            UnknownId = unknown,
            FusesUnknown = true,
            IgnoresMergesOfWholeWords = false,
            Normalizers = normalizers,
            Rewritings = [],
            Splitter = model.HasByteFallback && !lacksBytes ? new MergeBoundarySplitter(merges, tokens) : new NoSplitter(),
            HasPrefixSpace = model.AddsPrefix,
            HasPrefixSpaceAfterAdded = model.AddsPrefix && IsLegacy(file),
            SpaceSymbol = SpaceSymbol[0],
            TemplateBeginningId = model.BeginningId is >= 0 and var beginning && beginning < tokens.Length
                && model.Pieces[(int)beginning].Type == PieceType.Control ? (int)beginning : null,
        };
    }

    // Hugging Face's slow tokenizers put the space after special tokens too, unless "legacy" is false.
    private static bool IsLegacy(string file)
    {
        var config = Path.Combine(Path.GetDirectoryName(file)!, "tokenizer_config.json");
        if (!File.Exists(config)) return true;
        using var document = JsonFile.Open(config);
        return JsonField.Root(config, document.RootElement).Flag("legacy", true);
    }

    /// <summary>Every way to put a piece together from two others, by the piece's score.</summary>
    private static List<TokenMerge> MergesOf(List<(string Text, float Score, PieceType Type)> pieces, Dictionary<string, int> vocabulary)
    {
        var ranks = new Dictionary<float, int>();
        foreach (var score in pieces.Where(piece => piece.Type == PieceType.Normal).Select(piece => piece.Score).Distinct().OrderDescending()) ranks[score] = ranks.Count;
        var parts = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<TokenMerge>();
        for (var id = 0; id < pieces.Count; id++)
        {
            var (text, score, type) = pieces[id];
            if (type != PieceType.Normal) continue;
            for (var cut = 1; cut < text.Length; cut++)
            {
                if (char.IsLowSurrogate(text[cut])) continue;
                if (parts.TryGetValue(text.AsSpan(0, cut), out var left) && pieces[left].Type == PieceType.Normal
                    && parts.TryGetValue(text.AsSpan(cut), out var right) && pieces[right].Type == PieceType.Normal)
                {
                    merges.Add(new TokenMerge(left, right, id, ranks[score]));
                }
            }
        }

        return merges;
    }

    private static Model ReadModel(string file)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw TokenizerErrors.Unreadable(file, error);
        }

        try
        {
            var model = new Model();
            foreach (var (field, value, content) in FieldsOf(bytes))
            {
                switch (field)
                {
                    case 1:
                        model.Pieces.Add(ReadPiece(content));
                        break;
                    case 2: // TrainerSpec
                        foreach (var (name, number, _) in FieldsOf(content))
                        {
                            if (name == 3) model.Type = (ModelType)number;
                            if (name == 24) model.SpaceIsSuffix = number != 0;
                            if (name == 35) model.HasByteFallback = number != 0;
                            if (name == 41) model.BeginningId = (long)number;
                        }

                        break;
                    case 3: // NormalizerSpec
                        foreach (var (name, number, text) in FieldsOf(content))
                        {
                            if (name == 1) model.NormalizerName = Encoding.UTF8.GetString(text.Span);
                            if (name == 2) model.RewritesText = text.Length > 0;
                            if (name == 3) model.AddsPrefix = number != 0;
                            if (name == 4) model.RemovesSpaces = number != 0;
                        }

                        break;
                }
            }

            return model.Pieces.Count > 0 ? model : throw new FormatException("it holds no pieces");
        }
        catch (Exception error) when (error is FormatException or DecoderFallbackException)
        {
            throw TokenizerErrors.NotSentencePiece(file, error.Message);
        }
    }

    private static (string Text, float Score, PieceType Type) ReadPiece(ReadOnlyMemory<byte> content)
    {
        var text = "";
        var score = 0f;
        var type = PieceType.Normal;
        foreach (var (field, value, bytes) in FieldsOf(content))
        {
            if (field == 1) text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes.Span);
            if (field == 2) score = BitConverter.UInt32BitsToSingle((uint)value);
            if (field == 3) type = (PieceType)value;
        }

        if (text.Length == 0 || !float.IsFinite(score)) throw new FormatException("a piece has no text or no score");
        return (text, score, type);
    }

    /// <summary>The fields of a protocol-buffers message: number, value of the scalar kinds, content of the length-delimited kind.</summary>
    /// <exception cref="FormatException">The message is cut or none.</exception>
    private static IEnumerable<(int Field, ulong Value, ReadOnlyMemory<byte> Content)> FieldsOf(ReadOnlyMemory<byte> message)
    {
        var at = 0;
        while (at < message.Length)
        {
            var key = Variable();
            ulong value = 0;
            ReadOnlyMemory<byte> content = default;
            switch (key & 7)
            {
                case 0:
                    value = Variable();
                    break;
                case 1:
                    value = BinaryPrimitives.ReadUInt64LittleEndian(Take(8).Span);
                    break;
                case 2:
                    content = Take(Variable());
                    break;
                case 5:
                    value = BinaryPrimitives.ReadUInt32LittleEndian(Take(4).Span);
                    break;
                default:
                    throw new FormatException("it is no protocol-buffers message");
            }

            if (key >> 3 is 0 or > int.MaxValue) throw new FormatException("it is no protocol-buffers message");
            yield return ((int)(key >> 3), value, content);
        }

        ulong Variable()
        {
            ulong value = 0;
            for (var shift = 0; shift < 70; shift += 7)
            {
                var next = Take(1).Span[0];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80) return value;
            }

            throw new FormatException("it is no protocol-buffers message");
        }

        ReadOnlyMemory<byte> Take(ulong count)
        {
            if (count > (ulong)(message.Length - at)) throw new FormatException("it is cut short");
            at += (int)count;
            return message.Slice(at - (int)count, (int)count);
        }
    }

    /// <summary>A model with the defaults of its fields.</summary>
    private sealed class Model
    {
        public List<(string Text, float Score, PieceType Type)> Pieces { get; } = [];

        public ModelType Type { get; set; } = ModelType.Unigram;

        public bool HasByteFallback { get; set; }

        public bool SpaceIsSuffix { get; set; }

        public long BeginningId { get; set; } = 1;

        public string NormalizerName { get; set; } = "";

        public bool RewritesText { get; set; }

        public bool AddsPrefix { get; set; } = true;

        public bool RemovesSpaces { get; set; } = true;
    }
}
