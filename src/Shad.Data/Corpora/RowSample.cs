namespace Shad.Data.Corpora;

/// <summary>
/// Draws <paramref name="count"/> rows of a corpus: those whose keys, a hash of seed and place in the corpus, are the smallest. Every set of rows
/// is as likely as any other; the same seed and corpus give the same rows; of two counts the smaller's rows are among the larger's.
/// </summary>
/// <remarks>Memory is that of <paramref name="count"/> keys, whatever the size of the corpus. Keys: SplitMix64 (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", OOPSLA 2014), a bijection, so that no two rows have the same.</remarks>
/// <param name="count">How many rows.</param>
/// <param name="seed">The seed.</param>
internal sealed class RowSample(int count, ulong seed)
{
    private readonly PriorityQueue<long, ulong> _largestFirst = new(Comparer<ulong>.Create(static (a, b) => b.CompareTo(a)));
    private long _rows;
    private HashSet<long>? _chosen;

    /// <summary>Takes a file's rows into account.</summary>
    internal void AddRows(long rows)
    {
        for (long end = _rows + rows; _rows < end; _rows++)
        {
            ulong key = Key(_rows);
            if (_largestFirst.Count < count) _largestFirst.Enqueue(_rows, key);
            else _largestFirst.EnqueueDequeue(_rows, key);
        }
    }

    /// <summary>True where the row of that place in the corpus, from 0, is drawn; all rows are added by then.</summary>
    internal bool Holds(long row) => (_chosen ??= [.. _largestFirst.UnorderedItems.Select(static item => item.Element)]).Contains(row);

    private ulong Key(long row)
    {
        ulong z = (ulong)row + (seed * 0x9E3779B97F4A7C15) + 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;

        // A second round, since rows follow one another where SplitMix64 steps by its constant.
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
