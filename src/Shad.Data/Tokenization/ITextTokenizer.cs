namespace Shad.Data.Tokenization;

/// <summary>A model's tokenizer. Safe for use from several threads.</summary>
public interface ITextTokenizer
{
    /// <summary>One more than the largest token id, added tokens included.</summary>
    int VocabularySize { get; }

    /// <summary>The token put before every sequence; null where the model uses none.</summary>
    int? BeginningOfSequenceId { get; }

    /// <summary>The token that ends a response; null where the model has none.</summary>
    int? EndOfSequenceId { get; }

    /// <summary>
    /// The tokens of a text, without beginning- and end-of-sequence tokens of the post-processor. Text that spells an added
    /// (special) token becomes that token.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="isContinuation">True where the text continues a sequence: no prefix space is added
    /// (SentencePiece-style tokenizers add one at the start of a sequence only).</param>
    EncodedText Encode(string text, bool isContinuation = false);

    /// <summary>The text of tokens. <c>Decode(Encode(t).Ids) == t</c> for every well-formed text.</summary>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>The text of one token as people read it: bytes that are no whole character are shown as <c>‹E2›</c>.</summary>
    string Describe(int id);

    /// <summary>The id of a token by its content (an added token or a vocabulary entry); null where there is none.</summary>
    int? IdOf(string content);
}
