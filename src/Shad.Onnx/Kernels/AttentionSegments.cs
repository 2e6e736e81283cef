namespace Shad.Onnx.Kernels;

/// <summary>
/// The table that says which rows of a packed batch attend to which, checked: row <c>g</c> of <c>[G,6]</c> is a sequence, as
/// <see cref="PackedAttention"/> describes it.
/// </summary>
internal sealed class AttentionSegments
{
    private readonly List<KeyRange> _ranges = [];
    private readonly Dictionary<KeyRange, int> _numbers = [];

    /// <summary>Reads the table.</summary>
    /// <param name="table">Query start, query count, prefix start, prefix count, key start, key count of each segment.</param>
    /// <param name="positions">Position of each query row.</param>
    /// <param name="keyRows">Rows of key and value.</param>
    /// <param name="rotaryRows">Rows of the rotary tables.</param>
    /// <exception cref="ArgumentException">The table contradicts itself or the tensors.</exception>
    public AttentionSegments(ReadOnlySpan<long> table, ReadOnlySpan<long> positions, int keyRows, int rotaryRows)
    {
        Segments = new Segment[table.Length / Columns];
        long next = 0;
        for (int number = 0; number < Segments.Length; number++)
        {
            var row = table.Slice(number * Columns, Columns);
            if (row[0] != next || row[1] < 0 || row[1] > positions.Length - next)
            {
                throw new ArgumentException(
                    $"segment {number} has the query rows {row[0]} + {row[1]}; expected rows from {next} on, of {positions.Length}");
            }

            CheckKeys(number, "prefix", row[2], row[3], keyRows);
            CheckKeys(number, "key", row[4], row[5], keyRows);
            long length = row[3] + row[5];
            if (length > rotaryRows)
                throw new ArgumentException($"segment {number} has {length} keys; the rotary tables end after {rotaryRows} positions");
            next += row[1];
            CheckPositions(number, positions[(int)row[0]..(int)next], length);
            Segments[number] = new Segment(
                (int)row[0], (int)row[1],
                Range(new KeyRange((int)row[2], (int)row[3], 0)), Range(new KeyRange((int)row[4], (int)row[5], (int)row[3])));
        }

        if (next != positions.Length)
            throw new ArgumentException($"the segments have {next} query rows; query has {positions.Length}");
    }

    /// <summary>Columns of the table.</summary>
    public const int Columns = 6;

    /// <summary>The segments in the table's order.</summary>
    public Segment[] Segments { get; }

    /// <summary>The ranges of keys that segments name, each once: a prefix that they share is one.</summary>
    public IReadOnlyList<KeyRange> Ranges => _ranges;

    private int Range(KeyRange range)
    {
        if (range.Count == 0) return Segment.None;
        if (_numbers.TryGetValue(range, out int number)) return number;
        _ranges.Add(range);
        return _numbers[range] = _ranges.Count - 1;
    }

    private static void CheckKeys(int number, string what, long start, long count, int keyRows)
    {
        if (start < 0 || count < 0 || start > keyRows || count > keyRows - start)
            throw new ArgumentException($"segment {number} has the {what} rows {start} + {count}; expected rows of the {keyRows} of key");
    }

    private static void CheckPositions(int number, ReadOnlySpan<long> positions, long length)
    {
        long last = -1;
        foreach (long position in positions)
        {
            if (position <= last)
                throw new ArgumentException($"segment {number} has position {position} after {last}; expected them to ascend from 0");
            last = position;
        }

        if (last >= length)
            throw new ArgumentException($"segment {number} asks at position {last}; expected less than its {length} keys");
    }

    /// <summary>Rows of key and value that follow each other.</summary>
    /// <param name="Start">The first row.</param>
    /// <param name="Count">Rows, at least 1.</param>
    /// <param name="Position">Position of the first.</param>
    public readonly record struct KeyRange(int Start, int Count, int Position);

    /// <summary>A sequence.</summary>
    /// <param name="QueryStart">Its first query row.</param>
    /// <param name="QueryCount">Its query rows.</param>
    /// <param name="Prefix">Number of its prefix's range, or <see cref="None"/>.</param>
    /// <param name="Own">Number of its own keys' range, or <see cref="None"/>.</param>
    public readonly record struct Segment(int QueryStart, int QueryCount, int Prefix, int Own)
    {
        /// <summary>No range.</summary>
        public const int None = -1;
    }
}
