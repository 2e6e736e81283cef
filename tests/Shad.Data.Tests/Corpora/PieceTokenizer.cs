using System.Collections.Concurrent;
using Shad.Data.Tokenization;

namespace Shad.Data.Tests.Corpora;

/// <summary>
/// A tokenizer for tests: pieces of up to three UTF-16 units that merge across everything but surrogates; a surrogate pair is two tokens
/// that both carry its span, as byte tokens do; given special tokens are one token each.
/// </summary>
internal sealed class PieceTokenizer(bool hasBeginning, bool hasEnd, params string[] special) : ITextTokenizer
{
    private const int Beginning = 0;
    private const int End = 1;
    private const int FirstPiece = 100;

    private readonly ConcurrentDictionary<string, int> _ids = new();
    private readonly ConcurrentDictionary<int, string> _texts = new();
    private readonly string[] _special = [.. special, "</s>"];
    private int _next = FirstPiece;

    public int VocabularySize { get; init; } = 1_000_000;

    public int? BeginningOfSequenceId => hasBeginning ? Beginning : null;

    public int? EndOfSequenceId => hasEnd ? End : null;

    public EncodedText Encode(string text, bool isContinuation = false, int? previousId = null)
    {
        var tokens = new List<(int Id, int Start, int End)>();
        for (int i = 0; i < text.Length;)
        {
            string? marker = Array.Find(_special, s => string.CompareOrdinal(text, i, s, 0, s.Length) == 0);
            int length = 1;
            if (marker is not null)
            {
                length = marker.Length;
            }
            else if (char.IsHighSurrogate(text[i]))
            {
                length = 2;
                tokens.Add((IdOfPiece($"{text.AsSpan(i, 2)}/1"), i, i + 2));
                tokens.Add((IdOfPiece($"{text.AsSpan(i, 2)}/2"), i, i + 2));
                i += length;
                continue;
            }
            else
            {
                while (length < 3 && i + length < text.Length && !char.IsSurrogate(text[i + length])
                    && !Array.Exists(_special, s => string.CompareOrdinal(text, i + length, s, 0, s.Length) == 0))
                    length++;
            }

            tokens.Add((IdOfPiece(text.Substring(i, length)), i, i + length));
            i += length;
        }

        return new EncodedText([.. tokens.Select(t => t.Id)], [.. tokens.Select(t => t.Start)], [.. tokens.Select(t => t.End)]);
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        string text = "";
        foreach (int id in ids) text += Describe(id);
        return text;
    }

    public string Describe(int id) => id switch
    {
        Beginning => "<s>",
        End => "</s>",
        _ => _texts[id].EndsWith("/1", StringComparison.Ordinal) ? _texts[id][..2]
            : _texts[id].EndsWith("/2", StringComparison.Ordinal) ? "" : _texts[id],
    };

    public int? IdOf(string content) => content == "</s>" ? End : _ids.TryGetValue(content, out int id) ? id : null;

    private int IdOfPiece(string piece)
    {
        if (piece == "</s>") return End;
        int id = _ids.GetOrAdd(piece, _ => Interlocked.Increment(ref _next));
        _texts[id] = piece;
        return id;
    }
}
