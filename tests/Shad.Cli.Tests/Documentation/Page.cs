using System.Text.RegularExpressions;

namespace Shad.Cli.Tests.Documentation;

/// <summary>A page of <c>docs/</c>, by its parts.</summary>
internal sealed partial class Page
{
    private readonly string[] _lines;

    private Page(string[] lines) => _lines = lines;

    /// <summary>The project's root.</summary>
    public static string Root
    {
        get
        {
            DirectoryInfo? folder = new(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) folder = folder.Parent;
            return folder?.FullName ?? throw new InvalidOperationException("The tests do not lie in the project's tree.");
        }
    }

    public static Page Read(string name) => new(File.ReadAllLines(Path.Combine(Root, "docs", name)));

    /// <summary>Contents of the code blocks of a language.</summary>
    public IEnumerable<string> Blocks(string language)
    {
        for (int i = 0; i < _lines.Length; i++)
        {
            if (!_lines[i].StartsWith("```", StringComparison.Ordinal)) continue;
            int end = Array.IndexOf(_lines, "```", i + 1);
            if (_lines[i] == "```" + language) yield return string.Join('\n', _lines[(i + 1)..end]);
            i = end;
        }
    }

    /// <summary>Rows of the tables under a heading, up to the next heading: cells without their back quotes.</summary>
    public IReadOnlyList<string[]> Rows(string heading)
    {
        int start = Array.IndexOf(_lines, heading);
        Assert.That(start, Is.GreaterThanOrEqualTo(0), heading);
        return [.. _lines.Skip(start + 1).TakeWhile(static line => !line.StartsWith('#')).Where(static line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(static line => line.Trim('|', ' ').Split(" | ").Select(static cell => cell.Trim(' ', '`', '|')).ToArray())];
    }

    /// <summary>What stands in back quotes in the first cells of all tables.</summary>
    public IEnumerable<string> FirstCells() => _lines.Where(static line => line.StartsWith("| `", StringComparison.Ordinal))
        .SelectMany(static line => Quoted().Matches(line[..line.IndexOf(" | ", StringComparison.Ordinal)]).Select(static match => match.Groups[1].Value));

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();
}
