using System.Text.Json;
using Shad.Core.Errors;
using Shad.Data.Chat.Templates;
using Shad.Data.Tokenization;

namespace Shad.Data.Chat;

/// <summary>What a model folder says about chat templates, as transformers reads it.</summary>
/// <param name="Templates">The templates by name; <c>default</c> is one of them.</param>
/// <param name="NamedTokens">The texts of <c>bos_token</c>, <c>eos_token</c> and the like, which templates see under these names.</param>
/// <param name="SpecialTokens">The texts of all special tokens: one of them ends a turn.</param>
internal sealed record ChatTemplateFiles(
    IReadOnlyDictionary<string, JinjaTemplate> Templates, IReadOnlyDictionary<string, string> NamedTokens, IReadOnlyList<string> SpecialTokens)
{
    private const string ConfigFile = "tokenizer_config.json";

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>Reads <c>chat_template.jinja</c> (with <c>additional_chat_templates/*.jinja</c>) or, where there is none, the field
    /// <c>chat_template</c> of <c>tokenizer_config.json</c>; null where the model has no template.</summary>
    /// <exception cref="ShadException">A file cannot be read, or a template is not well-formed or not supported.</exception>
    internal static ChatTemplateFiles? Read(string folder)
    {
        var templates = new Dictionary<string, JinjaTemplate>(StringComparer.Ordinal);
        var named = new Dictionary<string, string>(StringComparer.Ordinal);
        var special = new HashSet<string>(StringComparer.Ordinal);
        ReadTemplateFiles(folder, templates);
        string config = Path.Combine(folder, ConfigFile);
        if (File.Exists(config))
        {
            using var document = JsonFile.Open(config);
            var root = JsonField.Root(config, document.RootElement);
            if (templates.Count == 0) ReadTemplateField(config, root, templates);
            ReadTokens(root, named, special);
        }

        if (templates.Count == 0) return null;
        string map = Path.Combine(folder, "special_tokens_map.json");
        if (File.Exists(map))
        {
            using var document = JsonFile.Open(map);
            ReadTokens(JsonField.Root(map, document.RootElement), named, special);
        }

        string tokenizer = Path.Combine(folder, "tokenizer.json");
        if (File.Exists(tokenizer))
        {
            using var document = JsonFile.Open(tokenizer);
            ReadAddedTokens(JsonField.Root(tokenizer, document.RootElement).Optional("added_tokens"), special);
        }

        return new ChatTemplateFiles(templates, named, [.. special.Where(static token => token.Length > 0)]);
    }

    private static void ReadTemplateFiles(string folder, Dictionary<string, JinjaTemplate> templates)
    {
        string main = Path.Combine(folder, "chat_template.jinja");
        if (!File.Exists(main)) return;
        templates["default"] = Parse(main);
        string more = Path.Combine(folder, "additional_chat_templates");
        if (!Directory.Exists(more)) return;
        foreach (string file in Directory.EnumerateFiles(more, "*.jinja").Order(StringComparer.Ordinal))
            templates[Path.GetFileNameWithoutExtension(file)] = Parse(file);

        static JinjaTemplate Parse(string file)
        {
            try
            {
                return JinjaTemplate.Parse(File.ReadAllText(file), file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw TemplateErrors.Unreadable(file, e);
            }
        }
    }

    private static void ReadTemplateField(string where, JsonField root, Dictionary<string, JinjaTemplate> templates)
    {
        if (root.Optional("chat_template") is not { } field) return;
        if (field.Element.ValueKind == JsonValueKind.String)
        {
            templates["default"] = JinjaTemplate.Parse(field.Text(), $"{where}(chat_template)");
            return;
        }

        // transformers 4.43 and before wrote several templates as a list of names and texts.
        foreach (JsonField item in field.Items())
        {
            string name = item.Required("name").Text();
            templates[name] = JinjaTemplate.Parse(item.Required("template").Text(), $"{where}(chat_template {name})");
        }

        if (templates.Count > 0 && !templates.ContainsKey("default")) throw TemplateErrors.NoDefault($"{where}: chat_template", templates.Keys);
    }

    private static void ReadTokens(JsonField root, Dictionary<string, string> named, HashSet<string> special)
    {
        foreach (string name in TokenNames)
        {
            if (root.Optional(name) is not { } token) continue;
            string content = (token.Element.ValueKind == JsonValueKind.Object ? token.Required("content") : token).Text();
            named.TryAdd(name, content);
            special.Add(content);
        }

        if (root.Optional("added_tokens_decoder") is not { } added) return;
        foreach (JsonField token in added.Members())
        {
            if (token.Flag("special", false)) special.Add(token.Required("content").Text());
        }
    }

    private static void ReadAddedTokens(JsonField? added, HashSet<string> special)
    {
        foreach (JsonField token in added?.Items() ?? [])
        {
            if (token.Flag("special", false)) special.Add(token.Required("content").Text());
        }
    }
}
