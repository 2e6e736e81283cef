using System.Buffers;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>
/// Byte-pair encoding as a <c>tokenizer.json</c> describes it: added tokens are found, the text between them is normalized and cut
/// into words, and each word is merged into tokens.
/// </summary>
/// <remarks>
/// As in Hugging Face's tokenizers, <c>Prepend</c>, <c>Metaspace</c> with <c>always</c> and <c>ByteLevel</c> with
/// <c>add_prefix_space</c> put a space before the text that begins a sequence and before each text after an added token;
/// <c>Metaspace</c> with <c>first</c> only before the former. Decoding drops these spaces.
/// </remarks>
internal sealed class BytePairTokenizer : ITextTokenizer
{
    [ThreadStatic]
    private static Workspace? _workspace;

    private readonly TokenizerDefinition _definition;
    private readonly WordEncoder _words;
    private readonly AddedTokenMatcher _inOriginal;
    private readonly AddedTokenMatcher _inNormalized;
    private readonly Dictionary<string, int> _addedIds;
    private readonly byte[]?[] _bytes; // what each token decodes to; null for an id without a token
    private readonly bool[] _isAdded;

    /// <summary>Creates a tokenizer.</summary>
    public BytePairTokenizer(TokenizerDefinition definition, SequenceMarkers markers)
    {
        _definition = definition;
        _words = new WordEncoder(definition);
        BeginningOfSequenceId = markers.BeginningId;
        EndOfSequenceId = markers.EndId;
        _inOriginal = new AddedTokenMatcher([.. definition.AddedTokens.Where(t => !t.IsNormalized).Select(t => (t.Content, t))]);
        _inNormalized = new AddedTokenMatcher([.. definition.AddedTokens.Where(t => t.IsNormalized)
            .Select(t => (Normalize(NormalizedText.Of(t.Content, 0), TextPlace.Continuation).Text, t)).Where(t => t.Text.Length > 0)]);
        _addedIds = definition.AddedTokens.ToDictionary(t => t.Content, t => t.Id, StringComparer.Ordinal);
        _bytes = CreateBytes(definition);
        _isAdded = new bool[_bytes.Length];
        foreach (var token in definition.AddedTokens) _isAdded[token.Id] = true;
    }

    /// <inheritdoc/>
    public int VocabularySize => _definition.Tokens.Length;

    /// <inheritdoc/>
    public int? BeginningOfSequenceId { get; }

    /// <inheritdoc/>
    public int? EndOfSequenceId { get; }

