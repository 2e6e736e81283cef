// Our side of the tokenizer parity script: encodes strings with the tokenizers of model folders and measures how fast.
//
//   TokenizerParity [--text FILE] STRINGS.jsonl OUT-FOLDER MODEL-FOLDER…
//
// STRINGS.jsonl holds a JSON string a line. For each model folder NAME the ids go to OUT-FOLDER/NAME.ours.jsonl, a list a line, and
// one line about the speed to stdout. Speed is UTF-8 megabytes a second of this process's CPU time, single-threaded: "first" with a
// new tokenizer, no word met before; "again" over the same strings, words looked up; "text" with a new tokenizer over the lines of a file,
// which repeat words as text does.
using System.Globalization;
using System.Text;
using System.Text.Json;
using Shad.Data.Tokenization;

string[]? text = null;
if (args[0] == "--text")
{
    text = File.ReadAllLines(args[1]);
    args = args[2..];
}

string[] strings = [.. File.ReadLines(args[0]).Select(line => JsonSerializer.Deserialize<string>(line)!)];
long bytes = BytesOf(strings);
Directory.CreateDirectory(args[1]);
foreach (string folder in args[2..])
{
    string name = Path.GetFileName(folder.TrimEnd(Path.DirectorySeparatorChar));
    ITextTokenizer tokenizer = TokenizerLoader.Load(folder);
    using (StreamWriter writer = File.CreateText(Path.Combine(args[1], name + ".ours.jsonl")))
    {
        foreach (string line in strings) writer.WriteLine(JsonSerializer.Serialize(tokenizer.Encode(line).Ids));
    }

    double first = SecondsOf(TokenizerLoader.Load(folder), strings); // the code is compiled by now, the words are new
    ITextTokenizer warm = TokenizerLoader.Load(folder);
    SecondsOf(warm, strings);
    double again = SecondsOf(warm, strings);
    string ofText = text is null ? "null" : (BytesOf(text) / SecondsOf(TokenizerLoader.Load(folder), text) / 1e6).ToString("0.00", CultureInfo.InvariantCulture);
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $$"""{"name":"{{name}}","bytes":{{bytes}},"first_mb_s":{{bytes / first / 1e6:0.00}},"again_mb_s":{{bytes / again / 1e6:0.00}},"text_mb_s":{{ofText}}}"""));
}

static long BytesOf(string[] lines) => lines.Sum(line => (long)Encoding.UTF8.GetByteCount(line));

static double SecondsOf(ITextTokenizer tokenizer, string[] lines)
{
    // The time of this thread's work; the collector's and the compiler's threads add theirs, as they would in use.
    TimeSpan before = Environment.CpuUsage.TotalTime;
    long tokens = 0;
    foreach (string line in lines) tokens += tokenizer.Encode(line).Ids.Length;
    if (tokens == 0) throw new InvalidOperationException("No string has a token.");
    return (Environment.CpuUsage.TotalTime - before).TotalSeconds;
}
