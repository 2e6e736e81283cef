using System.Globalization;
using BenchScoring.Contenders;
using BenchScoring.Corpora;
using BenchScoring.Models;
using Shad.Models;

namespace BenchScoring.Measurement;

/// <summary>Times contenders in turn: A B C, A B C, …, the machine's peak before each round.</summary>
internal static class TimedRounds
{
    private const double PeakSeconds = 2;

    public static async Task RunAsync(BenchPlaces places, BenchShape shape, IReadOnlyList<Contender> contenders, int rounds, string engine)
    {
        var known = AgreementCheck.Read(places, shape);
        var timed = new List<Contender>();
        foreach (var contender in contenders)
        {
            if (!known.TryGetValue(contender.CheckedBy ?? contender.Id, out var agreement)) Console.WriteLine($"{contender.Id}: not checked; run 'check' first");
            else if (!agreement.Agrees) Console.WriteLine($"{contender.Id}: does not agree in loss; not timed");
            else timed.Add(contender);
        }

        using var folder = ModelFolder.Open(BenchModels.Base(places.Work, shape));
        string call = DateTime.UtcNow.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        for (int round = 1; round <= rounds && timed.Count > 0; round++)
        {
            double peak = PeakProduct.Measure(PeakSeconds);
            foreach (var contender in timed)
            {
                string corpus = BenchCorpora.File(places.Work, shape, contender.Corpus);
                var samples = await BenchCorpora.ReadAsync(corpus).ConfigureAwait(false);
                string output = places.LossesOf(shape, contender.Corpus, contender.Id);
                var run = await contender.RunAsync(places, shape, corpus, output).ConfigureAwait(false);
                string reference = places.LossesOf(shape, contender.Corpus, contender.Corpus == BenchCorpora.SharedPrefix ? "ours-no-reuse" : "ours");
                AgreementCheck.Agreement? difference = null;
                if (contender.HasLosses && output != reference && File.Exists(reference))
                {
                    float[] theirs = LossFile.Read(reference);
                    float[] losses = LossFile.Read(output);
                    difference = AgreementCheck.Compare(losses.AsSpan(0, Math.Min(losses.Length, theirs.Length)), theirs, contender.Tolerance, "ours");
                }

                var record = new RunRecord
                {
                    Contender = contender.Id,
                    Corpus = contender.Corpus,
                    Engine = engine,
                    Round = $"{call}.{round}",
                    Samples = samples.Length,
                    Tokens = samples.Sum(static sample => (long)sample.Length),
                    Targets = samples.Sum(static sample => (long)sample.TargetCount),
                    Seconds = run.Result.Seconds,
                    LoadSeconds = run.Result.LoadSeconds,
                    NeededGflop = NeededWork.Operations(
                        folder.Config, samples, contender.Probes, BenchModels.ProbeLayers(folder.Config.LayerCount), contender.HasLosses) / 1e9,
                    PeakGflops = peak,
                    PeakResidentBytes = run.PeakResidentBytes,
                    PeakAnonymousBytes = run.PeakAnonymousBytes,
                    MeanDifference = difference?.Mean,
                    Version = run.Result.Version,
                    Notes = run.Result.Notes,
                };
                record.Append(places.Work, shape.Name);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{shape.Name} round {round}: {contender.Id,-20} {record.Seconds,7:0.0} s {record.TokensPerSecond,9:0.0} tokens/s  MFU {record.Mfu:P1}  peak RSS {record.PeakResidentBytes / 1e6:0} MB{(difference is null ? "" : $"  |Δ| {difference.Mean:0.0e0}")}  {record.Notes} (peak {peak:0} GFLOP/s)"));
            }
        }
    }
}
