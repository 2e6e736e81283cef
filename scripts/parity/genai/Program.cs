// Greedy generation by onnxruntime-genai from exported folders, token for token against our own generator; and the losses of the variants.
//
//   GenAIParity RESULTS.md WORK MODEL…
using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Randomness;
using Shad.Data.Tokenization;
using Shad.GenAI;
using Shad.Models;
using Shad.Onnx.Export;
using Shad.Onnx.Generation;
using Shad.Onnx.Sessions;

const int NewTokens = 96, RandomPrompts = 24;
string[] texts =
[
    "Once upon a time", "One day, a little girl named Lily", "The dog", "Tom and his mom went to the park.", "\"", "Hello, ", "A",
    "There was a big red ball. It", "You are a helpful assistant.", "{\"name\": \"", "What is the weather in Paris tomorrow?", "def f(x):", "1 + 1 =",
    "The quick brown fox jumps over", "I will call the function get_weather with", "Question: A farmer has 12 cows and sells 5.",
];
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var lines = new List<string>
{
    "# Generation by onnxruntime-genai, and variants", "",
    "Written by `scripts/parity/genai/compare.sh`: onnxruntime-genai 0.15.2 on the ONNX Runtime of this project, CPU, greedy, at most "
        + $"{NewTokens} new tokens after each of {texts.Length} texts and {RandomPrompts} prompts of random tokens.", "",
    "| model | prompts | tokens generated | prompts that genai continues otherwise than our own generator | with float16 / int8 / int4 weights genai continues as float32 does |",
    "|---|---|---|---|---|",
};
var losses = new List<string>
{
    "", "Mean loss of the variants on what the model itself generates (nats a token), against the same weights in float32. \"rounded\" also rounds the "
        + "activations of quantized products to 8 bits, as the exported variants do.", "",
    "| model | weights | MB | mean loss | difference | largest of a token |", "|---|---|---|---|---|---|",
};
bool same = true;
foreach (string folder in args[2..])
{
    string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
    string copy = Path.Combine(args[1], name);
    if (Directory.Exists(copy)) Directory.Delete(copy, recursive: true);
    Directory.CreateDirectory(copy);
    foreach (string file in Directory.GetFiles(folder)) File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
    using var model = ModelFolder.Open(copy);
    OnnxExport.Write(model);
    OnnxExport.Check(model);

    var tokenizer = TokenizerLoader.TryLoad(copy) ?? throw new InvalidOperationException($"{folder} has no tokenizer.");
    var random = new SeededRandom(3);
    int[] begin = model.Config.BeginningOfSequenceId is { } id ? [id] : [];
    List<int[]> prompts = [.. texts.Select(text => (int[])[.. begin, .. tokenizer.Encode(text).Ids])];
    for (int i = 0; i < RandomPrompts; i++)
        prompts.Add([.. Enumerable.Range(0, 1 + random.NextInt32(60)).Select(_ => random.NextInt32(model.Config.VocabularySize))]);
    var options = new GenerationOptions { MaximumNewTokens = NewTokens };

    IReadOnlyList<int[]> own;
    using (var generator = GreedyGenerator.Open(model)) own = [.. prompts.Select(prompt => generator.Generate([prompt], options)[0])];
    IReadOnlyList<int[]> genai;
    using (var generator = GenAIGenerator.Open(copy)) genai = generator.Generate(prompts, options);
    int differing = own.Zip(genai).Count(static pair => !pair.First.AsSpan().SequenceEqual(pair.Second));
    same &= differing == 0;

    int[][] sequences = [.. prompts.Zip(own, static (prompt, response) => (int[])[.. prompt, .. response])];
    double[][] reference = [];
    var alike = new List<string>();
    foreach (var (format, rounded) in new[]
    {
        (WeightFormat.Float32, false), (WeightFormat.Float16, false), (WeightFormat.Int8, false), (WeightFormat.Int8, true), (WeightFormat.Int4, false),
        (WeightFormat.Int4, true),
    })
    {
        string variant = Path.Combine(args[1], $"{name}-{format}");
        var written = VariantExport.Write(model, variant, new VariantOptions { Format = format, RoundActivations = rounded });
        double[][] actual;
        using (var session = DecoderSession.LoadFile(Path.Combine(variant, OnnxExport.GenerationFile), new SessionSettings { Device = ComputeDevice.Cpu }))
        {
            // The losses of what was generated, not of the prompt.
            actual = [.. sequences.Select((ids, i) => VariantExport.Losses(session, model.Config, ids)[(prompts[i].Length - 1)..])];
        }

        if (reference.Length == 0) reference = actual;
        double mean = actual.SelectMany(static row => row).Average(), expected = reference.SelectMany(static row => row).Average();
        double largest = actual.Zip(reference).SelectMany(static pair => pair.First.Zip(pair.Second, static (a, b) => Math.Abs(a - b))).Max();
        losses.Add($"| {name} | {format}{(rounded ? ", rounded" : "")} | {written.WeightBytes / 1e6:0.00} | {mean:0.0000} | {mean - expected:+0.0000;-0.0000} | {largest:0.000} |");
        if (format == WeightFormat.Float32 || (!rounded && format != WeightFormat.Float16)) continue;
        using var generator = GenAIGenerator.Open(variant);
        var continued = generator.Generate(prompts, options);
        alike.Add($"{own.Zip(continued).Count(static pair => pair.First.AsSpan().SequenceEqual(pair.Second))}");
    }

    lines.Add($"| {name} | {prompts.Count} | {own.Sum(static response => response.Length)} | {differing} of {prompts.Count} | {string.Join(" / ", alike)} of {prompts.Count} |");
    if (differing > 0)
    {
        for (int i = 0; i < prompts.Count; i++)
        {
            int at = own[i].AsSpan().CommonPrefixLength(genai[i]);
            if (at < Math.Max(own[i].Length, genai[i].Length)) Console.Error.WriteLine($"{name}, prompt {i}: own {own[i].Length}, genai {genai[i].Length}, alike {at}");
        }
    }
}

File.WriteAllLines(args[0], [.. lines, .. losses]);
Console.WriteLine(File.ReadAllText(args[0]));
return same ? 0 : 1;
