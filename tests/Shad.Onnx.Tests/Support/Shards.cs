using System.Text.Json;
using Shad.Models;
using Shad.Models.Weights;

namespace Shad.Onnx.Tests.Support;

/// <summary>Cuts a model's weights into several files with an index.</summary>
internal static class Shards
{
    public static void Write(ModelFolder model, string folder, int count)
    {
        var shardOf = new Dictionary<string, string>();
        var names = model.Weights.Tensors.Keys.Order(StringComparer.Ordinal).ToList();
        for (int shard = 0; shard < count; shard++)
        {
            string file = $"model-{shard + 1:d5}-of-{count:d5}.safetensors";
            var mine = names.Where((_, i) => i % count == shard).ToList();
            SafetensorsWriter.Write(
                Path.Combine(folder, file), mine.Select(name => TensorToWrite.CopyOf(model.Weights, name)));
            foreach (string name in mine) shardOf[name] = file;
        }

        File.WriteAllText(
            Path.Combine(folder, ModelWeights.IndexFileName),
            JsonSerializer.Serialize(new Dictionary<string, object> { ["weight_map"] = shardOf }));
    }
}
