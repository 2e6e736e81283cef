using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using BenchScoring.Gguf;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Scoring;
using Shad.Tests.Architectures;

// See parity.sh.
string work = args[0], llama = args[1], peer = args[2], sidecar = args[3], result = args[4];

// llama.cpp wants the 256 bytes among the tokens.
const int Vocabulary = 320;
var configs = new Dictionary<string, string>(ArchitectureModels.Configs);

// Variants of what llama.cpp has fixed: layers, scales and windows that are no fields of its files.
string Of(string name, params (string From, string To)[] changes) =>
    changes.Aggregate(ArchitectureModels.Configs[name], static (config, change) => config.Contains(change.From, StringComparison.Ordinal)
        ? config.Replace(change.From, change.To, StringComparison.Ordinal)
        : throw new InvalidOperationException($"'{change.From}' is not in the config."));
configs["mistral, no window"] = Of("mistral", ("\"sliding_window\":8", "\"sliding_window\":null"));
configs["smollm3, every fourth layer"] = Of("smollm3", ("\"no_rope_layer_interval\":2", "\"no_rope_layer_interval\":4"));
configs["phi3, no window"] = Of("phi3", ("\"sliding_window\":9", "\"sliding_window\":null"));
configs["phi3, longrope of 512"] = Of("phi3, longrope", ("\"original_max_position_embeddings\":64,\"max_position_embeddings\":512", "\"original_max_position_embeddings\":512,\"max_position_embeddings\":2048"));
configs["gemma2, scaled by head"] = Of("gemma2", ("\"query_pre_attn_scalar\":24", "\"query_pre_attn_scalar\":16"));
configs["llama, yarn of the paper"] = Of("llama, yarn", (",\"beta_fast\":4,\"beta_slow\":1", ""), ("\"rope_theta\":100.0", "\"rope_theta\":10000.0"), ("\"original_max_position_embeddings\":32", "\"original_max_position_embeddings\":128"));

Directory.CreateDirectory(work);
var rows = new StringBuilder();
bool failed = false;
string version = "";
foreach (var (name, original) in configs)
{
    string config = original.Replace($"\"vocab_size\":{ArchitectureModels.Vocabulary}", $"\"vocab_size\":{Vocabulary}", StringComparison.Ordinal);
    string folder = Path.Combine(work, "models", name.Replace(", ", "-", StringComparison.Ordinal).Replace(' ', '-'));
    if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    ArchitectureModels.Write(ArchitectureModels.Parse(config), folder, TensorDtype.Float32);
    using var model = ModelFolder.Open(folder);
    var random = new SeededRandom(7);
    TokenizedSample[] samples = [.. new[] { 48, 17, 60 }.Select((length, i) =>
    {
        int[] ids = [.. Enumerable.Range(0, length).Select(_ => 3 + random.NextInt32(Vocabulary - 3))];
        return new TokenizedSample($"s{i}", ids, [.. ids.Select(static (id, at) => at > 0 ? id : TokenizedSample.IgnoredLabel)]);
    })];
    string corpus = Path.Combine(folder, "corpus.jsonl");
    TokenizedSampleWriter.WriteAll(corpus, samples);

    var reference = ArchitectureModels.ReferenceOf(config, model);
    double[] expected = [.. samples.SelectMany(sample => reference.Losses(sample.InputIds).Skip(1))];
    string packed = Difference(expected, Onnx(model, samples, pad: false)), padded = Difference(expected, Onnx(model, samples, pad: true));
    string torch = Difference(expected, Torch(model.Path, corpus));
    string theirs;
    try
    {
        string gguf = Path.Combine(folder, "model.gguf");
        GgufExport.Write(gguf, model, TensorDtype.Float32);
        float[] losses = LlamaCpp(gguf, corpus);
        theirs = Difference(expected, losses, ofOurs: false);
        if (model.Config.Activation == Activation.GeluTanh)
        {
            var tabulated = ArchitectureModels.ReferenceOf(config, model, tabulatedGelu: true);
            theirs += $"; {Difference([.. samples.SelectMany(sample => tabulated.Losses(sample.InputIds).Skip(1))], losses, ofOurs: false)} from its own GELU";
        }
    }
    catch (NotSupportedException error)
    {
        theirs = $"— ({error.Message})";
    }

    rows.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {packed} | {padded} | {torch} | {theirs} |");
    Console.WriteLine($"{name}: packed {packed}, padded {padded}, TorchSharp {torch}, llama.cpp {theirs}");
}

await File.WriteAllTextAsync(result, $"""
    # Architectures: losses of the same weights

    Largest difference of any token's loss, in nats, from a second implementation in double precision that reads `config.json` by itself
    (`tests/Architectures/ArchitectureReference.cs`). Models of random float32 weights, {Vocabulary} tokens, three samples of 48, 17 and 60 tokens.
    Made by `scripts/parity/architectures/parity.sh`; {version}, CPU, float32 keys and values.

    | model | ONNX Runtime, packed | ONNX Runtime, padded | TorchSharp | llama.cpp |
    |---|---|---|---|---|
    {rows}
    A dash tells why llama.cpp has no such model: what is a field of `config.json` is fixed in its code; a variant that it can compute stands
    further down. llama.cpp's GELU on the CPU is a table of 16-bit floats looked up by a 16-bit float: the rows of Gemma and GPT-2 give the difference from
    the second implementation as it is, and from the same with such a GELU. What is left there is of the table's kind too: it is a staircase,
    on which a last bit of its input may be a step.

    """);
return failed ? 1 : 0;

string Difference(double[] expected, float[] actual, bool ofOurs = true)
{
    if (actual.Length != expected.Length) throw new InvalidOperationException($"{actual.Length} losses instead of {expected.Length}.");
    double worst = expected.Zip(actual).Max(static pair => Math.Abs(pair.First - pair.Second));
    failed |= ofOurs && !(worst <= 1e-4);
    return worst.ToString("0.0e-0", CultureInfo.InvariantCulture);
}

static float[] Onnx(ModelFolder model, TokenizedSample[] samples, bool pad)
{
    using var session = ScoringSession.Open(model, new ScoringOptions { Pad = pad });
    return [.. samples.SelectMany(sample => session.Score(sample).Skip(1))];
}

float[] Torch(string model, string corpus)
{
    string output = corpus + ".torch.jsonl", job = corpus + ".job.json";
    File.WriteAllText(job, JsonSerializer.Serialize(new ScoreJob { Model = model, Data = corpus, Output = output }, SidecarJson.Default.ScoreJob));
    Run(sidecar, "score", "--job", job);
    return [.. File.ReadLines(output).SelectMany(static line =>
    {
        using var row = JsonDocument.Parse(line);
        return row.RootElement.GetProperty("loss").EnumerateArray().Where(static loss => loss.ValueKind != JsonValueKind.Null)
            .Select(static loss => loss.GetSingle()).ToArray();
    })];
}

float[] LlamaCpp(string gguf, string corpus)
{
    string output = corpus + ".llama.bin";
    string told = Run("node", peer, "--packages", llama, "--model", gguf, "--corpus", corpus, "--out", output, "--mode", "losses", "--cache", "F32", "--context", "256");
    using var line = JsonDocument.Parse(told.Trim().Split('\n')[^1]);
    version = line.RootElement.GetProperty("version").GetString()!;
    return MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(output)).ToArray();
}

static string Run(string program, params string[] arguments)
{
    using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
    Task<string> error = process.StandardError.ReadToEndAsync();
    string output = process.StandardOutput.ReadToEnd();
    process.WaitForExit();
    return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}:\n{output}\n{error.Result}");
}
