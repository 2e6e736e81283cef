using System.Text.Json;
using BenchScoring.Corpora;
using BenchScoring.Measurement;
using BenchScoring.Models;
using Shad.Models.Weights;

namespace BenchScoring.Contenders;

/// <summary>Where things are.</summary>
/// <param name="Root">The project's root.</param>
/// <param name="Work">Folder of models, corpora, packages and records; not in git.</param>
internal sealed record BenchPlaces(string Root, string Work)
{
    public string Here => Path.Combine(Root, "scripts", "bench-scoring");

    public string Results => Path.Combine(Root, "scripts", "results");

    public string Sidecar => Path.Combine(Root, "artifacts", "bin", "Shad.Sidecar", "release", "Shad.Sidecar");

    public string Cli => Path.Combine(Root, "artifacts", "bin", "Shad.Cli", "release", "shad");

    public string LossesOf(BenchShape shape, string corpus, string contender) =>
        Path.Combine(Work, "losses", shape.Name, $"{corpus}.{contender}.bin");
}

/// <summary>Someone who scores the corpus.</summary>
/// <param name="Id">Name in options and records.</param>
/// <param name="Title">Name in the table.</param>
/// <param name="RunAsync">Scores a corpus (a file) and writes the losses (a file).</param>
internal sealed record Contender(
    string Id, string Title, Func<BenchPlaces, BenchShape, string, string, Task<ContenderRun>> RunAsync)
{
    /// <summary>Probes scored beside the base model.</summary>
    public int Probes { get; init; }

    /// <summary>False where the LM head takes no part and there are no losses.</summary>
    public bool HasLosses { get; init; } = true;

    /// <summary>The contender whose agreement in loss stands for this one's, which has none; null for its own.</summary>
    public string? CheckedBy { get; init; }

    /// <summary>The corpus it is timed on.</summary>
    public string Corpus { get; init; } = BenchCorpora.Main;

    /// <summary>Mean absolute difference in loss from ours, in nats, up to which it agrees.</summary>
    public double Tolerance { get; init; } = 1e-3;

    /// <summary>Rounding weights of eight significant bits moves logits of standard deviation 1.5 to 2 by some hundredths.</summary>
    private const double BFloat16Tolerance = 0.1;

    // What matters of int8 is that roles stay, which models of random weights cannot tell; see docs/scoring.md.
    private const double Int8Tolerance = 0.5;

    public static IReadOnlyList<Contender> All { get; } =
    [
        Ours("ours", "ours, one model", 0),
        Ours("ours+1", "ours, base + 1 probe", 1),
        Ours("ours+2", "ours, base + 2 probes", 2),
        Ours("ours-int8", "ours in int8, one model", 0, precision: "int8"),
        Ours("ours+2-int8", "ours in int8, base + 2 probes", 2, precision: "int8"),
        new("ort-logits", "ONNX Runtime, full logits (C#)", static (places, shape, corpus, output) => ContenderRun.OfOwnAsync(
            ["score-full-logits", "--model", BenchModels.Base(places.Work, shape), "--corpus", corpus, "--out", output, "--batch", $"{shape.FullLogitsBatch}"])),
        new("transformers-js", "@huggingface/transformers on onnxruntime-node", static (places, shape, corpus, output) => ContenderRun.OfNodeAsync(
            places, "transformers", "transformers.mjs",
            ["--model", BenchModels.Base(places.Work, shape), "--corpus", corpus, "--out", output, "--batch", $"{shape.FullLogitsBatch}"])),
        Llama("llama-f32-prefill", "llama.cpp F32, prefill only", TensorDtype.Float32, losses: false),
        Llama("llama-bf16-prefill", "llama.cpp BF16, prefill only", TensorDtype.BFloat16, losses: false),
        Llama("llama-f32", "llama.cpp F32, losses of given tokens", TensorDtype.Float32, losses: true),
        Llama("llama-bf16", "llama.cpp BF16, losses of given tokens", TensorDtype.BFloat16, losses: true),
        new("torch", "TorchSharp forward pass", static (places, shape, corpus, output) =>
            TorchContender.RunAsync(places, BenchModels.Base(places.Work, shape), BenchCorpora.File(places.Work, shape, BenchCorpora.Least), corpus, output)),
        Ours("ours-no-reuse", "ours, shared beginnings computed each time", 0, reuse: false),
        Ours("ours-reuse", "ours, shared beginnings computed once", 0, reuse: true),
    ];

    public static Contender Of(string id) => All.FirstOrDefault(contender => contender.Id == id)
        ?? throw new ArgumentException($"No contender '{id}'; expected some of {string.Join(", ", All.Select(static contender => contender.Id))}.");

    private static Contender Ours(string id, string title, int probes, bool? reuse = null, string? precision = null) => new(
        id, title, (places, shape, corpus, output) =>
        {
            string[] models = [BenchModels.Base(places.Work, shape), .. Enumerable.Range(1, probes).Select(number => BenchModels.Probe(places.Work, shape, number))];
            List<string> arguments = ["score-ours", "--models", string.Join(',', models), "--corpus", corpus, "--out", output];

            if (reuse is { } on) arguments.AddRange(["--reuse", on ? "on" : "off"]);
            if (precision is not null) arguments.AddRange(["--precision", precision]);
            return ContenderRun.OfOwnAsync(arguments);
        })
    {
        Probes = probes,
        Corpus = reuse is null ? BenchCorpora.Main : BenchCorpora.SharedPrefix,
        CheckedBy = reuse == false ? "ours" : null,
        Tolerance = precision is not null ? Int8Tolerance : reuse is null ? 1e-3 : 1e-5,
    };

    private static Contender Llama(string id, string title, TensorDtype dtype, bool losses) => new(
        id, title, (places, shape, corpus, output) => ContenderRun.OfNodeAsync(
            places, "llama", "llama.mjs",
            [
                "--model", BenchModels.Gguf(places.Work, shape, dtype), "--corpus", corpus, "--out", output,
                "--mode", losses ? "losses" : "prefill", "--context", $"{BenchShape.ContextLength}",

                // A cache of F16, its default, and its flash attention each cost float32 weights two thousandths of a nat.
                "--cache", dtype == TensorDtype.Float32 ? "F32" : "F16",
            ]))
    {
        HasLosses = losses,
        CheckedBy = losses ? null : id.Replace("-prefill", "", StringComparison.Ordinal),
        Corpus = losses ? BenchCorpora.Check : BenchCorpora.Main,
        Tolerance = dtype == TensorDtype.BFloat16 ? BFloat16Tolerance : 1e-3,
    };
}

