using System.Text.Json;
using Shad.Models.Configuration;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary><c>model.safetensors.index.json</c>: which shard holds which tensor.</summary>
internal static class ShardIndex
{
    /// <summary>Reads an index: full shard path → the tensors it holds.</summary>
    public static IReadOnlyDictionary<string, List<string>> Read(string path)
    {
        using JsonDocument document = JsonFile.ReadObject(path);
        if (!document.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
            throw ModelErrors.IndexInvalid(path, "weight_map", "The field is missing or no object", "an object from tensor name to file name");

        string folder = Path.GetDirectoryName(path)!;
        var shards = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (JsonProperty member in map.EnumerateObject())
        {
            string tensor = member.Name;
            if (member.Value.ValueKind != JsonValueKind.String)
                throw ModelErrors.IndexInvalid(
                    path, "weight_map", $"The file of tensor '{tensor}' is {ModelErrors.Describe(member.Value)}", "a file name");
            string shard = member.Value.GetString()!;
            if (!IsPlainFileName(shard)) throw ModelErrors.ShardNameUnsafe(path, tensor, shard);
            string shardPath = Path.Combine(folder, shard);
            if (!shards.TryGetValue(shardPath, out List<string>? tensors)) shards.Add(shardPath, tensors = []);
            tensors.Add(tensor);
        }

        if (shards.Count == 0) throw ModelErrors.IndexInvalid(path, "weight_map", "It names no tensor", "an entry for each tensor");
        return shards;
    }

    // Both separators are refused on every system, so that a model is as safe on one as on another.
    private static bool IsPlainFileName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.AsSpan().IndexOfAny("/\\:\0") < 0;
}
