using System.Text;
using Shad.Core.Errors;
using Shad.Data.Corpora;

namespace Shad.Data.Chat;

/// <summary>
/// How a conversation becomes the text of one sequence. Everything the layout puts before a content is prompt; an assistant turn's
/// content and the marker that ends it are response.
/// </summary>
/// <remarks>
/// <para>A rendered conversation is its turns in order, each <c>Prefix + content + Suffix</c>, with <see cref="Separator"/> between two
/// turns. Tools come in a system block: <see cref="ToolsHeader"/> and one tool a line as compact JSON, after the system message
/// and a blank line, or alone where there is no system message. The rendering ends with the last response: what follows it can
/// change no loss.</para>
/// <para>The beginning-of-sequence token is no part of a layout; <see cref="SampleEncoder"/> puts it where the tokenizer has one. The
/// placeholder <c>{eos}</c> in any part stands for the text of the tokenizer's end-of-sequence token; where it has none, for a line
/// end.</para>
/// <para>Named layouts (<see cref="Named"/>); change one with <c>with</c>:</para>
/// <list type="table">
/// <item><term>plain</term><description>the default for models without a template. The system text stands for itself; the other
/// turns are <c>User:⏎…</c>, <c>Assistant:⏎…{eos}</c>, <c>Tool:⏎…</c>, with a blank line between turns. The line end before the content keeps
/// the seam at a place where byte-level and SentencePiece tokenizers cut anyway.</description></item>
/// <item><term>chatml</term><description><c>&lt;|im_start|&gt;ROLE⏎…&lt;|im_end|&gt;⏎</c> (Qwen and others).</description></item>
/// <item><term>llama3</term><description><c>&lt;|start_header_id|&gt;ROLE&lt;|end_header_id|&gt;⏎⏎…&lt;|eot_id|&gt;</c>; tool results have the
/// role <c>ipython</c>.</description></item>
/// <item><term>mistral</term><description><c>[INST] …[/INST]</c> and <c> …{eos}</c> (the response begins with the space the model writes itself);
/// system text and tools stand at the head of the next user turn; tool results as <c>[TOOL_RESULTS] …[/TOOL_RESULTS]</c>.</description></item>
/// <item><term>verbatim</term><description>the texts as they are, for prompts that hold their template already: only <c>{eos}</c> follows a
/// response, and a blank line follows a system text.</description></item>
/// </list>
/// </remarks>
public sealed record ChatLayout : IChatFormat
{
    /// <summary>Stands for the text of the end-of-sequence token.</summary>
    public const string EndOfSequencePlaceholder = "{eos}";

    /// <summary>The layout of models without a template.</summary>
    public static ChatLayout Plain { get; } = new()
    {
        Name = "plain",
        System = new("", ""),
        User = new("User:\n", ""),
        Assistant = new("Assistant:\n", EndOfSequencePlaceholder),
        Tool = new("Tool:\n", ""),
        Separator = "\n\n",
    };

    /// <summary>ChatML.</summary>
    public static ChatLayout ChatMl { get; } = new()
    {
        Name = "chatml",
        System = new("<|im_start|>system\n", "<|im_end|>"),
        User = new("<|im_start|>user\n", "<|im_end|>"),
        Assistant = new("<|im_start|>assistant\n", "<|im_end|>"),
        Tool = new("<|im_start|>tool\n", "<|im_end|>"),
        Separator = "\n",
    };

    /// <summary>Llama 3.</summary>
    public static ChatLayout Llama3 { get; } = new()
    {
        Name = "llama3",
        System = new("<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"),
        User = new("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"),
        Assistant = new("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"),
        Tool = new("<|start_header_id|>ipython<|end_header_id|>\n\n", "<|eot_id|>"),
    };

    /// <summary>Mistral.</summary>
    public static ChatLayout Mistral { get; } = new()
    {
        Name = "mistral",
        System = null,
        User = new("[INST] ", "[/INST]"),
        Assistant = new("", EndOfSequencePlaceholder),
        Tool = new("[TOOL_RESULTS] ", "[/TOOL_RESULTS]"),
        ResponseStart = " ",
    };

    /// <summary>The texts as they are.</summary>
    public static ChatLayout Verbatim { get; } = new()
    {
        Name = "verbatim",
        System = new("", "\n\n"),
        User = new("", ""),
        Assistant = new("", EndOfSequencePlaceholder),
        Tool = new("", ""),
        ToolsHeader = "",
    };

    private static readonly ChatLayout[] All = [Plain, ChatMl, Llama3, Mistral, Verbatim];

    /// <summary>The names <see cref="Named"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Select(static layout => layout.Name)];

    /// <summary>For messages; <c>custom</c> where the layout is none of the named ones.</summary>
    public string Name { get; init; } = "custom";

    /// <summary>System turns; null puts their text, followed by a blank line, at the head of the next user turn.</summary>
    public TurnFormat? System { get; init; }

    /// <summary>User turns.</summary>
    public required TurnFormat User { get; init; }

    /// <summary>Assistant turns: the prefix is prompt, content and suffix are response.</summary>
    public required TurnFormat Assistant { get; init; }

    /// <summary>Results of tools.</summary>
    public required TurnFormat Tool { get; init; }

    /// <summary>Between two turns; part of the prompt.</summary>
    public string Separator { get; init; } = "";

    /// <summary>At the head of every response, part of it: a space the model's own template has there.</summary>
    public string ResponseStart { get; init; } = "";

    /// <summary>The line above the tools.</summary>
    public string ToolsHeader { get; init; } = "Tools:\n";

    /// <summary>A layout by its name, in any case.</summary>
    /// <exception cref="ShadException">There is none of that name (<c>chat.unknown_layout</c>).</exception>
    public static ChatLayout Named(string name) =>
        All.FirstOrDefault(layout => layout.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw ChatErrors.UnknownLayout(name, Names);

    /// <inheritdoc/>
    public TextSample Render(ConversationRow conversation, string? endOfSequence)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        return new ChatRendering(this, endOfSequence ?? "\n").Render(conversation);
    }
}
