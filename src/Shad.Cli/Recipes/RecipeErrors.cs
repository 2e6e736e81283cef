using Shad.Core.Errors;

namespace Shad.Cli.Recipes;

/// <summary>Every error of recipe files.</summary>
internal static class RecipeErrors
{
    /// <summary>Key of <see cref="Exception.Data"/> under which the single mistakes are kept, for <c>--json</c>.</summary>
    public const string MistakesKey = "mistakes";

    public static ShadException NotFound(string path) => new(
        "recipe.not_found", "There is no such recipe", path, mend: "Check the path; scripts/recipes holds examples");

    public static ShadException NotReadable(string path, Exception inner) => new(
        "recipe.not_readable", $"The recipe cannot be read: {inner.Message}", path, inner: inner);

    /// <summary>All mistakes of a recipe at once, each with its place.</summary>
    public static ShadException Invalid(string path, IReadOnlyList<string> mistakes)
    {
        string count = mistakes.Count == 1 ? "one mistake" : $"{mistakes.Count} mistakes";
        var error = new ShadException(
            "recipe.invalid",
            $"The recipe has {count}:{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", mistakes)}",
            path);
        error.Data[MistakesKey] = mistakes.ToArray();
        return error;
    }
}
