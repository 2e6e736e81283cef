using System.Globalization;
using System.Numerics;
using System.Text;
using Shad.Core.Errors;
using Shad.Data.Corpora;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Shad.Cli.Recipes;

/// <summary>
/// One mapping of a recipe, read key by key. A wrong value is noted with its line and the default returned in its place, so that
/// one pass finds every mistake; <see cref="End"/> notes the keys nobody asked for.
/// </summary>
/// <param name="mistakes">Where mistakes are noted.</param>
/// <param name="node">The mapping; null where the recipe leaves the section out.</param>
/// <param name="path">Dotted path of the section, empty for the root.</param>
internal sealed class RecipeSection(RecipeMistakes mistakes, YamlMappingNode? node, string path)
{
    private static readonly Dictionary<string, bool> s_flags = new() { ["true"] = true, ["false"] = false };
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>True where a file that is not there is a mistake.</summary>
    public bool FilesMustExist => mistakes.FilesMustExist;

    /// <summary>The section under a key; reads as empty where it is absent or null.</summary>
    public RecipeSection Section(string key)
    {
        YamlNode? value = Take(key);
        switch (value)
        {
            case null:
                return new RecipeSection(mistakes, null, PathOf(key));
            case YamlMappingNode mapping:
                return new RecipeSection(mistakes, mapping, PathOf(key));
            default:
                mistakes.Add(value, $"'{PathOf(key)}' is {Describe(value)}; expected a section of keys");
                return new RecipeSection(mistakes, null, PathOf(key)) { IsUnreadable = true };
        }
    }

    /// <summary>True where something else stands in the section's place: the mistake is noted once, not again for each key.</summary>
    private bool IsUnreadable { get; init; }

    /// <summary>True where a key has a value other than null.</summary>
    public bool Has(string key) => Take(key) is not null;

    /// <summary>True or false; the default where absent or wrong.</summary>
    public bool Flag(string key, bool defaultValue) => Choice(key, defaultValue, s_flags);

    /// <summary>A text; null where absent.</summary>
    public string? Text(string key, bool required = false)
    {
        YamlNode? value = Take(key);
        if (value is null)
        {
            if (required) Missing(key);
            return null;
        }

        if (value is YamlScalarNode { Value: { Length: > 0 } text }) return text;
        mistakes.Add(value, $"'{PathOf(key)}' is {Describe(value)}; expected a text");
        return null;
    }

    /// <summary>A list of texts; a single text counts as a list of one.</summary>
    public IReadOnlyList<(string Text, YamlNode Node)>? Texts(string key, bool required = false)
    {
        YamlNode? value = Take(key);
        switch (value)
        {
            case null:
                if (required) Missing(key);
                return null;
            case YamlScalarNode { Value: { Length: > 0 } single }:
                return [(single, value)];
            case YamlSequenceNode sequence:
                var texts = new List<(string, YamlNode)>();
                foreach (YamlNode item in sequence.Children)
                {
                    if (item is YamlScalarNode { Value: { Length: > 0 } text }) texts.Add((text, item));
                    else mistakes.Add(item, $"an item of '{PathOf(key)}' is {Describe(item)}; expected a text");
                }

                if (required && sequence.Children.Count == 0)
                    mistakes.Add(value, $"'{PathOf(key)}' is an empty list; expected at least one item");
                return texts;
            default:
                mistakes.Add(value, $"'{PathOf(key)}' is {Describe(value)}; expected a list of texts");
                return null;
        }
    }

    /// <summary>A file or folder path, made absolute against the recipe's folder (against the current folder for
    /// <c>--set</c>).</summary>
    public string? FilePath(string key, bool required = false) =>
        Text(key, required) is { } text ? mistakes.Resolve(text, node!.Children[new YamlScalarNode(key)]) : null;

    /// <summary>A list of files, folders and globs, which must be there, as absolute paths of files; one that stands for no file is a mistake.</summary>
    public IReadOnlyList<string> CorpusPaths(string key)
    {
        var paths = new List<string>();
        foreach ((string text, YamlNode item) in Texts(key, required: true) ?? [])
        {
            string name = mistakes.Resolve(text, item);
            if (!FilesMustExist)
            {
                paths.Add(name);
                continue;
            }

            try
            {
                IReadOnlyList<string> files = CorpusFiles.Of(name);
                if (files is [var file] && !File.Exists(file)) mistakes.Add(item, $"the file '{file}' does not exist");
                paths.AddRange(files);
            }
            catch (ShadException e)
            {
                mistakes.Add(item, $"'{name}': {e.What}; expected {e.Expected}");
                paths.Add(name);
            }
        }

        return paths;
    }

    /// <summary>A whole number within bounds; the default where absent or wrong.</summary>
    public int Integer(string key, int defaultValue, int minimum, int maximum = int.MaxValue) =>
        OptionalInteger(key, minimum, maximum) ?? defaultValue;

    /// <summary>A whole number within bounds; null where absent or wrong.</summary>
    public int? OptionalInteger(string key, int minimum, int maximum = int.MaxValue) =>
        Number<int>(key, NumberStyles.AllowLeadingSign | NumberStyles.AllowThousands, "a whole number", minimum, maximum);

