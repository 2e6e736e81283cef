using System.Text.Json;
using System.Text.RegularExpressions;
using Shad.Core.Errors;

namespace MakeShadMini.Texts;

/// <summary>Prompts (never responses) of real corpora, and the words that occur in them.</summary>
internal sealed partial record Harvest(IReadOnlyList<string> Texts, IReadOnlyList<string> Words)
{
    /// <exception cref="ShadException">A file is missing or holds no user message.</exception>
    public static Harvest Read(IEnumerable<string> files)
    {
        var texts = new List<string>();
        foreach (string file in files)
        {
            if (!File.Exists(file))
                throw new ShadException("make.missing_corpus", "the file does not exist", file, "a JSONL corpus of chat messages", "give it with --corpus");
            foreach (string line in File.ReadLines(file))
            {
                using var row = JsonDocument.Parse(line);
                foreach (var message in row.RootElement.GetProperty("messages").EnumerateArray())
                {
                    if (message.GetProperty("role").GetString() == "user") texts.Add(message.GetProperty("content").GetString()!);
                }
            }
        }

        var words = texts.SelectMany(text => Word().Matches(text).Select(match => match.Value))
            .GroupBy(word => word).OrderByDescending(group => group.Count()).ThenBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => group.Key).ToArray();
        return new Harvest(texts, words);
    }

    [GeneratedRegex(@"\b[A-Za-z]{3,12}\b")]
    private static partial Regex Word();
}
