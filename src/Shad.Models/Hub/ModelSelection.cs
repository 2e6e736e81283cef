using System.IO.Enumeration;
using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Models.Hub;

/// <summary>Which files of a repository are pulled: what is needed to use the model, once, and what it may be used for.</summary>
/// <remarks>
/// Repositories hold their weights several times over, as other formats and as one file beside its shards. Taken are
/// <c>config.json</c>; <c>model.safetensors</c>, else its index and the shards that this names; tokenizer, chat template and
/// generation settings; README and licence; and what the user asks for besides.
/// </remarks>
internal static class ModelSelection
{
    private static readonly string[] ForeignWeights = [".bin", ".gguf", ".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".onnx", ".safetensors"];

    private static readonly string[] Papers = ["README*", "LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*"];

    /// <summary>The files apart from the shards of an index, config and index first.</summary>
    /// <param name="repository">For errors.</param>
    /// <param name="paths">The files there are.</param>
    /// <param name="include">Further files: names or patterns with <c>*</c> and <c>?</c>.</param>
    /// <exception cref="ShadException">There is no config or no weights of a kind that can be read, or a pattern names nothing.</exception>
    public static List<string> Of(HubRepository repository, IReadOnlyCollection<string> paths, IReadOnlyList<string> include)
    {
        if (!paths.Contains(DecoderConfigReader.FileName)) throw HubErrors.NoConfig(repository.Id);
        string weights = paths.Contains(ModelWeights.FileName) ? ModelWeights.FileName
            : paths.Contains(ModelWeights.IndexFileName) ? ModelWeights.IndexFileName
            : throw HubErrors.NoWeights(repository.Id, [.. paths.Where(path => ForeignWeights.Any(end => path.EndsWith(end, StringComparison.OrdinalIgnoreCase)))]);
        var selected = new List<string> { DecoderConfigReader.FileName, weights };
        selected.AddRange(paths.Where(path => ModelFolder.IsCompanion(path) || Papers.Any(paper => Matches(paper, path))));
        foreach (string pattern in include)
        {
            List<string> matching = [.. paths.Where(path => Matches(pattern, path))];
            if (matching.Count == 0) throw HubErrors.NothingIncluded(pattern, repository.Id);
            selected.AddRange(matching);
        }

        selected.Remove(PullLock.FileName); // this name is ours
        return [.. selected.Distinct()];
    }

    /// <summary>The shards that an index names.</summary>
    /// <param name="repository">For errors.</param>
    /// <param name="paths">The files there are.</param>
    /// <param name="index">The index, here on this machine.</param>
    /// <exception cref="ShadException">The index cannot be used, or names a file that is not there.</exception>
    public static List<string> ShardsOf(HubRepository repository, IReadOnlyCollection<string> paths, string index)
    {
        List<string> shards = [.. ShardIndex.Read(index).Keys.Select(shard => Path.GetFileName(shard)).Order(StringComparer.Ordinal)];
        return shards.Find(shard => !paths.Contains(shard)) is { } missing ? throw HubErrors.ShardNotListed(repository.Id, missing) : shards;
    }

    // A pattern without a folder is of files beside the config.
    private static bool Matches(string pattern, string path) =>
        (pattern.Contains('/', StringComparison.Ordinal) || !path.Contains('/', StringComparison.Ordinal))
        && FileSystemName.MatchesSimpleExpression(pattern, path, ignoreCase: false);
}
