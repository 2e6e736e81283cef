using Shad.Core.Samples;
using Shad.Data.Chat;

namespace Shad.Data.Corpora;

/// <summary>A good row of a corpus: a <see cref="ConversationRow"/> or a <see cref="TokenizedRow"/>.</summary>
/// <param name="Id">The sample's name, unique in the corpus.</param>
/// <param name="Source">Where the row stands.</param>
public abstract record CorpusRow(string Id, RowSource Source);

/// <summary>A row of text, whatever its format: prompt and response are a conversation of two turns.</summary>
/// <param name="Id">The sample's name, unique in the corpus.</param>
/// <param name="Source">Where the row stands.</param>
/// <param name="Messages">The turns; at least one is the assistant's, none of whose turns is empty or stands without anything
/// before it.</param>
/// <param name="Tools">The tools, each as compact JSON on one line; empty where there are none.</param>
public sealed record ConversationRow(string Id, RowSource Source, IReadOnlyList<ChatMessage> Messages, IReadOnlyList<string> Tools)
    : CorpusRow(Id, Source)
{
    /// <summary>Parts of the responses known to be reasoning, from the field <c>reasoning_spans</c>; null where the roles are not
    /// known, empty where all is known to be boilerplate.</summary>
    public IReadOnlyList<ReasoningSpan>? KnownReasoning { get; init; }
}

/// <summary>A row that was already tokenized.</summary>
/// <param name="Id">The sample's name, unique in the corpus.</param>
/// <param name="Source">Where the row stands.</param>
/// <param name="Tokens">The tokens; its roles, where the row has them, are taken as known.</param>
public sealed record TokenizedRow(string Id, RowSource Source, TokenizedSample Tokens) : CorpusRow(Id, Source);

/// <summary>A part of a message's content that is known to be reasoning.</summary>
/// <param name="Message">Index of the message.</param>
/// <param name="Start">First character, UTF-16 units from the start of the content.</param>
/// <param name="End">One past the last character.</param>
public readonly record struct ReasoningSpan(int Message, int Start, int End);
