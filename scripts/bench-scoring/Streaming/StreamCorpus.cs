using System.Text;
using System.Text.Json;
using BenchScoring.Contenders;
using Shad.Core.Randomness;

namespace BenchScoring.Streaming;

/// <summary>A corpus of prompts and responses, about a kilobyte a row: 1,000,000 rows are 1 GB.</summary>
internal static class StreamCorpus
{
    /// <summary>Makes it where it is not there yet.</summary>
    /// <returns>The file.</returns>
    public static string Make(BenchPlaces places, int rows)
    {
        string file = Path.Combine(places.Work, "corpora", $"stream-{rows}.jsonl");
        if (File.Exists(file)) return file;
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        string[] words = Words(Path.Combine(StreamModel.Bundled(places), "tokenizer.json"));
        var random = new SeededRandom(11);
        var text = new StringBuilder();
        using (var writer = new StreamWriter(file + ".tmp", append: false, new UTF8Encoding(false), bufferSize: 1 << 20))
        {
            for (int row = 0; row < rows; row++)
            {
                // Prompts of 870 bytes on average, log-normal; responses of 60.
                writer.Write("""{"prompt":""");
                writer.Write(JsonSerializer.Serialize(Text((int)Math.Clamp(770 * Math.Exp(0.5 * random.NextGaussian()), 200, 4000))));
                writer.Write(""","response":""");
                writer.Write(JsonSerializer.Serialize(Text(random.NextInt32(20, 100))));
                writer.Write("}\n");
            }
        }

        File.Move(file + ".tmp", file, overwrite: true);
        return file;

        string Text(int length)
        {
            text.Clear();
            while (text.Length < length)
            {
                // One of ten is a number, one of twelve ends a sentence.
                if (text.Length > 0) text.Append(' ');
                if (random.NextInt32(10) == 0) text.Append(random.NextInt32(10_000));
                else text.Append(random.Choose<string>(words));
                if (random.NextInt32(12) == 0) text.Append('.');
            }

            return text.ToString();
        }
    }

    // Whole words of the vocabulary: texts then have about as many tokens a kilobyte as English has with a large vocabulary.
    private static string[] Words(string tokenizer)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(tokenizer));
        return
        [
            .. document.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject().Select(static token => token.Name)
                .Where(static name => name.Length > 3 && name[0] == 'Ġ' && name[1..].All(char.IsAsciiLetter)).Select(static name => name[1..])
                .Order(StringComparer.Ordinal),
        ];
    }
}
