using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using GpuLab;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;

// gpu-lab models --out DIR --shapes tiny,1.2b [--seed 1]
// gpu-lab throughput --models DIR[,PROBE] --device D --precision P --sequences N --length S [--tokens-per-batch T] [--losses FILE.jsonl]
var options = new Dictionary<string, string>(StringComparer.Ordinal);
for (int i = 1; i + 1 < args.Length; i += 2) options[args[i].TrimStart('-')] = args[i + 1];
string Option(string name, string? otherwise = null) => options.TryGetValue(name, out string? value)
    ? value
    : otherwise ?? throw new ArgumentException($"--{name} is missing");
int Number(string name, int? otherwise = null) => int.Parse(Option(name, otherwise?.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);

try
{
    switch (args.FirstOrDefault())
    {
        case "models":
            foreach (string shape in Option("shapes").Split(',')) Shapes.Write(Option("out"), shape, (ulong)Number("seed", 1));
            return 0;
        case "throughput":
            Console.WriteLine((await ThroughputAsync().ConfigureAwait(false)).ToJsonString());
            return 0;
        default:
            await Console.Error.WriteLineAsync("gpu-lab models | throughput").ConfigureAwait(false);
            return 2;
    }
}
catch (ShadException error)
{
    Console.WriteLine(new JsonObject { ["error"] = error.Code, ["message"] = error.Message }.ToJsonString());
    return 1;
}

async Task<JsonObject> ThroughputAsync()
{
    int count = Number("sequences"), length = Number("length");
    long loading = Stopwatch.GetTimestamp();
    List<ModelFolder> models = [.. Option("models").Split(',').Select(ModelFolder.Open)];
    DecoderConfig config = models[0].Config;
    DeviceChoice device = DeviceChoice.Parse(Option("device")) ?? throw new ArgumentException("--device is none");
    int? tokensPerBatch = options.ContainsKey("tokens-per-batch") ? Number("tokens-per-batch") : null;
    var defaults = new ScoringOptions();
    using ScoringGroup group = ScoringGroup.Open(models, device, new ScoringOptions
    {
        Precision = Enum.Parse<ScoringPrecision>(Option("precision", "auto"), ignoreCase: true),
        ProviderLibrary = options.GetValueOrDefault("provider-library"),
        TokensPerBatch = tokensPerBatch ?? defaults.TokensPerBatch,
        TokensPerBatchOnCuda = tokensPerBatch ?? defaults.TokensPerBatchOnCuda,
    });
    double loadSeconds = Stopwatch.GetElapsedTime(loading).TotalSeconds;

    // The same sequences for every program: the ids come from a generator that the Python side has too.
    List<TokenizedSample> samples = [.. Enumerable.Range(0, count).Select(i => Sequence(i, length, config.VocabularySize))];
    int warmUp = Math.Min(count, Math.Max(1, group.TokensPerBatch / length));
    await foreach (var _ in group.ScoreAsync(samples[..warmUp].ToAsyncEnumerable(), static sample => sample).ConfigureAwait(false))
    {
        // Kernels are loaded and the memory is taken.
    }

    long started = Stopwatch.GetTimestamp();
    var last = new Last();
    double sum = 0;
    long targets = 0;
    List<double[]> means = [];
    await foreach (var scored in group.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample, last).ConfigureAwait(false))
    {
        foreach (float loss in scored.Losses)
        {
            if (float.IsNaN(loss)) continue;
            sum += loss;
            targets++;
        }

        if (options.ContainsKey("losses")) means.Add([.. scored.Losses.Skip(1).Select(static loss => (double)loss)]);
    }

    double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
    if (options.TryGetValue("losses", out string? file)) await File.WriteAllLinesAsync(file, means.Select(static losses => JsonSerializer.Serialize(losses))).ConfigureAwait(false);
    double tokens = (double)count * (length - 1);
    double operations = Shapes.OperationsPerToken(config, length - 1, targets / tokens);
    foreach (ModelFolder model in models) model.Dispose();
    return new JsonObject
    {
        ["device"] = group.DeviceName, ["device_reason"] = group.DeviceReason, ["precision"] = group.Precision,
        ["models"] = group.ModelCount, ["shared_layers"] = group.SharedLayers, ["layers"] = config.LayerCount,
        ["sequences"] = count, ["length"] = length, ["tokens_per_batch"] = group.TokensPerBatch,
        ["split_batches"] = last.Value.Splits, ["load_seconds"] = Math.Round(loadSeconds, 2), ["seconds"] = Math.Round(seconds, 3),
        ["tokens_per_second"] = Math.Round(tokens / seconds, 1), ["operations_per_token"] = operations,
        ["teraflops"] = Math.Round(tokens / seconds * operations / 1e12, 3), ["mean_loss"] = sum / targets,
    };
}

// A linear congruential generator (Numerical Recipes' constants), one a sequence, its upper bits as ids.
static TokenizedSample Sequence(int number, int length, int vocabularySize)
{
    uint state = (uint)number * 2_654_435_761u + 1;
    int[] ids = new int[length];
    for (int i = 0; i < length; i++)
    {
        state = state * 1_664_525u + 1_013_904_223u;
        ids[i] = (int)((ulong)state * (uint)vocabularySize >> 32);
    }

    int[] labels = [.. ids];
    labels[0] = TokenizedSample.IgnoredLabel;
    return new TokenizedSample($"sequence {number}", ids, labels);
}

internal sealed class Last : IProgress<ScoringProgress>
{
    public ScoringProgress Value { get; private set; }

    public void Report(ScoringProgress value) => Value = value;
}
