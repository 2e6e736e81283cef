using System.Globalization;
using System.Text.Json;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

// bench-training WORK 135m|small STEPS THREADS: writes the model, the samples and the jobs that bench.py runs.
string work = Path.GetFullPath(args[0]);
int steps = int.Parse(args[2], CultureInfo.InvariantCulture), threads = int.Parse(args[3], CultureInfo.InvariantCulture);
const int batch = 8, length = 256, rank = 16;

// The shape of SmolLM-135M, and one to try the script with.
var shape = new DecoderConfig
{
    ModelType = "llama", HiddenSize = 576, IntermediateSize = 1536, LayerCount = 30, AttentionHeads = 9, KeyValueHeads = 3, HeadSize = 64,
    VocabularySize = 49_152, ContextLength = 2048, NormEpsilon = 1e-5f, Rotary = new RotaryEmbedding(10_000), TiedHead = true,
    BeginningOfSequenceId = 0, EndOfSequenceIds = [0],
};
if (args[1] == "small") shape = shape with { HiddenSize = 192, IntermediateSize = 512, LayerCount = 4, AttentionHeads = 3, KeyValueHeads = 1, VocabularySize = 8192 };

Directory.CreateDirectory(work);
string model = Path.Combine(work, "model");
if (!Directory.Exists(model)) ModelInitializer.Write(model, shape, new InitializationOptions { Seed = 1, Dtype = TensorDtype.Float32 });

// All tokens but the first are targets, so that both sides do the same work; in order, so that both see the same batches.
var random = new SeededRandom(2);
string data = Path.Combine(work, "train.jsonl");
TokenizedSampleWriter.WriteAll(data, Enumerable.Range(0, batch * steps).Select(i =>
{
    int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.NextInt32(1, shape.VocabularySize))];
    return new TokenizedSample($"s{i}", ids, [TokenizedSample.IgnoredLabel, .. ids[1..]]);
}));

foreach (bool lora in (bool[])[false, true])
{
    foreach (TunePrecision precision in (TunePrecision[])[TunePrecision.Float32, TunePrecision.BFloat16])
    {
        string name = $"{(lora ? "lora" : "full")}-{(precision == TunePrecision.Float32 ? "fp32" : "bf16")}";
        var job = new TuneJob
        {
            Model = model, Output = Path.Combine(work, name), Data = data, Steps = steps, SamplesPerStep = batch, TokensPerBatch = batch * length,
            LearningRate = 1e-4, WarmupRatio = 0, MinimumLearningRateRatio = 1, ShuffleData = false, Precision = precision, Threads = threads,
            Lora = lora ? new LoraSettings { Rank = rank, Alpha = 2 * rank } : null, SaveDtype = "float32", ChangesOnly = true,
        };
        File.WriteAllText(Path.Combine(work, name + ".json"), JsonSerializer.Serialize(job, SidecarJson.Default.TuneJob));
    }
}
