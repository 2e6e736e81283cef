using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using BenchScoring.Contenders;
using BenchScoring.Measurement;
using Shad.Data.Demo;

namespace BenchScoring.Large;

/// <summary><c>shad</c> with a model of 1.24 billion parameters: whether it loads, exports, scores and generates, how long and how much memory
/// it takes.</summary>
internal static class LargeMode
{
    public static string ResultFile(string work) => Path.Combine(work, "runs", "large.json");

    /// <summary>The record as a table.</summary>
    public static string Table(string work)
    {
        var record = JsonNode.Parse(File.ReadAllText(ResultFile(work)))!;
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"1.24 billion random parameters in bfloat16, {record["weight_bytes"]!.GetValue<long>() / 1e9:0.0} GB in three shards; after the exports all other files of the folder have {record["other_bytes"]!.GetValue<long>() / 1e6:0.0} MB.\n\n");
        text.Append("| `shad` | whole command, s | tokens/s | peak RSS, MB | of it no mapped file, MB |\n|---|---|---|---|---|\n");
        foreach (var run in record["runs"]!.AsArray())
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {run!["command"]} | {run["seconds"]!.GetValue<double>():0.0} | {(run["tokens_per_second"] is { } rate ? rate.ToString() : "")} | {run["peak_rss_mb"]!.GetValue<double>():#,0} | {run["peak_anonymous_mb"]!.GetValue<double>():#,0} |\n");
        }

        return text.ToString();
    }

    public static async Task<int> RunAsync(BenchPlaces places, string engine)
    {
        string model = LargeModel.Make(places), corpus = Path.Combine(places.Work, "corpora", "large.jsonl");
        Directory.CreateDirectory(Path.GetDirectoryName(corpus)!);
        File.WriteAllLines(corpus, DemoCorpus.Generate(new DemoOptions { Samples = 16, Seed = 5 }).Select(static sample => JsonSerializer.Serialize(new
        {
            messages = new[]
            {
                new { role = "system", content = sample.System }, new { role = "user", content = sample.User },
                new { role = "assistant", content = sample.Response },
            },
        })));
        string output = Path.Combine(places.Work, "large.parquet");
        (string Name, string[] Arguments)[] commands =
        [
            ("export, unchecked", ["export", "--model", model, "--no-check", "--json"]),
            ("export, checked", ["export", "--model", model, "--json"]),
            ("score", ["score", "--model", model, "--corpus", corpus, "--out", output, "--json"]),
            ("score --precision int8", ["score", "--model", model, "--corpus", corpus, "--out", output, "--precision", "int8", "--json"]),
            ("eval --generate", ["eval", "--model", model, "--corpus", corpus, "--limit", "4", "--generate", "--max-new-tokens", "16", "--json"]),
        ];
        var runs = new JsonArray();
        foreach (var (name, arguments) in commands)
        {
            long started = Stopwatch.GetTimestamp();
            var outcome = await ProcessWatch.RunAsync(places.Cli, arguments).ConfigureAwait(false);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            if (outcome.ExitCode != 0) throw new InvalidOperationException($"shad {name} ended with {outcome.ExitCode}:\n{outcome.Output}\n{outcome.Error}");
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-24} {seconds,6:0.0} s  peak RSS {outcome.PeakResidentBytes / 1e6:0} MB, {outcome.PeakAnonymousBytes / 1e6:0} MB of it no mapped file"));
            var told = JsonNode.Parse(outcome.Output)!;
            runs.Add(new JsonObject
            {
                ["command"] = name, ["seconds"] = Math.Round(seconds, 2), ["peak_rss_mb"] = Math.Round(outcome.PeakResidentBytes / 1e6),
                ["peak_anonymous_mb"] = Math.Round(outcome.PeakAnonymousBytes / 1e6),
                ["tokens_per_second"] = told["tokens_per_second"]?.DeepClone(),
            });
        }

        long weights = Directory.GetFiles(model, "*.safetensors").Sum(static file => new FileInfo(file).Length);
        long others = Directory.GetFiles(model).Sum(static file => new FileInfo(file).Length) - weights;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"weights {weights / 1e9:0.00} GB, all other files {others / 1e6:0.0} MB"));
        Directory.CreateDirectory(Path.GetDirectoryName(ResultFile(places.Work))!);
        await File.WriteAllTextAsync(
            ResultFile(places.Work),
            new JsonObject { ["engine"] = engine, ["weight_bytes"] = weights, ["other_bytes"] = others, ["runs"] = runs }.ToJsonString()).ConfigureAwait(false);
        return 0;
    }
}
