using System.Text.Json;

namespace Shad.Data.Tokenization;

/// <summary>The tokens that begin and end a sequence.</summary>
/// <param name="BeginningId">The token put before every sequence; null where the model uses none.</param>
/// <param name="EndId">The token that ends a response; null where the model has none.</param>
internal sealed record SequenceMarkers(int? BeginningId, int? EndId)
{
    /// <summary>Finds the markers in the files of a model folder.</summary>
    /// <remarks>
    /// Beginning: <c>add_bos_token</c> and <c>bos_token</c> of <c>tokenizer_config.json</c>; where it does not say, the post-processor
    /// of <c>tokenizer.json</c>. End: <c>eos_token</c> of <c>tokenizer_config.json</c> or <c>special_tokens_map.json</c>, then the
    /// first <c>eos_token_id</c> of <c>generation_config.json</c> or <c>config.json</c>.
    /// </remarks>
    /// <exception cref="Core.Errors.ShadException">A file cannot be read, or names a token that the tokenizer does not have.</exception>
    public static SequenceMarkers Read(string folder, TokenizerDefinition definition)
    {
        var beginning = definition.TemplateBeginningId;
        int? end = null;
        Visit("tokenizer_config.json", root =>
        {
            if (root.Optional("add_bos_token") is not null)
            {
                if (!root.Flag("add_bos_token", false)) beginning = null;
                else beginning = Named(root.Optional("bos_token")) ?? beginning;
            }

            end = Named(root.Optional("eos_token"));
        });
        if (end is null) Visit("special_tokens_map.json", root => end = Named(root.Optional("eos_token")));
        if (end is null) Visit("generation_config.json", root => end = Numbered(root.Optional("eos_token_id")));
        if (end is null) Visit("config.json", root => end = Numbered(root.Optional("eos_token_id")));
        return new SequenceMarkers(beginning, end);

        void Visit(string name, Action<JsonField> read)
        {
            var file = Path.Combine(folder, name);
            if (!File.Exists(file)) return;
            using var document = JsonFile.Open(file);
            read(JsonField.Root(file, document.RootElement));
        }

        // A token is named by its content, or by an object that has it.
        int? Named(JsonField? field)
        {
            if (field is null) return null;
            var isObject = field.Element.ValueKind == JsonValueKind.Object;
            var content = (isObject ? field.Required("content") : field).Text();
            if (definition.Vocabulary.TryGetValue(content, out var id)) return id;
            return definition.AddedTokens.FirstOrDefault(token => token.Content == content)?.Id ??
                   throw field.UnknownToken(content);
        }

        int? Numbered(JsonField? field)
        {
            if (field is null) return null;
            if (field.Element.ValueKind == JsonValueKind.Array) field = field.Items().FirstOrDefault();
            if (field is null) return null;
            var id = field.TokenId();
            return id < definition.Tokens.Length && definition.Tokens[id] is not null
                ? id
                : throw field.Bad($"it is {id}, which is no token of tokenizer.json", "the id of a token");
        }
    }
}
