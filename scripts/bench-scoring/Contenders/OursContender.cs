using System.Diagnostics;
using BenchScoring.Corpora;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;

namespace BenchScoring.Contenders;

/// <summary>Our own scoring, as <c>shad score</c> does it: one model, or a base model and probes in one pass.</summary>
internal static class OursContender
{
    public static async Task<ContenderResult> RunAsync(string[] models, string corpus, string output, long? memory, bool? reuse, ScoringPrecision precision)
    {
        var samples = await BenchCorpora.ReadAsync(corpus).ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        var folders = Array.ConvertAll(models, ModelFolder.Open);
        using var session = ScoringSession.Open(folders, new ScoringOptions { Memory = memory, SharePrefixes = reuse ?? true, Precision = precision });
        foreach (var folder in folders) folder.Dispose();
        double load = clock.Elapsed.TotalSeconds;
        session.ScoreAll(Warmup.Sample);

        var progress = new LastProgress();
        var losses = new List<IReadOnlyList<float[]>>();
        clock.Restart();
        await foreach (var scored in session.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample, progress).ConfigureAwait(false))
            losses.Add(scored.LossesByModel);
        double seconds = clock.Elapsed.TotalSeconds;
        LossFile.Write(output, samples, losses);
        return new ContenderResult(seconds, load)
        {
            Notes = $"{session.SharedLayers} layers shared, {progress.Value.Shared:P1} in shared prefixes",
        };
    }

    private sealed class LastProgress : IProgress<ScoringProgress>
    {
        public ScoringProgress Value { get; private set; }

        public void Report(ScoringProgress value) => Value = value;
    }
}

/// <summary>What every contender scores once before it is timed, so that code is compiled and memory mapped.</summary>
internal static class Warmup
{
    private static readonly int[] Ids = [.. Enumerable.Range(3, 16)];

    public static TokenizedSample Sample { get; } = new("warm-up", Ids, [.. Ids.Select(static (id, i) => i < 8 ? TokenizedSample.IgnoredLabel : id)]);
}

/// <summary>What a contender tells of a run.</summary>
/// <param name="Seconds">Seconds of scoring, loading excluded.</param>
/// <param name="LoadSeconds">Seconds of loading.</param>
internal sealed record ContenderResult(double Seconds, double LoadSeconds)
{
    /// <summary>Versions of what computed.</summary>
    public string Version { get; init; } = "";

    /// <summary>What else there is to say.</summary>
    public string Notes { get; init; } = "";
}
