using System.Runtime.CompilerServices;

namespace Shad.Cli.Scoring;

/// <summary>Cuts a stream into shards.</summary>
internal static class ShardReader
{
    /// <summary>Lists of <paramref name="size"/> items each, the last one shorter.</summary>
    public static async IAsyncEnumerable<List<T>> InShardsOfAsync<T>(
        this IAsyncEnumerable<T> items, int size, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var shard = new List<T>(size);
        await foreach (T item in items.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            shard.Add(item);
            if (shard.Count < size) continue;
            yield return shard;
            shard = new List<T>(size);
        }

        if (shard.Count > 0) yield return shard;
    }
}
