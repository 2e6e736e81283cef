using System.Text.Json;

namespace BenchScoring.Measurement;

/// <summary>One timed run of a contender: a line of <c>work/runs/SHAPE.jsonl</c>.</summary>
internal sealed record RunRecord
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public required string Contender { get; init; }

    public required string Corpus { get; init; }

    /// <summary>Commit the product was built from, with a mark where its sources were changed.</summary>
    public required string Engine { get; init; }

    /// <summary>Call and round, the same for what ran in turn: only such runs are compared with each other.</summary>
    public required string Round { get; init; }

    public required int Samples { get; init; }

    public required long Tokens { get; init; }

    public required long Targets { get; init; }

    public required double Seconds { get; init; }

    public required double LoadSeconds { get; init; }

    /// <summary><see cref="NeededWork"/> of the corpus, in GFLOP.</summary>
    public required double NeededGflop { get; init; }

    /// <summary><see cref="PeakProduct"/> in the same round, in GFLOP/s.</summary>
    public required double PeakGflops { get; init; }

    public required long PeakResidentBytes { get; init; }

    public required long PeakAnonymousBytes { get; init; }

    /// <summary>Mean absolute difference in loss from ours on the same corpus, in nats; null where there is nothing to compare.</summary>
    public double? MeanDifference { get; init; }

    public string Version { get; init; } = "";

    public string Notes { get; init; } = "";

    public double TokensPerSecond => Tokens / Seconds;

    /// <summary>Share of the peak, by the work needed.</summary>
    public double Mfu => NeededGflop / Seconds / PeakGflops;

    public static string File(string work, string shape) => Path.Combine(work, "runs", $"{shape}.jsonl");

    public static IReadOnlyList<RunRecord> ReadAll(string work, string shape) => System.IO.File.Exists(File(work, shape))
        ? [.. System.IO.File.ReadLines(File(work, shape)).Select(static line => JsonSerializer.Deserialize<RunRecord>(line, Json)!)]
        : [];

    public void Append(string work, string shape)
    {
        Directory.CreateDirectory(Path.Combine(work, "runs"));
        System.IO.File.AppendAllText(File(work, shape), JsonSerializer.Serialize(this, Json) + "\n");
    }
}
