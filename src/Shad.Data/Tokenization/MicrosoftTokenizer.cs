using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace Shad.Data.Tokenization;

/// <summary>
/// A tokenizer of a model folder as a <see cref="Tokenizer"/> of Microsoft.ML.Tokenizers, for code that takes one: that library
/// reads no <c>tokenizer.json</c> itself.
/// </summary>
/// <remarks>
/// Ids and offsets are those of <see cref="ITextTokenizer.Encode"/> for a text that begins a sequence, without beginning- and
/// end-of-sequence tokens. Offsets are UTF-16 units of the text given, also where the model normalizes it.
/// </remarks>
/// <param name="tokenizer">The tokenizer.</param>
public sealed class MicrosoftTokenizer(ITextTokenizer tokenizer) : Tokenizer
{
    /// <inheritdoc/>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        int[] all = [.. ids];
        string text = tokenizer.Decode(all);
        idsConsumed = all.Length;
        if (text.Length > destination.Length)
        {
            // The text of a prefix is found by halving: it grows with the prefix, but not by a fixed length a token, and a token
            // that ends within a character has no text of its own.
            int fits = 0, beyond = all.Length;
            while (beyond - fits > 1)
            {
                int middle = (fits + beyond) / 2;
                if (tokenizer.Decode(all.AsSpan(0, middle)).Length <= destination.Length) fits = middle;
                else beyond = middle;
            }

            idsConsumed = fits;
            text = tokenizer.Decode(all.AsSpan(0, fits));
        }

        text.CopyTo(destination);
        charsWritten = text.Length;
        return idsConsumed == all.Length ? OperationStatus.Done : OperationStatus.DestinationTooSmall;
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        text ??= textSpan.ToString();
        EncodedText encoded = tokenizer.Encode(text);
        int count = Math.Min(encoded.Ids.Length, settings.MaxTokenCount);
        var tokens = new EncodedToken[count];
        for (int i = 0; i < count; i++)
            tokens[i] = new EncodedToken(encoded.Ids[i], tokenizer.Describe(encoded.Ids[i]), encoded.OffsetStart[i]..encoded.OffsetEnd[i]);
        return new EncodeResults<EncodedToken>
        {
            Tokens = tokens,
            CharsConsumed = count == encoded.Ids.Length ? text.Length : count == 0 ? 0 : encoded.OffsetEnd[count - 1],
        };
    }
}
