using Shad.Core.Errors;

namespace Shad.Data.Chat.Templates;

/// <summary>
/// A template in the subset of Jinja that chat templates use, as transformers sets it up: <c>trim_blocks</c>, <c>lstrip_blocks</c>, loop controls,
/// <c>raise_exception</c>, <c>strftime_now</c>, <c>tojson</c> by <c>json.dumps</c> and the tag <c>generation</c>. Safe for use from several
/// threads.
/// </summary>
internal sealed class JinjaTemplate
{
    private readonly IReadOnlyList<Statement> _body;
    private readonly string _file;
    private readonly HashSet<string> _names;

    private JinjaTemplate(IReadOnlyList<Statement> body, string file, HashSet<string> names)
    {
        _body = body;
        _file = file;
        _names = names;
    }

    /// <summary>True where the template marks what the model says with <c>{% generation %}</c>.</summary>
    internal bool MarksGeneration => Names("generation") && Names("endgeneration");

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="file">Its file, for messages, which add <c>:LINE</c>.</param>
    /// <exception cref="ShadException">It is not well-formed, or uses what is not supported.</exception>
    internal static JinjaTemplate Parse(string source, string file)
    {
        var tokens = TemplateLexer.Tokenize(source, file);
        return new JinjaTemplate(TemplateParser.Parse(tokens, file), file, TemplateParser.NamesIn(tokens));
    }

    /// <summary>True where the template has a name or a string literal of that text: only then can it ask for it.</summary>
    internal bool Names(string name) => _names.Contains(name);

    /// <summary>The text for some variables, with the origins of its pieces.</summary>
    /// <exception cref="ShadException">The template fails, refuses the conversation or goes beyond a bound.</exception>
    internal TextValue Render(IReadOnlyDictionary<string, TemplateValue> variables, DateTime now) =>
        new TemplateRenderer(_file, now).Render(_body, variables);
}
