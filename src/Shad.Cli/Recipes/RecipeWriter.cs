using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Shad.Cli.Recipes;

/// <summary>Writes a recipe with all its defaults, so that what was run can be read, and run again, from the run folder.</summary>
public static class RecipeWriter
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>A part of a recipe as canonical JSON, for the fingerprint of what depends on it.</summary>
    public static JsonNode ToJson<T>(T part) => JsonSerializer.SerializeToNode(part, Json)!;

    /// <summary>The recipe as YAML: read again, it gives an equal recipe.</summary>
    public static string ToYaml(Recipe recipe)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        var yaml = new StringBuilder("# Resolved recipe: every default filled in, paths absolute. Run it again with: shad run recipe.yaml\n");
        foreach ((string key, JsonNode? value) in ToJson(recipe).AsObject())
        {
            if (value is not JsonObject section)
            {
                yaml.Append(key).Append(": ").Append(Scalar(value)).Append('\n');
                continue;
            }

            yaml.Append(key).Append(":\n");
            foreach ((string name, JsonNode? item) in section) yaml.Append("  ").Append(name).Append(": ").Append(Scalar(item)).Append('\n');
        }

        return yaml.ToString();
    }

    /// <summary>A JSON value is a YAML flow value.</summary>
    private static string Scalar(JsonNode? value) => value switch
    {
        null => "null",
        JsonArray { Count: 0 } => "[]",
        JsonArray list => $"[{string.Join(", ", list.Select(Scalar))}]",
        JsonValue text when text.GetValueKind() == JsonValueKind.String => Quote(text.GetValue<string>()),
        _ => value.ToJsonString(),
    };

    private static string Quote(string text) =>
        text.Length > 0 && char.IsAsciiLetter(text[0]) && text is not ("null" or "true" or "false" or "yes" or "no" or "on" or "off")
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/')
            ? text
            : JsonSerializer.Serialize(text);
}
