using System.Text;

namespace MakeShadMini.Texts;

/// <summary>A document: what is given, what follows, and which spans of the latter are copied from the former.</summary>
internal sealed record TrainingDocument(string Prompt, string Response, IReadOnlyList<(int Start, int End)> CopiedSpans);

/// <summary>Writes a response and notes the spans copied from the prompt.</summary>
internal sealed class ResponseWriter
{
    private readonly StringBuilder _text = new();
    private readonly List<(int, int)> _copied = [];

    public ResponseWriter Template(string text)
    {
        _text.Append(text);
        return this;
    }

    public ResponseWriter Copy(string value)
    {
        _copied.Add((_text.Length, _text.Length + value.Length));
        _text.Append(value);
        return this;
    }

    public TrainingDocument After(string prompt) => new(prompt, _text.ToString(), _copied);
}
