using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace Shad.Data.Tokenization;

/// <summary>The tokens of one word.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Starts">First character of each token in the word.</param>
/// <param name="Ends">One past the last character of each token in the word.</param>
internal sealed record EncodedWord(int[] Ids, int[] Starts, int[] Ends);

/// <summary>Encodes words: characters to symbols, symbols merged to tokens. Words met before are looked up.</summary>
internal sealed class WordEncoder
{
    private const int LongestCachedWord = 48;
    private const int MostCachedWords = 1 << 17;

    private readonly TokenizerDefinition _definition;
    private readonly BytePairMerges _merges;
    private readonly int[] _byteIds; // -1 where the vocabulary has no token for the byte
    private readonly int _unknownId; // -1 where there is none
    private readonly bool _isByteLevel;
    private readonly Dictionary<int, int> _characterIds; // tokens of one character, by code point

    private ConcurrentDictionary<string, EncodedWord> _cache = NewCache();
    private int _cached;

    /// <summary>Creates an encoder for a tokenizer's vocabulary and merges.</summary>
    public WordEncoder(TokenizerDefinition definition)
    {
        _definition = definition;
        _merges = new BytePairMerges(definition.Merges);
        _isByteLevel = definition.IsByteLevel;
        _unknownId = definition.UnknownId ?? -1;
        _characterIds = [];
        foreach (var (token, id) in definition.Vocabulary)
        {
            if (Rune.DecodeFromUtf16(token, out var rune, out var length) == OperationStatus.Done && length == token.Length)
            {
                _characterIds[rune.Value] = id;
            }
        }

        _byteIds = new int[256];
        for (var value = 0; value < 256; value++)
        {
            var token = _isByteLevel ? ByteAlphabet.CharacterOf((byte)value).ToString() : $"<0x{value:X2}>";
            _byteIds[value] = (_isByteLevel || definition.HasByteFallback) && definition.Vocabulary.TryGetValue(token, out var id) ? id : -1;
        }
    }

    /// <summary>The tokens of a word.</summary>
    public EncodedWord Encode(ReadOnlySpan<char> word)
    {
        if (word.Length > LongestCachedWord) return Compute(word);
        var cache = _cache;
        if (cache.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(word, out var known)) return known;
        var encoded = Compute(word);
        if (cache.TryAdd(word.ToString(), encoded) && Interlocked.Increment(ref _cached) > MostCachedWords)
        {
            // Begin anew: what the corpus is about now fills it again soon.
            _cached = 0;
            _cache = NewCache();
        }

        return encoded;
    }

    private static ConcurrentDictionary<string, EncodedWord> NewCache() => new(StringComparer.Ordinal);

    private EncodedWord Compute(ReadOnlySpan<char> word)
    {
        if (_definition.IgnoresMergesOfWholeWords && WholeWord(word) is { } whole) return whole;

        // A character has at most 3 UTF-8 bytes a UTF-16 unit.
        var capacity = checked(word.Length * 3);
        Span<int> buffer = capacity <= 256 ? stackalloc int[capacity * 4] : new int[capacity * 4];
        var ids = buffer[..capacity];
        var starts = buffer.Slice(capacity, capacity);
        var ends = buffer.Slice(capacity * 2, capacity);
        var first = buffer.Slice(capacity * 3, capacity);

        var symbols = _isByteLevel ? BytesOf(word, ids, starts, ends) : CharactersOf(word, ids, starts, ends);
        var count = _merges.Merge(ids[..symbols], first[..symbols]);

        var encoded = new EncodedWord(ids[..count].ToArray(), new int[count], new int[count]);
        for (var token = 0; token < count; token++)
        {
            encoded.Starts[token] = starts[first[token]];
            encoded.Ends[token] = ends[(token + 1 < count ? first[token + 1] : symbols) - 1];
        }

        return encoded;
    }

    private EncodedWord? WholeWord(ReadOnlySpan<char> word)
    {
        var content = word.ToString();
        if (_isByteLevel)
        {
            content = string.Create(Encoding.UTF8.GetByteCount(word), content, static (characters, text) =>
            {
                var bytes = Encoding.UTF8.GetBytes(text);
                for (var i = 0; i < bytes.Length; i++) characters[i] = ByteAlphabet.CharacterOf(bytes[i]);
            });
        }

        return _definition.Vocabulary.TryGetValue(content, out var id) ? new EncodedWord([id], [0], [word.Length]) : null;
    }

    private int BytesOf(ReadOnlySpan<char> word, Span<int> ids, Span<int> starts, Span<int> ends)
    {
        Span<byte> bytes = stackalloc byte[4];
        var count = 0;
        var unknownEnd = -1; // where the symbols so far end in an unknown token
        for (var at = 0; at < word.Length;)
        {
            if (word[at] < 0x80 && _byteIds[word[at]] >= 0)
            {
                (ids[count], starts[count], ends[count]) = (_byteIds[word[at]], at, at + 1);
                count++;
                at++;
                continue;
            }

            Rune.DecodeFromUtf16(word[at..], out var rune, out var length); // U+FFFD for an unpaired surrogate
            foreach (var value in bytes[..rune.EncodeToUtf8(bytes)])
            {
                if (_byteIds[value] >= 0) Add(_byteIds[value], ids, starts, ends, ref count, at, at + length);
                else AddUnknown(ids, starts, ends, ref count, ref unknownEnd, at, at + length);
            }

            at += length;
        }

        return count;
    }

    private int CharactersOf(ReadOnlySpan<char> word, Span<int> ids, Span<int> starts, Span<int> ends)
    {
        Span<byte> bytes = stackalloc byte[4];
        var count = 0;
        var unknownEnd = -1;
        for (var at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out var rune, out var length);
            if (_characterIds.TryGetValue(rune.Value, out var id))
            {
                Add(id, ids, starts, ends, ref count, at, at + length);
                at += length;
                continue;
            }

            var utf8 = bytes[..rune.EncodeToUtf8(bytes)];
            var known = true;
            foreach (var value in utf8) known &= _byteIds[value] >= 0;
            if (known)
            {
                foreach (var value in utf8) Add(_byteIds[value], ids, starts, ends, ref count, at, at + length);
            }
            else
            {
                AddUnknown(ids, starts, ends, ref count, ref unknownEnd, at, at + length);
            }

            at += length;
        }

        return count;
    }

    private static void Add(int id, Span<int> ids, Span<int> starts, Span<int> ends, ref int count, int start, int end)
    {
        (ids[count], starts[count], ends[count]) = (id, start, end);
        count++;
    }

    private void AddUnknown(Span<int> ids, Span<int> starts, Span<int> ends, ref int count, ref int unknownEnd, int start, int end)
    {
        if (_definition.FusesUnknown && count > 0 && unknownEnd == count)
        {
            ends[count - 1] = end;
            return;
        }

        Add(_unknownId, ids, starts, ends, ref count, start, end);
        unknownEnd = count;
    }
}
