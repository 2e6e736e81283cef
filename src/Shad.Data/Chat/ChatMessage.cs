namespace Shad.Data.Chat;

/// <summary>Who speaks in a message.</summary>
public enum ChatRole
{
    /// <summary>Instructions for the whole conversation.</summary>
    System,

    /// <summary>The person.</summary>
    User,

    /// <summary>The model: every such turn is a response.</summary>
    Assistant,

    /// <summary>The result of a tool the model called.</summary>
    Tool,
}

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">Who speaks.</param>
/// <param name="Content">The text, tool calls included.</param>
public sealed record ChatMessage(ChatRole Role, string Content);
