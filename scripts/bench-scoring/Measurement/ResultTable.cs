using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using BenchScoring.Contenders;
using BenchScoring.Corpora;
using BenchScoring.Large;
using BenchScoring.Models;
using BenchScoring.Streaming;

namespace BenchScoring.Measurement;

/// <summary>Writes <c>scripts/results/scoring-SHAPE.json</c> and <c>scripts/results/scoring.md</c> from the records.</summary>
internal static class ResultTable
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private sealed record Quantiles(double P20, double P50, double P80);

    private sealed record Row(
        string Contender, string Title, string Corpus, int Rounds, Quantiles TokensPerSecond, Quantiles Mfu, double? TimeOfOurs, double PeakRssMb,
        double? MeanDifference, string Version, string Notes);

    /// <summary>Writes the tables.</summary>
    /// <param name="places">Where things are.</param>
    /// <param name="engine">Only records of this engine; null takes that of each shape's last record; "all" takes all.</param>
    /// <param name="node">Version of Node.</param>
    public static void Write(BenchPlaces places, string? engine, string node)
    {
        Directory.CreateDirectory(places.Results);
        string machine = Machine();
        var text = new StringBuilder();
        text.AppendLine("# Scoring, side by side").AppendLine();
        text.AppendLine(
            """
            Written by `scripts/bench-scoring/bench.sh table`; how it is measured is in `scripts/bench-scoring/README.md`. Tokens/s: all tokens of
            the corpus over seconds of scoring, loading left out. MFU: operations that the losses need (products with the weights that take part,
            causal attention, the head for targets only) over seconds and the float32 matrix-product peak of the same round. Time: per
            token, with one model of ours in the same round as 1. |Δ|: mean absolute difference in loss from ours, or from TorchSharp for ours.
            """).AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{machine}; .NET {Environment.Version}, ONNX Runtime {Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetVersionString()}, Node {node}.").AppendLine();
        foreach (var shape in BenchShape.All)
        {
            var records = RunRecord.ReadAll(places.Work, shape.Name);
            if (records.Count == 0) continue;
            string label = engine ?? records[^1].Engine;
            if (label != "all") records = [.. records.Where(record => record.Engine == label)];
            if (records.Count == 0) continue;
            var known = AgreementCheck.Read(places, shape);
            Row[] rows = [.. Contender.All.Select(contender => RowOf(contender, records, known)).OfType<Row>()];
            var quantilesOfPeak = QuantilesOf(records.GroupBy(static record => record.Round).Select(static round => round.First().PeakGflops));
            var main = records.FirstOrDefault(static record => record.Corpus == BenchCorpora.Main) ?? records[0];
            File.WriteAllText(
                Path.Combine(places.Results, $"scoring-{shape.Name}.json"),
                JsonSerializer.Serialize(new { shape = shape.Name, engine = label, machine, node, peak_gflops = quantilesOfPeak, rows, records }, Json) + "\n");
            text.AppendLine(CultureInfo.InvariantCulture, $"## {shape.Name}").AppendLine();
            text.AppendLine(CultureInfo.InvariantCulture, $"Engine {label}. {main.Samples:N0} samples, {main.Tokens:N0} tokens, {main.Targets:N0} targets. Peak {quantilesOfPeak.P20:0} / {quantilesOfPeak.P50:0} / {quantilesOfPeak.P80:0} GFLOP/s (p20 / p50 / p80).").AppendLine();
            text.AppendLine("| contender | tokens/s p20 / p50 / p80 | time | MFU | peak RSS, MB | mean \\|Δ\\|, nats | rounds |");
            text.AppendLine("|---|---|---|---|---|---|---|");
            foreach (var row in rows)
            {
                var speed = row.TokensPerSecond;
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"| {row.Title}{(row.Corpus == BenchCorpora.Main ? "" : $" ({row.Corpus} corpus)")} | {speed.P20:#,0} / {speed.P50:#,0} / {speed.P80:#,0} | {row.TimeOfOurs?.ToString("0.00", CultureInfo.InvariantCulture) ?? "–"} | {row.Mfu.P50:P0} | {row.PeakRssMb:#,0} | {row.MeanDifference?.ToString("0.0e0", CultureInfo.InvariantCulture) ?? "–"} | {row.Rounds} |");
            }

            text.AppendLine();
            foreach (string version in rows.Select(static row => row.Version).Where(static version => version.Length > 0).Distinct()) text.AppendLine(CultureInfo.InvariantCulture, $"- {version}");
            text.AppendLine();
        }

        if (File.Exists(MemoryMode.File(places.Work)))
            text.AppendLine("## Memory").AppendLine().AppendLine("One sequence, half of it response, vocabulary 256,000:").AppendLine().AppendLine($"    {File.ReadAllText(MemoryMode.File(places.Work))}").AppendLine();
        if (File.Exists(LargeMode.ResultFile(places.Work)))
            text.AppendLine("## A large model").AppendLine().AppendLine(LargeMode.Table(places.Work));
        if (File.Exists(StreamMode.ResultFile(places.Work)))
            text.AppendLine("## Stream").AppendLine().AppendLine("`shad score` on a corpus that memory does not hold:").AppendLine().AppendLine($"    {File.ReadAllText(StreamMode.ResultFile(places.Work))}").AppendLine();
        File.WriteAllText(Path.Combine(places.Results, "scoring.md"), text.ToString().TrimEnd() + "\n");
        Console.WriteLine(text);
    }

    private static Row? RowOf(Contender contender, IReadOnlyList<RunRecord> records, Dictionary<string, AgreementCheck.Agreement> known)
    {
        RunRecord[] own = [.. records.Where(record => record.Contender == contender.Id)];
        if (own.Length == 0) return null;
        string reference = contender.Corpus == BenchCorpora.SharedPrefix ? "ours-no-reuse" : "ours";
        double[] ratios =
        [
            .. own.Select(record => records.LastOrDefault(other => other.Contender == reference && other.Round == record.Round)?.TokensPerSecond / record.TokensPerSecond)
                .OfType<double>(),
        ];
        double? difference = known.GetValueOrDefault(contender.Id)?.Mean;
        return new Row(
            contender.Id, contender.Title, contender.Corpus, own.Length, QuantilesOf(own.Select(static record => record.TokensPerSecond)),
            QuantilesOf(own.Select(static record => record.Mfu)), ratios.Length > 0 ? QuantilesOf(ratios).P50 : null,
            own.Max(static record => record.PeakResidentBytes) / 1e6, difference, own[^1].Version, own[^1].Notes);
    }

    // Linear between the two nearest of the sorted values.
    private static Quantiles QuantilesOf(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new Quantiles(At(0.2), At(0.5), At(0.8));

        double At(double share)
        {
            double place = share * (sorted.Length - 1);
            int below = (int)place;
            int above = Math.Min(below + 1, sorted.Length - 1);
            return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
        }
    }

    private static string Machine()
    {
        string processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "?";
        string flags = File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("flags", StringComparison.Ordinal)) ?? "";
        string[] wide = [.. ((string[])["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"]).Where(flag => flags.Contains(flag, StringComparison.Ordinal))];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{processor}, {Environment.ProcessorCount} cores ({string.Join(", ", wide)}), {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9:0} GB, {RuntimeInformation.OSDescription}");
    }
}
