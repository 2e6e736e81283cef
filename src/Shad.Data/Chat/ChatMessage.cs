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
/// <param name="Content">The text, tool calls included: behind the message's own text, after a line end where that is not empty, as one
/// line of compact JSON <c>[{"name":…,"arguments":…}]</c>.</param>
public sealed record ChatMessage(ChatRole Role, string Content)
{
    /// <summary>The message's own text, at the head of <see cref="Content"/>; null where there are only tool calls.</summary>
    public string? Text { get; init; } = Content;

    /// <summary>The calls of an assistant turn, for templates that write them their own way.</summary>
    public IReadOnlyList<ToolCall> ToolCalls { get; init; } = [];

    /// <summary>The other fields of the message that a template may ask for (<c>name</c>, <c>tool_call_id</c>, <c>reasoning_content</c> and
    /// such), as one compact JSON object; null where there are none.</summary>
    public string? Fields { get; init; }
}

/// <summary>A call of a tool.</summary>
/// <param name="Name">The tool's name.</param>
/// <param name="Arguments">The arguments as compact JSON: an object, or what else the corpus has.</param>
/// <param name="Id">What the tool's result refers to; null where the corpus has none.</param>
public sealed record ToolCall(string Name, string Arguments, string? Id = null);
