using System.Runtime.CompilerServices;
using System.Text;

namespace Shad.Data.Demo;

/// <summary>
/// A text that knows what in it is template: written as an interpolated string, its literal parts are template and the strings
/// put into it are specific to the sample. A <see cref="Wording"/> put into it is template too, one of several phrasings.
/// </summary>
[InterpolatedStringHandler]
internal readonly struct AnnotatedText
{
    private readonly StringBuilder _text;
    private readonly List<(int Start, int End)> _specific;

    public AnnotatedText(int literalLength, int formattedCount)
    {
        _text = new StringBuilder(literalLength + 16 * formattedCount);
        _specific = new List<(int, int)>(formattedCount);
    }

    public string Text => _text.ToString();

    /// <summary>Spans of the specific parts, ascending, UTF-16 units.</summary>
    public IReadOnlyList<(int Start, int End)> Specific => _specific;

    public void AppendLiteral(string template) => _text.Append(template);

    public void AppendFormatted(string specific)
    {
        int start = _text.Length;
        _text.Append(specific);
        _specific.Add((start, _text.Length));
    }

    public void AppendFormatted(Wording template) => _text.Append(template.Text);

    public void AppendFormatted(AnnotatedText part)
    {
        int start = _text.Length;
        _text.Append(part._text);
        foreach ((int from, int to) in part._specific) _specific.Add((start + from, start + to));
    }
}

/// <summary>Template text chosen among several phrasings.</summary>
/// <param name="Text">The phrasing.</param>
internal readonly record struct Wording(string Text);
