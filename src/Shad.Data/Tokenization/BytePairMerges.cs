using System.Buffers;
using System.Numerics;

namespace Shad.Data.Tokenization;

/// <summary>
/// The merges of byte-pair encoding (Sennrich et al. 2016): while two neighbours have a merge, the pair of the lowest rank, of
/// several the leftmost, becomes one symbol.
/// </summary>
internal sealed class BytePairMerges
{
    // Below this many symbols scanning all pairs beats a heap: words are short, and the scan runs in one cache line or two.
    private const int LongestScan = 48;
    private const int NoMerge = int.MaxValue;
    private const ulong NoPair = ulong.MaxValue; // no pair of ids, which are not negative

    // An open-addressed table from pairs to ranks: merging is little else than looking pairs up.
    private readonly ulong[] _pairs;
    private readonly (int Rank, int Id)[] _found;
    private readonly int _shift;

    /// <summary>Creates the table.</summary>
    /// <param name="merges">The merges. Where a pair is there twice, the later one counts.</param>
    public BytePairMerges(IReadOnlyList<TokenMerge> merges)
    {
        var size = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Count * 2));
        _shift = 64 - BitOperations.Log2(size);
        _pairs = new ulong[size];
        Array.Fill(_pairs, NoPair);
        _found = new (int, int)[size];
        foreach (var merge in merges)
        {
            var pair = Pair(merge.Left, merge.Right);
            var slot = SlotOf(pair);
            while (_pairs[slot] != NoPair && _pairs[slot] != pair) slot = (slot + 1) & (_pairs.Length - 1);
            _pairs[slot] = pair;
            _found[slot] = (merge.Rank, merge.Joined);
        }
    }

    /// <summary>Merges symbols in place.</summary>
    /// <param name="ids">The symbols; on return the tokens stand first.</param>
    /// <param name="first">On return the index of the first symbol of each token; as long as <paramref name="ids"/>.</param>
    /// <returns>The number of tokens.</returns>
    public int Merge(Span<int> ids, Span<int> first)
    {
        for (var i = 0; i < first.Length; i++) first[i] = i;
        return ids.Length <= LongestScan ? MergeByScan(ids, first) : MergeByHeap(ids, first);
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    // Fibonacci hashing: the high bits of the product depend on all bits of the pair.
    private int SlotOf(ulong pair) => (int)((pair * 0x9E3779B97F4A7C15UL) >> _shift);

    private (int Rank, int Id) Find(int left, int right)
    {
        var pair = Pair(left, right);
        for (var slot = SlotOf(pair); _pairs[slot] != NoPair; slot = (slot + 1) & (_pairs.Length - 1))
        {
            if (_pairs[slot] == pair) return _found[slot];
        }

        return (NoMerge, 0);
    }

    private int MergeByScan(Span<int> ids, Span<int> first)
    {
        Span<int> ranks = stackalloc int[LongestScan];
        Span<int> joined = stackalloc int[LongestScan];
        var count = ids.Length;
        for (var i = 0; i + 1 < count; i++) (ranks[i], joined[i]) = Find(ids[i], ids[i + 1]);
        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best]) best = i;
            }

            if (ranks[best] == NoMerge) break;
            ids[best] = joined[best];
            var tail = best + 2;
            ids[tail..count].CopyTo(ids[(best + 1)..]);
            first[tail..count].CopyTo(first[(best + 1)..]);
            // ranks[i] belongs to the pair (i, i + 1): the merged pair's own entry goes, its neighbours' are found anew.
            ranks[tail..count].CopyTo(ranks[(best + 1)..]);
            joined[tail..count].CopyTo(joined[(best + 1)..]);
            count--;
            if (best + 1 < count) (ranks[best], joined[best]) = Find(ids[best], ids[best + 1]);
            if (best > 0) (ranks[best - 1], joined[best - 1]) = Find(ids[best - 1], ids[best]);
        }

        return count;
    }

    private int MergeByHeap(Span<int> ids, Span<int> first)
    {
        var length = ids.Length;
        var next = ArrayPool<int>.Shared.Rent(length);
        var previous = ArrayPool<int>.Shared.Rent(length);
        var heap = new PriorityQueue<(int At, int Left, int Right), ulong>(length);
        try
        {
            for (var i = 0; i < length; i++)
            {
                next[i] = i + 1;
                previous[i] = i - 1;
                if (i + 1 < length) Offer(heap, i, ids[i], ids[i + 1]);
            }

            while (heap.TryDequeue(out var pair, out _))
            {
                // A symbol that was merged away has id -1, so an entry is stale unless both sides are still what they were.
                var right = next[pair.At];
                if (ids[pair.At] != pair.Left || right >= length || ids[right] != pair.Right) continue;
                ids[pair.At] = Find(pair.Left, pair.Right).Id;
                ids[right] = -1;
                var after = next[right];
                next[pair.At] = after;
                if (after < length)
                {
                    previous[after] = pair.At;
                    Offer(heap, pair.At, ids[pair.At], ids[after]);
                }

                if (previous[pair.At] >= 0) Offer(heap, previous[pair.At], ids[previous[pair.At]], ids[pair.At]);
            }

            var count = 0;
            for (var i = 0; i < length; i = next[i])
            {
                ids[count] = ids[i];
                first[count++] = i;
            }

            return count;
        }
        finally
        {
            ArrayPool<int>.Shared.Return(next);
            ArrayPool<int>.Shared.Return(previous);
        }
    }

    private void Offer(PriorityQueue<(int At, int Left, int Right), ulong> heap, int at, int left, int right)
    {
        var (rank, _) = Find(left, right);
        if (rank != NoMerge) heap.Enqueue((at, left, right), Pair(rank, at));
    }
}
