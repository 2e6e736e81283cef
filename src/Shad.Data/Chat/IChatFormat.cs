using Shad.Core.Errors;
using Shad.Data.Corpora;

namespace Shad.Data.Chat;

/// <summary>Turns a conversation into the text of one sequence and says which parts of it are responses: a <see cref="ChatLayout"/> of
/// Shad's own, or a model's <see cref="ChatTemplate"/>. Safe for use from several threads.</summary>
public interface IChatFormat
{
    /// <summary>Its name, for messages.</summary>
    string Name { get; }

    /// <summary>The text of a conversation, prompt and response segments in turn; it ends with the last response.</summary>
    /// <param name="conversation">The conversation; holds at least one assistant message.</param>
    /// <param name="endOfSequence">The text of the tokenizer's end-of-sequence token; null where it has none.</param>
    /// <exception cref="ShadException">The conversation cannot be written in this format.</exception>
    TextSample Render(ConversationRow conversation, string? endOfSequence);
}