/// <summary>A contender's result with what its process took.</summary>
internal sealed record ContenderRun(ContenderResult Result, long PeakResidentBytes, long PeakAnonymousBytes)
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Runs a command of this program in a process of its own.</summary>
    public static Task<ContenderRun> OfOwnAsync(IReadOnlyList<string> arguments) => OfAsync(Environment.ProcessPath!, arguments);

    /// <summary>Runs a Node script.</summary>
    public static Task<ContenderRun> OfNodeAsync(BenchPlaces places, string packages, string script, IReadOnlyList<string> arguments) => OfAsync(
        "node", [Path.Combine(places.Here, "peers", script), "--packages", Path.Combine(places.Work, packages), .. arguments]);

    /// <summary>The line a contender ends with.</summary>
    public static string Line(ContenderResult result) => JsonSerializer.Serialize(result, Json);

    private static async Task<ContenderRun> OfAsync(string file, IReadOnlyList<string> arguments)
    {
        string output = arguments[IndexOf(arguments, "--out") + 1];
        Directory.CreateDirectory(Path.GetDirectoryName(output)!);
        File.Delete(output);
        var outcome = await ProcessWatch.RunAsync(file, arguments).ConfigureAwait(false);
        string last = outcome.Output.Trim().Split('\n')[^1];
        if (outcome.ExitCode != 0 || !last.StartsWith('{'))
            throw new InvalidOperationException($"{file} {string.Join(' ', arguments)} ended with {outcome.ExitCode}:\n{outcome.Output}\n{outcome.Error}");
        return new ContenderRun(
            JsonSerializer.Deserialize<ContenderResult>(last, Json)!, outcome.PeakResidentBytes, outcome.PeakAnonymousBytes);
    }

    private static int IndexOf(IReadOnlyList<string> list, string value) => list.ToList().IndexOf(value);
}
