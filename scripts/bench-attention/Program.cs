// Compares our attention operator with ONNX Runtime's GroupQueryAttention on one layer of several shapes, in turn, and writes a
// table. Usage: BenchAttention [--threads N] [--runs N] [--out FILE] [--only TEXT] [--widths]
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using BenchAttention;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var i && i + 1 < args.Length ? args[i + 1] : null;
int threads = int.Parse(Option("--threads") ?? $"{Environment.ProcessorCount}");
int runs = int.Parse(Option("--runs") ?? "15");
bool widths = args.Contains("--widths");

Shape[] shapes =
[
    new(4, 512, 9, 3, 64), new(16, 128, 9, 3, 64), new(1, 2048, 9, 3, 64), new(1, 2048, 14, 2, 64), new(4, 512, 14, 2, 64),
    new(4, 512, 32, 8, 128), new(4, 512, 8, 8, 80), new(4, 512, 4, 1, 256),
];
if (Option("--only") is { } only) shapes = [.. shapes.Where(shape => shape.ToString().Contains(only, StringComparison.Ordinal))];

var table = new StringBuilder();
void Write(string line)
{
    Console.WriteLine(line);
    table.AppendLine(line);
}

const int ProductSize = 1024;
using var product = Contender.MatrixProduct(ProductSize, threads);
double[] productTimes = Times(product);
double peak = 2.0 * ProductSize * ProductSize * ProductSize / Quantile(productTimes, 0.2) / 1e9;
Write($"Attention of one layer, float32, {threads} threads, {runs} runs of each in turn, {DateTime.UtcNow:yyyy-MM-dd}.");
Write($"{Machine()}, .NET {Environment.Version}, ONNX Runtime {typeof(Microsoft.ML.OnnxRuntime.InferenceSession).Assembly.GetName().Version?.ToString(3)};");
Write($"peak of a matrix product of {ProductSize} in this run {peak:F0} GFLOP/s. Work is causal: 4·D of every pair seen.");
Write("");
Write("| shape | operator | p20 ms | p50 ms | p80 ms | GFLOP/s (p50) | share of peak |");
Write("|---|---|---|---|---|---|---|");
foreach (var shape in shapes)
{
    var tensors = new Tensors(shape);
    var contenders = new List<Contender> { Contender.Packed(shape, tensors, threads) };
    if (widths) contenders.AddRange([Contender.Packed(shape, tensors, threads, 256), Contender.Packed(shape, tensors, threads, 128)]);
    else contenders.Add(Contender.GroupQuery(shape, tensors, threads));
    float[] expected = contenders[0].Output();
    foreach (var other in contenders.Skip(1))
    {
        double worst = expected.Zip(other.Output()).Max(pair => Math.Abs((double)pair.First - pair.Second));
        if (!(worst < 1e-4)) throw new InvalidOperationException($"{other.Name} differs by {worst} at {shape}.");
    }

    foreach (var (contender, times) in contenders.Zip(InTurn(contenders)))
    {
        double p50 = Quantile(times, 0.5), speed = shape.Operations / p50 / 1e9;
        Write(
            $"| {shape} | `{contender.Name}` | {Quantile(times, 0.2) * 1e3:F2} | {p50 * 1e3:F2} | {Quantile(times, 0.8) * 1e3:F2} | " +
            $"{speed:F0} | {speed / peak:P0} |");
    }

    foreach (var contender in contenders) contender.Dispose();
}

if (Option("--out") is { } path) File.WriteAllText(path, table.ToString());

double[] Times(Contender contender) => InTurn([contender])[0];

double[][] InTurn(List<Contender> contenders)
{
    var times = contenders.Select(_ => new double[runs]).ToArray();
    foreach (var contender in contenders)
    {
        // Until the compiler has seen what is hot.
        var warm = System.Diagnostics.Stopwatch.StartNew();
        while (warm.ElapsedMilliseconds < 700) contender.Time();
    }

    for (int run = 0; run < runs; run++)
    {
        for (int i = 0; i < contenders.Count; i++) times[i][run] = contenders[i].Time();
    }

    return times;
}

static double Quantile(double[] values, double share)
{
    double[] sorted = [.. values.Order()];
    return sorted[(int)Math.Round(share * (sorted.Length - 1))];
}

static string Machine()
{
    string model = OperatingSystem.IsLinux()
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? ""
        : "";
    return $"{RuntimeInformation.OSArchitecture} {model} ({Environment.ProcessorCount} cores)";
}