    /// <summary>A seed.</summary>
    public ulong Seed(string key, ulong defaultValue) =>
        Number<ulong>(key, NumberStyles.None, "a whole number of at least 0", 0, ulong.MaxValue) ?? defaultValue;

    /// <summary>A number within bounds; the default where absent or wrong.</summary>
    public double Real(string key, double defaultValue, double minimum, double maximum, bool minimumExcluded = false)
    {
        double? number = Number<double>(key, NumberStyles.Float, "a number", minimum, maximum);
        if (number == minimum && minimumExcluded)
        {
            mistakes.Add(Take(key)!, $"'{PathOf(key)}' is {Show(minimum)}; expected more than {Show(minimum)}");
            return defaultValue;
        }

        return number ?? defaultValue;
    }

    /// <summary>A number within bounds; null where absent or wrong.</summary>
    public double? OptionalReal(string key, double minimum, double maximum) =>
        Number<double>(key, NumberStyles.Float, "a number", minimum, maximum);

    /// <summary>A value with a notation of its own; the default where absent or wrong.</summary>
    public T Parsed<T>(string key, T defaultValue, Func<string, T?> parse, string expected)
        where T : struct
    {
        if (Text(key) is not { } text) return defaultValue;
        if (parse(text) is { } value) return value;
        mistakes.Add(Take(key), $"'{PathOf(key)}' is '{text}'; expected {expected}");
        return defaultValue;
    }

    /// <summary>A text that is written as expected; the default where absent or wrong.</summary>
    public string Written(string key, string defaultValue, Func<string, bool> isWritten, string expected)
    {
        if (Text(key) is not { } text) return defaultValue;
        if (isWritten(text)) return text;
        mistakes.Add(Take(key), $"'{PathOf(key)}' is '{text}'; expected {expected}");
        return defaultValue;
    }

    /// <summary>One of named values; the default where absent or wrong.</summary>
    public T Choice<T>(string key, T defaultValue, IReadOnlyDictionary<string, T> choices) =>
        Text(key) is { } text ? Choose(key, text, Take(key)!, choices, defaultValue) : defaultValue;

    /// <summary>One of some texts, or null where it is written so; the default where absent or wrong.</summary>
    public string? OptionalChoice(string key, string? defaultValue, IReadOnlyList<string> choices)
    {
        if (node is not null && node.Children.ContainsKey(new YamlScalarNode(key)) && Take(key) is null) return null;
        return Text(key) is { } text
            ? Choose<string?>(key, text, Take(key)!, choices.ToDictionary(choice => choice, choice => (string?)choice), defaultValue)
            : defaultValue;
    }

    /// <summary>A list of named values without repeats; the default where absent or wrong.</summary>
    public IReadOnlyList<T> Choices<T>(string key, IReadOnlyList<T> defaultValue, IReadOnlyDictionary<string, T> choices)
    {
        if (Texts(key) is not { } texts) return defaultValue;
        var chosen = new List<T>();
        foreach ((string text, YamlNode item) in texts)
        {
            if (!choices.TryGetValue(text, out T? value)) NotAChoice(key, text, item, choices.Keys);
            else if (chosen.Contains(value)) mistakes.Add(item, $"'{PathOf(key)}' names '{text}' twice");
            else chosen.Add(value);
        }

        return chosen;
    }

    /// <summary>Notes that a value does not fit, at its line.</summary>
    public void Note(string key, string message) => mistakes.Add(Take(key) ?? node, message);

    /// <summary>Notes every key that was not read, with the nearest known one.</summary>
    public void End()
    {
        if (node is null) return;
        foreach ((YamlNode key, _) in node.Children)
        {
            string name = (key as YamlScalarNode)?.Value ?? key.ToString();
            if (_known.Contains(name)) continue;
            string place = path.Length == 0 ? "the recipe" : $"'{path}'";
            string hint = NearestName.Of(name, _known) is { } nearest
                ? $"did you mean '{nearest}'?"
                : $"known: {string.Join(", ", _known.Order(StringComparer.Ordinal))}";
            mistakes.Add(key, $"unknown key '{name}' in {place}; {hint}");
        }
    }

