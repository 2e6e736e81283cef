using System.Text.Json;
using BenchScoring.Contenders;
using BenchScoring.Streaming;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace BenchScoring.Large;

/// <summary>A model of 1.24 billion random parameters in bfloat16, 2.5 GB in shards, of the shape of Llama 3.2 1B; the bundled model's tokenizer.</summary>
internal static class LargeModel
{
    private const int Shards = 3;

    private static readonly DecoderConfig Config = new()
    {
        ModelType = "llama", HiddenSize = 2048, IntermediateSize = 8192, LayerCount = 16, AttentionHeads = 32, KeyValueHeads = 8, HeadSize = 64,
        VocabularySize = 128_256, ContextLength = 131_072, NormEpsilon = 1e-5f, TiedHead = true,
        Rotary = new RotaryEmbedding(500_000), BeginningOfSequenceId = 0, EndOfSequenceIds = [0],
    };

    private static readonly InitializationOptions Weights = new() { Seed = 3, Dtype = TensorDtype.BFloat16, StandardDeviation = 0.02, NormDeviation = 0.1 };

    /// <summary>Makes it where it is not there yet.</summary>
    /// <returns>Its folder.</returns>
    public static string Make(BenchPlaces places)
    {
        string folder = Path.Combine(places.Work, "models", "1b"), whole = folder + ".whole", shards = folder + ".shards";
        if (Directory.Exists(folder)) return folder;
        foreach (string left in (string[])[whole, shards])
            if (Directory.Exists(left)) Directory.Delete(left, recursive: true);
        ModelInitializer.Write(whole, Config, Weights, companionsFrom: StreamModel.Bundled(places));
        Directory.CreateDirectory(shards);
        using (var model = ModelFolder.Open(whole))
        {
            var names = TensorLayout.Expected(Config).Select(static tensor => tensor.Name).ToArray();
            var map = new Dictionary<string, string>();
            long total = names.Sum(name => model.Weights.Tensors[name].ByteLength), written = 0;
            foreach (var part in names.GroupBy(name =>
                     {
                         int shard = (int)(written * Shards / total);
                         written += model.Weights.Tensors[name].ByteLength;
                         return shard;
                     }).ToArray())
            {
                string file = $"model-{part.Key + 1:00000}-of-{Shards:00000}.safetensors";
                SafetensorsWriter.Write(Path.Combine(shards, file), part.Select(name => TensorToWrite.CopyOf(model.Weights, name)));
                foreach (string name in part) map.Add(name, file);
            }

            File.WriteAllText(
                Path.Combine(shards, ModelWeights.IndexFileName),
                JsonSerializer.Serialize(new { metadata = new { total_size = total }, weight_map = map }));
        }

        foreach (string file in Directory.GetFiles(whole).Where(static file => Path.GetExtension(file) != ".safetensors"))
            File.Copy(file, Path.Combine(shards, Path.GetFileName(file)));
        Directory.Delete(whole, recursive: true);
        Directory.Move(shards, folder);
        return folder;
    }
}
