namespace Shad.Data.Demo;

/// <summary>A generated tool-call sample whose roles are known character by character.</summary>
/// <param name="Id">Unique among all samples of all seeds.</param>
/// <param name="Format">How the response is laid out. The prompt says nothing about it.</param>
/// <param name="System">The system message: which functions there are.</param>
/// <param name="User">The user's request.</param>
/// <param name="Response">The assistant's answer: one function call with its reason.</param>
/// <param name="ReasoningSpans">What is specific to this sample: spans <c>[Start, End)</c> of <paramref name="Response"/> in UTF-16
/// units, ascending and apart from each other. Everything else is template.</param>
public sealed record DemoSample(
    string Id,
    DemoFormat Format,
    string System,
    string User,
    string Response,
    IReadOnlyList<(int Start, int End)> ReasoningSpans);