    private YamlNode? Take(string key)
    {
        _known.Add(key);
        if (node is null || !node.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? value)) return null;
        return value is YamlScalarNode { Style: ScalarStyle.Plain or ScalarStyle.Any, Value: null or "" or "null" or "~" } ? null : value;
    }

    private void Missing(string key)
    {
        if (!IsUnreadable) mistakes.Add(node, $"'{PathOf(key)}' is missing");
    }

    private T? Number<T>(string key, NumberStyles styles, string kind, T minimum, T maximum)
        where T : struct, INumber<T>, IMinMaxValue<T>
    {
        YamlNode? value = Take(key);
        if (value is null) return null;
        // Underscores group digits in YAML numbers.
        string text = (value as YamlScalarNode)?.Value?.Replace("_", "", StringComparison.Ordinal) ?? "";
        if (value is not YamlScalarNode || !T.TryParse(text, styles, CultureInfo.InvariantCulture, out T number) || T.IsNaN(number))
        {
            mistakes.Add(value, $"'{PathOf(key)}' is {Describe(value)}; expected {kind}");
            return null;
        }

        if (number >= minimum && number <= maximum) return number;
        string expected = maximum == T.MaxValue ? $"at least {Show(minimum)}" : $"{Show(minimum)} to {Show(maximum)}";
        mistakes.Add(value, $"'{PathOf(key)}' is {Show(number)}; expected {expected}");
        return null;
    }

    private T Choose<T>(string key, string text, YamlNode at, IReadOnlyDictionary<string, T> choices, T defaultValue)
    {
        if (choices.TryGetValue(text, out T? value)) return value;
        NotAChoice(key, text, at, choices.Keys);
        return defaultValue;
    }

    private void NotAChoice(string key, string text, YamlNode at, IEnumerable<string> choices) =>
        mistakes.Add(at, $"'{PathOf(key)}' is '{text}'; expected one of {string.Join(", ", choices)}"
            + (NearestName.Of(text, choices) is { } nearest ? $" (did you mean '{nearest}'?)" : ""));

    private string PathOf(string key) => path.Length == 0 ? key : $"{path}.{key}";

    private static string Show<T>(T number) => string.Create(CultureInfo.InvariantCulture, $"{number}");

    private static string Describe(YamlNode value) => value switch
    {
        YamlScalarNode scalar => $"'{scalar.Value}'",
        YamlSequenceNode => "a list",
        YamlMappingNode => "a section",
        _ => value.NodeType.ToString(),
    };
}

/// <summary>The mistakes found in a recipe, each with its place, and where relative paths start.</summary>
/// <param name="file">The recipe file as the user named it.</param>
/// <param name="filesMustExist">True where a file that is not there is a mistake.</param>
internal sealed class RecipeMistakes(string file, bool filesMustExist = true)
{
    public bool FilesMustExist => filesMustExist;

    private readonly List<(long Line, string Text)> _found = [];
    private readonly Dictionary<YamlNode, string> _overrides = new(ReferenceEqualityComparer.Instance);

    /// <summary>The mistakes, in the order of their lines; those of <c>--set</c> last.</summary>
    public IReadOnlyList<string> All => _found.OrderBy(mistake => mistake.Line).Select(mistake => mistake.Text).ToList();

    /// <summary>Remembers that a node and what is under it came from a <c>--set</c> option.</summary>
    public void ComesFromOption(YamlNode node, string option)
    {
        foreach (YamlNode child in node.AllNodes) _overrides[child] = option;
    }

    /// <summary>Notes a mistake at a node; at the file's start where there is none.</summary>
    public void Add(YamlNode? node, string message)
    {
        if (node is not null && _overrides.TryGetValue(node, out string? option)) AddOption(option, message);
        else _found.Add((node?.Start.Line ?? 1, $"{file}:{Math.Max(1, node?.Start.Line ?? 1)}: {message}"));
    }

    /// <summary>Notes a mistake at a line.</summary>
    public void AddLine(long line, string message) => _found.Add((line, $"{file}:{line}: {message}"));

    /// <summary>Notes a mistake of a <c>--set</c> option.</summary>
    public void AddOption(string option, string message) => _found.Add((long.MaxValue, $"--set {option}: {message}"));

    /// <summary>An absolute path: relative ones start at the recipe's folder, those of <c>--set</c> at the current folder.</summary>
    public string Resolve(string path, YamlNode node) =>
        _overrides.ContainsKey(node) ? Path.GetFullPath(path) : Path.GetFullPath(path, Path.GetDirectoryName(Path.GetFullPath(file))!);
}

/// <summary>The known name a mistyped one probably meant.</summary>
internal static class NearestName
{
    /// <summary>The nearest of the known names by edit distance, or null where none is near: at most a third of its letters and
    /// never more than three edits.</summary>
    public static string? Of(string name, IEnumerable<string> known) => known
        .Select(candidate => (Candidate: candidate, Edits: Edits(name, candidate)))
        .Where(pair => pair.Edits <= Math.Min(3, Math.Max(1, pair.Candidate.Length / 3)))
        .OrderBy(pair => pair.Edits).ThenBy(pair => pair.Candidate, StringComparer.Ordinal)
        .Select(pair => pair.Candidate).FirstOrDefault();

    /// <summary>Edit distance with insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).</summary>
    private static int Edits(string a, string b)
    {
        var distance = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++) distance[i, 0] = i;
        for (int j = 0; j <= b.Length; j++) distance[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = a[i - 1] == b[j - 1] ? 0 : 1;
                distance[i, j] = Math.Min(
                    Math.Min(distance[i - 1, j] + 1, distance[i, j - 1] + 1), distance[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    distance[i, j] = Math.Min(distance[i, j], distance[i - 2, j - 2] + 1);
            }
        }

        return distance[a.Length, b.Length];
    }
}
