using Shad.Core.Randomness;

namespace Shad.Onnx.Tests.Kernels;

/// <summary>A packed batch for the attention operator: random tensors, and which rows attend to which.</summary>
internal sealed record PackedBatch
{
    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    public required int HeadSize { get; init; }

    public int Window { get; init; } = -1;

    /// <summary>Bound of the scores; 0 for none.</summary>
    public float Cap { get; init; }

    /// <summary>Pairs of a head's coordinates that are rotated; null for all.</summary>
    public int? Pairs { get; init; }

    public int RotatedPairs => Pairs ?? HeadSize / 2;

    public required float[] Query { get; init; }

    public required float[] Key { get; init; }

    public required float[] Value { get; init; }

    /// <summary><c>[G,6]</c>: query start, query count, prefix start, prefix count, key start, key count.</summary>
    public required long[] Segments { get; init; }

    public required long[] Positions { get; init; }

    /// <summary>Rows of the rotary tables.</summary>
    public required int RotaryRows { get; init; }

    public float Scale => 1 / MathF.Sqrt(HeadSize);

    public int QueryRows => Positions.Length;

    public int KeyRows => Key.Length / (KeyValueHeads * HeadSize);

    public float[] Cosine => Table(Math.Cos);

    public float[] Sine => Table(Math.Sin);

    /// <summary>Whole sequences of these lengths, one behind the other.</summary>
    public static PackedBatch OfSequences(
        SeededRandom random, int heads, int keyValueHeads, int headSize, int window, params ReadOnlySpan<int> lengths)
    {
        var segments = new List<long>();
        var positions = new List<long>();
        foreach (int length in lengths)
        {
            segments.AddRange([positions.Count, length, 0, 0, positions.Count, length]);
            positions.AddRange(Enumerable.Range(0, length).Select(static position => (long)position));
        }

        return Create(random, heads, keyValueHeads, headSize, window, segments, positions, positions.Count);
    }

    /// <summary>Any batch: shared prefixes, prefixes that are computed in the batch, wanted rows only, unused rows, bounded scores, heads
    /// that are rotated in part or not at all.</summary>
    public static PackedBatch Any(SeededRandom random, int maximumLength)
    {
        int keyValueHeads = 1 + random.NextInt32(3);
        int heads = keyValueHeads * (1 + random.NextInt32(8));
        int headSize = random.Choose<int>([2, 8, 12, 16, 24, 40, 48, 64, 80, 96, 128, 256]);
        int window = random.NextBoolean() ? -1 : 1 + random.NextInt32(maximumLength);
        double wanted = random.Choose<double>([1, 1, 0.5, 0.1]);
        var segments = new List<long>();
        var positions = new List<long>();
        int keyRows = random.NextInt32(3);
        int prefixStart = 0, prefixCount = 0;
        for (int count = 1 + random.NextInt32(5); count > 0; count--)
        {
            int length = random.NextInt32(maximumLength);
            bool hasPrefix = prefixCount > 0 && random.NextBoolean(0.7);
            int start = positions.Count, known = hasPrefix ? prefixCount : 0;
            for (int position = random.NextBoolean() ? known : 0; position < known + length; position++)
            {
                if (random.NextBoolean(wanted)) positions.Add(position);
            }

            segments.AddRange([start, positions.Count - start, hasPrefix ? prefixStart : 0, known, keyRows, length]);
            if (random.NextBoolean(0.3)) (prefixStart, prefixCount) = (keyRows, length);
            keyRows += length + (random.NextBoolean(0.2) ? random.NextInt32(3) : 0);
        }

        return Create(random, heads, keyValueHeads, headSize, window, segments, positions, keyRows) with
        {
            Cap = random.NextBoolean(0.25) ? 0.5f + 20 * (float)random.NextDouble() : 0,
            Pairs = random.NextBoolean(0.25) ? random.NextInt32(headSize / 2 + 1) : null,
        };
    }

    private static PackedBatch Create(
        SeededRandom random, int heads, int keyValueHeads, int headSize, int window, List<long> segments, List<long> positions,
        int keyRows)
    {
        float[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)random.NextGaussian())];
        return new PackedBatch
        {
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadSize = headSize,
            Window = window,
            Query = Numbers(positions.Count * heads * headSize),
            Key = Numbers(keyRows * keyValueHeads * headSize),
            Value = Numbers(keyRows * keyValueHeads * headSize),
            Segments = [.. segments],
            Positions = [.. positions],
            RotaryRows = 2 * keyRows + 1,
        };
    }

    private float[] Table(Func<double, double> of)
    {
        int half = RotatedPairs;
        return [.. Enumerable.Range(0, RotaryRows * half).Select(
            i => (float)of(i / half * Math.Pow(10_000, -2.0 * (i % half) / (2 * half))))];
    }
}
