using Shad.Core.Errors;

namespace Shad.Data.Chat;

/// <summary>Every error of chat layouts.</summary>
internal static class ChatErrors
{
    private const string OtherLayout = "Mend the row, or take a layout of Shad's own with --layout (corpus.layout in a recipe)";

    /// <summary>A template's error, with the row it befell.</summary>
    internal static ShadException OfRow(string source, ShadException error) => new(
        error.Code, $"{error.What} ({error.Where})", where: source, expected: error.Expected, mend: OtherLayout, inner: error);

    internal static ShadException TextLost(string source, int message, string what) => new(
        "chat.text_lost", $"The chat template leaves out {what} of message {message}", where: source,
        expected: "a template that writes every response", mend: OtherLayout);

    internal static ShadException UnclearSpans(string source, int message, string why) => new(
        "chat.unclear_response", $"Where the response of message {message} begins or ends in the rendered text is not clear: {why}", where: source,
        expected: "a turn that begins with the template's generation prompt, or {% generation %} in the template", mend: OtherLayout);

    internal static ShadException SpanInCalls(string source, int message) => new(
        "chat.span_in_tool_call",
        $"'reasoning_spans' points into the tool calls of message {message}, which the chat template writes its own way", where: source,
        expected: "spans of the message's own text", mend: OtherLayout);

    internal static ShadException UnknownLayout(string name, IEnumerable<string> known) => new(
        "chat.unknown_layout", $"There is no chat layout '{name}'", expected: string.Join(", ", known),
        mend: "Take one of these, or give the layout's parts yourself");
}
