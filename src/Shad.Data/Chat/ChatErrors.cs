using Shad.Core.Errors;

namespace Shad.Data.Chat;

/// <summary>Every error of chat layouts.</summary>
internal static class ChatErrors
{
    internal static ShadException UnknownLayout(string name, IEnumerable<string> known) => new(
        "chat.unknown_layout", $"There is no chat layout '{name}'", expected: string.Join(", ", known),
        mend: "Take one of these, or give the layout's parts yourself");
}
