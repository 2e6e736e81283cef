using Shad.Core.Errors;

namespace Shad.Data.Chat.Templates;

/// <summary>A rule of the template language that a value broke; the renderer adds the file and the line.</summary>
internal sealed class TemplateFault(string what, string? expected = null) : Exception(what)
{
    internal string? Expected { get; } = expected;
}

/// <summary>Every error of chat templates.</summary>
internal static class TemplateErrors
{
    private const string OtherLayout = "Take another template, or a layout of Shad's own with --layout (corpus.layout in a recipe)";

    internal static ShadException Syntax(string where, string what, string? expected = null) => new(
        "chat.template_syntax", $"The chat template is not well-formed: {what}", where: where, expected: expected, mend: OtherLayout);

    internal static ShadException Unsupported(string where, string construct) => new(
        "chat.template_unsupported", $"The chat template uses {construct}, which is not supported", where: where, mend: OtherLayout);

    internal static ShadException Failed(string where, TemplateFault fault) => new(
        "chat.template_failed", $"The chat template fails here: {fault.Message}", where: where, expected: fault.Expected, mend: OtherLayout,
        inner: fault);

    internal static ShadException Refused(string where, string message) => new(
        "chat.template_refused", $"The chat template refuses the conversation: {message}", where: where, mend: OtherLayout);

    internal static ShadException TooMuch(string where, string what, long limit) => new(
        "chat.template_too_much", $"The chat template goes beyond the bound on {what}, {limit:N0}", where: where,
        expected: "a template that ends");

    internal static ShadException BadField(string where, string found, string expected) => new(
        "chat.template_field", $"The field is {found}", where: where, expected: expected);

    internal static ShadException NoDefault(string where, IEnumerable<string> names) => new(
        "chat.template_field", $"There is no template named 'default' among {string.Join(", ", names)}", where: where,
        expected: "a template named 'default'");

    internal static ShadException Unreadable(string file, Exception inner) => new(
        "chat.template_unreadable", $"The file cannot be read ({inner.Message.TrimEnd('.')})", where: file, inner: inner);

    internal static ShadException NoTemplate(string folder) => new(
        "chat.no_template", "The model has no chat template", where: folder,
        expected: "chat_template.jinja, or the field 'chat_template' in tokenizer_config.json", mend: "Take --layout plain or another layout");
}
