using System.Text.Json;
using BenchScoring.Corpora;
using BenchScoring.Measurement;
using Shad.Core.Tuning;

namespace BenchScoring.Contenders;

/// <summary>
/// The TorchSharp forward pass: the sidecar's command <c>score</c>. It tells its time with loading; so it runs twice, once with a corpus
/// of four tokens, and the difference is the scoring.
/// </summary>
internal static class TorchContender
{
    public static async Task<ContenderRun> RunAsync(BenchPlaces places, string model, string least, string corpus, string output)
    {
        var (load, _) = await ScoreAsync(places, model, least, output + ".least.jsonl").ConfigureAwait(false);
        string losses = output + ".jsonl";
        var (done, outcome) = await ScoreAsync(places, model, corpus, losses).ConfigureAwait(false);
        var samples = await BenchCorpora.ReadAsync(corpus).ConfigureAwait(false);
        LossFile.Write(output, samples, [.. File.ReadLines(losses).Select(static line => (IReadOnlyList<float[]>)[LossesOf(line)])]);
        return new ContenderRun(
            new ContenderResult(done.Seconds - load.Seconds, load.Seconds) { Version = "TorchSharp 0.107.0, libtorch 2.10.0" },
            outcome.PeakResidentBytes, outcome.PeakAnonymousBytes);
    }

    private static async Task<(TuneDone Done, ProcessWatch.Outcome Outcome)> ScoreAsync(BenchPlaces places, string model, string corpus, string output)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(output)!);
        string job = output + ".job.json";
        var scoreJob = new ScoreJob { Model = model, Data = corpus, Output = output };
        await File.WriteAllTextAsync(job, JsonSerializer.Serialize(scoreJob, SidecarJson.Default.ScoreJob)).ConfigureAwait(false);
        var outcome = await ProcessWatch.RunAsync(places.Sidecar, ["score", "--job", job]).ConfigureAwait(false);
        var done = outcome.Output.Trim().Split('\n').Where(static line => line.StartsWith('{'))
            .Select(static line => JsonSerializer.Deserialize(line, SidecarJson.Default.SidecarEvent)).OfType<TuneDone>().FirstOrDefault();
        return done is null
            ? throw new InvalidOperationException($"The sidecar ended with {outcome.ExitCode}:\n{outcome.Output}\n{outcome.Error}")
            : (done, outcome);
    }

    private static float[] LossesOf(string line)
    {
        using var row = JsonDocument.Parse(line);
        return [.. row.RootElement.GetProperty("loss").EnumerateArray()
            .Select(static loss => loss.ValueKind == JsonValueKind.Null ? float.NaN : loss.GetSingle())];
    }
}
