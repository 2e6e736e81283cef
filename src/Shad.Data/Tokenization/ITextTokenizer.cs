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
    /// <param name="isContinuation">True where the text continues a sequence: no prefix space is added in front of it, as
    /// SentencePiece-style tokenizers do at the start of a sequence.</param>
    /// <param name="previousId">The token that the text continues after; null where it is not known. Some of those tokenizers add the
    /// prefix space after an added token too.</param>
    EncodedText Encode(string text, bool isContinuation = false, int? previousId = null);

    /// <summary>The text of the tokens of a sequence: bytes that are no UTF-8 become U+FFFD, the prefix space is dropped.</summary>
    /// <remarks>
    /// <c>Decode(Encode(t).Ids) == t</c> for every well-formed text, except where the tokenizer itself is not reversible: one that
    /// normalizes to NFC gives the text in NFC, one that writes <c>▁</c> for a space gives a space for <c>▁</c>, one that adds its
    /// prefix space only where there is none drops the first space of a text, or of one after an added token, that begins with one, and white space that an added
    /// token takes in (<c>lstrip</c>, <c>rstrip</c>) is gone.
    /// </remarks>
    /// <exception cref="Core.Errors.ShadException">An id is not in the tokenizer.</exception>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>The text of one token as people read it: bytes that are no whole character are shown as <c>‹E2›</c>.</summary>
    /// <exception cref="Core.Errors.ShadException">The id is not in the tokenizer.</exception>
    string Describe(int id);

    /// <summary>The id of a token by its content (an added token or a vocabulary entry); null where there is none.</summary>
    int? IdOf(string content);
}
