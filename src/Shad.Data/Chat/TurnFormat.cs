namespace Shad.Data.Chat;

/// <summary>What stands around the content of a turn.</summary>
/// <param name="Prefix">Before the content; always part of the prompt.</param>
/// <param name="Suffix">After the content. Of an assistant turn it is part of the response: it teaches the model to stop.</param>
/// <remarks>The placeholder <c>{eos}</c> stands for the text of the tokenizer's end-of-sequence token.</remarks>
public sealed record TurnFormat(string Prefix, string Suffix);