    /// <inheritdoc/>
    public EncodedText Encode(string text, bool isContinuation = false, int? previousId = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        var workspace = _workspace ?? new Workspace();
        _workspace = null; // a nested call, were there one, gets its own
        workspace.Clear();

        var place = !isContinuation ? TextPlace.SequenceStart
            : previousId is { } id && (uint)id < (uint)_isAdded.Length && _isAdded[id] ? TextPlace.AfterAddedToken : TextPlace.Continuation;
        _inOriginal.FindAll(text, workspace.Found);
        var read = 0;
        foreach (var (start, end, token) in workspace.Found)
        {
            if (start > read) EncodeText(text[read..start], read, place, workspace);
            workspace.Tokens.Add((token.Id, start, end));
            place = TextPlace.AfterAddedToken;
            read = end;
        }

        if (read < text.Length) EncodeText(read == 0 ? text : text[read..], read, place, workspace);
        var encoded = workspace.ToEncodedText();
        _workspace = workspace;
        return encoded;
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var length = 0;
        foreach (var id in ids) length += BytesOf(id).Length;
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var count = 0;
            var dropsSpace = _definition.HasPrefixSpace;
            foreach (var id in ids)
            {
                var token = BytesOf(id).AsSpan();
                if (dropsSpace && id != BeginningOfSequenceId && token.Length > 0)
                {
                    if (token[0] == ' ' && !_isAdded[id]) token = token[1..];
                    dropsSpace = false;
                }

                dropsSpace |= _definition.HasPrefixSpaceAfterAdded && _isAdded[id];

                token.CopyTo(bytes.AsSpan(count));
                count += token.Length;
            }

            return Encoding.UTF8.GetString(bytes, 0, count);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <inheritdoc/>
    public string Describe(int id)
    {
        ReadOnlySpan<byte> bytes = BytesOf(id);
        var description = new StringBuilder(bytes.Length);
        while (bytes.Length > 0)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var length) == OperationStatus.Done)
            {
                description.Append(rune.ToString());
                bytes = bytes[length..];
            }
            else
            {
                description.Append('‹').Append(bytes[0].ToString("X2")).Append('›');
                bytes = bytes[1..];
            }
        }

        return description.ToString();
    }

    /// <inheritdoc/>
    public int? IdOf(string content)
    {
        ArgumentNullException.ThrowIfNull(content);
        if (_addedIds.TryGetValue(content, out var added)) return added;
        return _definition.Vocabulary.TryGetValue(content, out var id) ? id : null;
    }

    private static byte[]?[] CreateBytes(TokenizerDefinition definition)
    {
        var bytes = new byte[]?[definition.Tokens.Length];
        foreach (var (token, id) in definition.Vocabulary) bytes[id] = VocabularyBytes(token);
        foreach (var token in definition.AddedTokens) bytes[token.Id] = Encoding.UTF8.GetBytes(token.Content);
        return bytes;

        byte[] VocabularyBytes(string token)
        {
            if (definition.IsByteLevel) return ByteAlphabet.BytesOf(token);
            if (definition.HasByteFallback && token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>' &&
                byte.TryParse(token.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var value))
            {
                return [value];
            }

            return Encoding.UTF8.GetBytes(definition.SpaceSymbol is { } space ? token.Replace(space, ' ') : token);
        }
    }

    private byte[] BytesOf(int id) =>
        (uint)id < (uint)_bytes.Length && _bytes[id] is { } bytes ? bytes : throw TokenizerErrors.UnknownId(_definition.File, id, _bytes.Length);

    private NormalizedText Normalize(NormalizedText text, TextPlace place)
    {
        foreach (var normalizer in _definition.Normalizers) text = normalizer.Normalize(text, place);
        return text;
    }

    private void EncodeText(string text, int origin, TextPlace place, Workspace workspace)
    {
        var normalized = Normalize(NormalizedText.Of(text, origin), place);
        if (_inNormalized.IsEmpty)
        {
            EncodeWords(normalized, place, workspace);
            return;
        }

        var found = new List<(int Start, int End, AddedToken Token)>();
        _inNormalized.FindAll(normalized.Text, found);
        var read = 0;
        foreach (var (start, end, token) in found)
        {
            if (start > read) EncodeWords(normalized.Slice(read, start), place, workspace);

            workspace.Tokens.Add((token.Id, normalized.OriginalStart(start), normalized.OriginalEnd(end - 1)));
            place = TextPlace.AfterAddedToken;
            read = end;
        }

        if (read < normalized.Text.Length) EncodeWords(normalized.Slice(read, normalized.Text.Length), place, workspace);
    }

    private void EncodeWords(NormalizedText text, TextPlace place, Workspace workspace)
    {
        foreach (var rewriting in _definition.Rewritings) text = rewriting.Normalize(text, place);
        var words = workspace.Words;
        words.Clear();
        _definition.Splitter.Split(text.Text, words);
        foreach (var (start, end) in words)
        {
            var word = _words.Encode(text.Text.AsSpan(start, end - start));
            for (var i = 0; i < word.Ids.Length; i++)
            {
                workspace.Tokens.Add((
                    word.Ids[i], text.OriginalStart(start + word.Starts[i]), text.OriginalEnd(start + word.Ends[i] - 1)));
            }
        }
    }

    private sealed class Workspace
    {
        public List<(int Start, int End, AddedToken Token)> Found { get; } = [];

        public List<(int Start, int End)> Words { get; } = [];

        public List<(int Id, int Start, int End)> Tokens { get; } = [];

        public void Clear()
        {
            Found.Clear();
            Tokens.Clear();
        }

        public EncodedText ToEncodedText()
        {
            var ids = new int[Tokens.Count];
            var starts = new int[ids.Length];
            var ends = new int[ids.Length];
            for (var i = 0; i < ids.Length; i++) (ids[i], starts[i], ends[i]) = Tokens[i];
            return new EncodedText(ids, starts, ends);
        }
    }
}
