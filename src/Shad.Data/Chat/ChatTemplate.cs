using Shad.Core.Errors;
using Shad.Data.Chat.Templates;
using Shad.Data.Corpora;

namespace Shad.Data.Chat;

/// <summary>
/// A model's own chat template, rendered as transformers' <c>apply_chat_template</c> does, with the place of every response known.
/// </summary>
/// <remarks>
/// <para>Responses. Where the template has <c>{% generation %}</c>, what stands in it is response, and nothing else. Without it, every
/// text that comes from a message keeps its origin through the whole rendering (slices, strips, replacements, escapes of JSON), and so does
/// what is written in the turn of the loop that belongs to a message. The response of an assistant's turn begins where the prompt
/// of inference ends, that is after the template's rendering of the messages before with <c>add_generation_prompt</c>, but never behind the
/// first character of the message; it ends with the last special token of the turn behind the message's last character, or where there is
/// none with the turn. Where this does not give a clear answer, the row is refused with the reason.</para>
/// <para>What a template cannot write. Tool calls become text (<see cref="ChatMessage.Content"/>) where it never asks for
/// <c>tool_calls</c>; tools stand in the system message, as in <see cref="ChatLayout"/>, where it never asks for <c>tools</c>; a system
/// message stands at the head of the next user message where the template refuses or drops it, and a tool's result is a user message
/// where it refuses or drops that. Arguments are objects, or JSON as text where only that is taken; ids of calls become nine letters and
/// digits where only these are. All this is found out by trial once a template.</para>
/// <para><c>strftime_now</c> tells the time at which the template was opened, in every row.</para>
/// </remarks>
public sealed class ChatTemplate : IChatFormat
{
    private readonly ChatTemplateFiles _files;
    private readonly DateTime _now;
    private readonly Dictionary<string, TemplateTraits> _traits = new(StringComparer.Ordinal);

    private ChatTemplate(ChatTemplateFiles files, DateTime now)
    {
        _files = files;
        _now = now;
        foreach ((string name, JinjaTemplate template) in files.Templates) _traits[name] = TemplateTraits.Of(template, files.NamedTokens, now);
    }

    /// <inheritdoc/>
    public string Name => "template";

    /// <summary>Opens the template of a model folder.</summary>
    /// <param name="modelFolder">A Hugging Face model folder.</param>
    /// <param name="now">What <c>strftime_now</c> tells; null takes the local time.</param>
    /// <returns>The template; null where the model has none.</returns>
    /// <exception cref="ShadException">A file cannot be read, or a template is not well-formed or uses what is not supported.</exception>
    public static ChatTemplate? Open(string modelFolder, DateTime? now = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        return ChatTemplateFiles.Read(modelFolder) is { } files ? new ChatTemplate(files, now ?? DateTime.Now) : null;
    }

    /// <summary>Opens the template of a model folder that must have one.</summary>
    /// <param name="modelFolder">A Hugging Face model folder.</param>
    /// <exception cref="ShadException">As <see cref="Open"/>, or there is none (<c>chat.no_template</c>).</exception>
    public static ChatTemplate Require(string modelFolder) => Open(modelFolder) ?? throw TemplateErrors.NoTemplate(modelFolder);

    /// <inheritdoc/>
    public TextSample Render(ConversationRow conversation, string? endOfSequence)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        string source = conversation.Source.ToString();
        string name = conversation.Tools.Count > 0 && _files.Templates.ContainsKey("tool_use") ? "tool_use" : "default";
        try
        {
            var chat = new TemplateChat(_files.Templates[name], _traits[name], _files.NamedTokens, conversation, _now);
            return new ResponseFinder(chat, _files.SpecialTokens).ToSample();
        }
        catch (ShadException e) when (e.Code.StartsWith("chat.template", StringComparison.Ordinal))
        {
            throw ChatErrors.OfRow(source, e);
        }
    }
}
