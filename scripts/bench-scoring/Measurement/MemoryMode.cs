using System.Globalization;
using System.Text.Json;
using BenchScoring.Contenders;
using BenchScoring.Corpora;
using BenchScoring.Models;
using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Models;

namespace BenchScoring.Measurement;

/// <summary>Peak memory of ours at the longest sequence and the largest vocabulary: one sequence, half of it response.</summary>
internal static class MemoryMode
{
    public static string File(string work) => Path.Combine(work, "runs", "memory.json");

    public static async Task<int> RunAsync(BenchPlaces places, int length, string? memory, string engine)
    {
        var shape = BenchShape.Of("135m-256k");
        string model = BenchModels.Base(places.Work, shape);
        using var folder = ModelFolder.Open(model);
        long weights = folder.Weights.Tensors.Values.Sum(static tensor => tensor.ByteLength);
        string corpus = BenchCorpora.File(places.Work, shape, BenchCorpora.Longest);
        if (length < folder.Config.ContextLength)
        {
            var whole = (await BenchCorpora.ReadAsync(corpus).ConfigureAwait(false))[0];
            corpus = BenchCorpora.File(places.Work, shape, $"first-{length}");
            int[] ids = whole.InputIds[..length], labels = [.. ids];
            labels.AsSpan(0, length / 2).Fill(TokenizedSample.IgnoredLabel);
            TokenizedSampleWriter.WriteAll(corpus, [new TokenizedSample("longest", ids, labels)]);
        }

        List<string> arguments = ["score-ours", "--models", model, "--corpus", corpus, "--out", places.LossesOf(shape, "longest", "ours")];
        if (memory is not null) arguments.AddRange(["--memory", memory]);
        var run = await ContenderRun.OfOwnAsync(arguments).ConfigureAwait(false);
        var result = new
        {
            engine,
            length,
            vocabulary = folder.Config.VocabularySize,
            memory_option_mb = memory,
            weights_mb = weights / 1e6,
            peak_rss_mb = run.PeakResidentBytes / 1e6,
            beyond_weights_mb = (run.PeakResidentBytes - weights) / 1e6,
            peak_anonymous_mb = run.PeakAnonymousBytes / 1e6,
            seconds = run.Result.Seconds,
        };
        Directory.CreateDirectory(Path.GetDirectoryName(File(places.Work))!);
        string json = JsonSerializer.Serialize(result);
        await System.IO.File.WriteAllTextAsync(File(places.Work), json).ConfigureAwait(false);
        Console.WriteLine(json);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"weights + {result.beyond_weights_mb:0} MB ({(result.beyond_weights_mb <= 600 ? "within" : "above")} 600 MB)"));
        return result.beyond_weights_mb <= 600 ? 0 : 1;
    }
}
