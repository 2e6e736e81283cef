using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using BenchScoring.Contenders;
using BenchScoring.Measurement;

namespace BenchScoring.Streaming;

/// <summary>
/// <c>shad score</c> on a corpus that is a stream: whether memory stays, and how much of the processor time is not ONNX Runtime's
/// (<c>run-clock</c> measures it in the process).
/// </summary>
internal static partial class StreamMode
{
    private const double LargestGrowth = 0.10;
    private const double LargestShareOutside = 0.10;

    public static string ResultFile(string work) => Path.Combine(work, "runs", "stream.json");

    /// <summary>Scores so many rows.</summary>
    /// <param name="places">Where things are.</param>
    /// <param name="rows">Rows of the corpus.</param>
    /// <param name="settled">Rows after which memory should have settled; at most nine tenths of all.</param>
    /// <param name="engine">For the record.</param>
    public static async Task<int> RunAsync(BenchPlaces places, int rows, int settled, string engine)
    {
        string model = StreamModel.Make(places);
        string corpus = StreamCorpus.Make(places, rows);
        string output = Path.Combine(places.Work, "stream.parquet"), clockFile = Path.Combine(places.Work, "runs", "run-clock.json");
        string series = Path.Combine(places.Work, "runs", "stream.rss.tsv");
        Directory.CreateDirectory(Path.Combine(places.Work, "runs"));
        File.Delete(clockFile);
        await using var samples = new StreamWriter(series);
        // The collector lets garbage gather and takes it in turn, some 100 MB: so means over a tenth of the rows, from those settled on and up to the
        // last.
        long done = 0, lastBytes = 0;
        var begin = new Mean();
        var end = new Mean();
        int tenth = rows / 10;
        var next = TimeSpan.Zero;
        var environment = new Dictionary<string, string>
        {
            ["DOTNET_STARTUP_HOOKS"] = Path.Combine(places.Root, "artifacts", "bin", "RunClock", "release", "RunClock.dll"),
            ["RUN_CLOCK_FILE"] = clockFile,
        };
        var outcome = await ProcessWatch.RunAsync(
            places.Cli, ["score", "--model", model, "--corpus", corpus, "--out", output, "--json"], environment, Watch, Follow).ConfigureAwait(false);
        if (outcome.ExitCode != 0) throw new InvalidOperationException($"shad score ended with {outcome.ExitCode}:\n{outcome.Output}\n{outcome.Error}");

        using var told = JsonDocument.Parse(outcome.Output);
        using var clock = JsonDocument.Parse(await File.ReadAllTextAsync(clockFile).ConfigureAwait(false));
        double process = clock.RootElement.GetProperty("process_seconds").GetDouble();
        double runtime = new[] { "run_seconds", "pool_seconds", "load_seconds" }.Sum(name => clock.RootElement.GetProperty(name).GetDouble());
        double growth = end.Value / begin.Value - 1, outside = (process - runtime) / process;
        var result = new
        {
            engine,
            rows,
            corpus_bytes = new FileInfo(corpus).Length,
            tokens = told.RootElement.GetProperty("tokens").GetInt64(),
            seconds = told.RootElement.GetProperty("seconds").GetDouble(),
            rss_settled_mb = Math.Round(begin.Value / 1e6, 1),
            settled_rows = settled,
            rss_end_mb = Math.Round(end.Value / 1e6, 1),
            rss_last_mb = lastBytes / 1e6,
            rss_peak_mb = outcome.PeakResidentBytes / 1e6,
            rss_growth = double.IsNaN(growth) ? (double?)null : Math.Round(growth, 4),
            cpu_seconds = process,
            cpu_outside_onnx_runtime = Math.Round(outside, 4),
            run_clock = clock.RootElement,
        };
        string json = JsonSerializer.Serialize(result);
        await File.WriteAllTextAsync(ResultFile(places.Work), json).ConfigureAwait(false);
        Console.WriteLine(json);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"RSS {begin.Value / 1e6:0} MB on average over {tenth:N0} rows from {settled:N0} on, {end.Value / 1e6:0} MB over the last {tenth:N0}: {growth:+0.0%;-0.0%} (±{LargestGrowth:P0}); processor time outside ONNX Runtime {outside:P1} (under {LargestShareOutside:P0})"));
        return Math.Abs(growth) <= LargestGrowth && outside < LargestShareOutside ? 0 : 1;

        // Memory each second, and the last value before the process begins to end.
        void Watch(int id, TimeSpan elapsed)
        {
            if (elapsed < next || ProcessWatch.StatusOf(id) is not { } status) return;
            next += TimeSpan.FromSeconds(1);
            lastBytes = status.Resident;
            if (done >= settled && done < settled + tenth) begin.Add(status.Resident);
            if (done >= rows - tenth) end.Add(status.Resident);
            samples.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{elapsed.TotalSeconds:0.0}\t{done}\t{status.Resident}\t{status.Anonymous}"));
        }

        // "score: 12,345 samples …", every five seconds.
        void Follow(string line)
        {
            if (SamplesDone().Match(line) is { Success: true } match)
                done = long.Parse(match.Groups[1].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
        }
    }

    private sealed class Mean
    {
        private double _sum;
        private int _count;

        public double Value => _sum / _count;

        public void Add(double value)
        {
            _sum += value;
            _count++;
        }
    }

    [GeneratedRegex("""([\d,]+)(?: of [\d,]+|/[\d,]+)? samples""")]
    private static partial Regex SamplesDone();
}
