using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Shad.Onnx.Kernels;

/// <summary>
/// The attention of some neighbouring query rows of a segment, for the query heads that share a key and value head: scores,
/// softmax and weighted sum, block of keys by block of keys (Dao et al., arXiv:2205.14135; Milakov and Gimelshein,
/// arXiv:1805.02867).
/// </summary>
/// <remarks>
/// <code>
/// rows of the block     position 0: head 0, head 1, …; position 1: head 0, …      the group's heads are rows like others
/// tiles                 6 rows each, of nearly the same position: what a tile's last row may not see is not computed
///
/// block of B keys:      scores [rows,B] = Q·Kᵀ      m' = max(m, row maximum)       p = 2^(scores − m')
///                       l = l·2^(m − m') + Σp       O = O·2^(m − m') + p·V         in the end O/l
/// </code>
/// The scores are in units of ln 2, a factor that Q takes with the scale. Memory of a thread, with R rows (96, or the group's
/// heads where they are more): R·(D + B + 16 + D⁺ + 5) floats, 156 kB with D = 64.
/// </remarks>
internal static unsafe class AttentionBlock<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int Rows = MatrixTile<TSimd, TVector>.Rows;

    /// <summary>Rows of a block, where the group has no more heads than that.</summary>
    private const int TargetRows = 96;

    /// <summary>Keys of a block; a multiple of every panel's width.</summary>
    private const int Keys = 256;

    // The rows of the scores lie apart by other than a power of two, or they would compete for the same lines of the cache.
    private const int ScoreStride = Keys + 16;

    /// <summary>log₂ e.</summary>
    private const float BinaryLogarithmOfE = 1.442695040888963f;

    /// <summary>Query rows of a block: as many as make whole tiles.</summary>
    public static int QueriesPerBlock(AttentionShape shape)
    {
        int group = shape.Group;
        int whole = Rows / (int)System.Numerics.BigInteger.GreatestCommonDivisor(Rows, group);
        int most = Math.Max(1, TargetRows / group);
        return most < whole ? most : most / whole * whole;
    }

    /// <summary>Numbers that <see cref="Compute"/> works in.</summary>
    public static long ScratchLength(AttentionShape shape, int valueWidth) =>
        (long)Capacity(shape) * (shape.HeadSize + ScoreStride + valueWidth) + 5L * WholeVectors(Capacity(shape));

    private static int Capacity(AttentionShape shape) => (QueriesPerBlock(shape) * shape.Group + Rows - 1) / Rows * Rows;

    /// <summary>Computes the output of some query rows.</summary>
    /// <param name="shape">Sizes and settings.</param>
    /// <param name="inputs">The tensors.</param>
    /// <param name="keys">The packed keys and values.</param>
    /// <param name="ranges">The ranges of keys.</param>
    /// <param name="segment">The segment that the rows are of.</param>
    /// <param name="slot">Place of the key and value head among those packed.</param>
    /// <param name="head">The key and value head.</param>
    /// <param name="firstQuery">The first row.</param>
    /// <param name="queryCount">Rows, at most <see cref="QueriesPerBlock"/>.</param>
    /// <param name="scratch"><see cref="ScratchLength"/> numbers to work in.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(
        AttentionShape shape, AttentionInputs inputs, PackedKeys<TSimd, TVector> keys,
        IReadOnlyList<AttentionSegments.KeyRange> ranges, AttentionSegments.Segment segment, int slot, int head, int firstQuery,
        int queryCount, float* scratch)
    {
        int size = shape.HeadSize, group = shape.Group, valueWidth = keys.ValueWidth, capacity = Capacity(shape);
        int statistics = WholeVectors(capacity);
        int rows = queryCount * group, tiles = (rows + Rows - 1) / Rows;
        float* queries = scratch;
        float* scores = queries + capacity * size;
        float* output = scores + capacity * ScoreStride;
        float* maximum = output + capacity * valueWidth;
        float* sum = maximum + statistics;
        float* factor = sum + statistics;
        float* weight = factor + statistics;
        int* positions = (int*)(weight + statistics);

        for (int query = 0, row = 0; query < queryCount; query++)
        {
            int position = (int)inputs.Positions[firstQuery + query];
            float* source = inputs.Query + ((long)(firstQuery + query) * shape.Heads + head * group) * size;
            for (int member = 0; member < group; member++, row++)
            {
                positions[row] = position;
                Rotation.Apply<TSimd, TVector>(
                    source + member * size, queries + row * size, inputs, size, position, shape.Scale * BinaryLogarithmOfE);
            }
        }

        new Span<float>(queries + rows * size, (tiles * Rows - rows) * size).Clear();
        new Span<float>(maximum, statistics).Fill(float.NegativeInfinity);
        new Span<float>(sum, statistics).Clear();

        int* seenFrom = stackalloc int[tiles];
        int* seenUntil = stackalloc int[tiles];
        bool* begun = stackalloc bool[tiles];
        new Span<bool>(begun, tiles).Clear();
        for (int part = 0; part < 2; part++)
        {
            int number = part == 0 ? segment.Prefix : segment.Own;
            if (number == AttentionSegments.Segment.None) continue;
            var range = ranges[number];
            float* packedKeys = keys.KeysOf(slot, number);
            float* packedValues = keys.ValuesOf(slot, number);
            for (int first = 0; first < range.Count; first += Keys)
            {
                int count = Math.Min(Keys, range.Count - first), firstPosition = range.Position + first;
                bool seen = false;
                for (int tile = 0; tile < tiles; tile++)
                {
                    // The tile sees what its rows see together: from the first row's window to the last row's position.
                    int lastRow = Math.Min(rows, (tile + 1) * Rows) - 1;
                    var (from, _) = Visible(shape, positions[tile * Rows], firstPosition, count);
                    var (_, until) = Visible(shape, positions[lastRow], firstPosition, count);
                    seenFrom[tile] = from / TSimd.Lanes * TSimd.Lanes;
                    seenUntil[tile] = until;
                    seen |= from < until;
                }

                if (!seen) continue;
                float* blockKeys = packedKeys + (long)first * size;
                for (int panel = 0; panel < count; panel += MatrixTile<TSimd, TVector>.Columns)
                {
                    float* panelKeys = blockKeys + (long)panel * size;
                    for (int tile = 0; tile < tiles; tile++)
                    {
                        int from = Math.Max(seenFrom[tile], panel) - panel;
                        int until = Math.Min(seenUntil[tile], panel + MatrixTile<TSimd, TVector>.Columns) - panel;
                        if (from >= until) continue;
                        MatrixTile<TSimd, TVector>.Multiply(
                            queries + tile * Rows * size, size, panelKeys + from, MatrixTile<TSimd, TVector>.Columns,
                            scores + tile * Rows * ScoreStride + panel + from, ScoreStride,
                            size, (until - from + TSimd.Lanes - 1) / TSimd.Lanes, add: false);
                    }
                }

                for (int row = 0; row < rows; row++)
                {
                    int tile = row / Rows;
                    var (from, until) = Visible(shape, positions[row], firstPosition, count);
                    if (shape.Cap > 0) Bound(scores + row * ScoreStride + seenFrom[tile], seenUntil[tile] - seenFrom[tile], shape.Cap);
                    float before = maximum[row];
                    weight[row] = Softmax(
                        scores + row * ScoreStride, seenFrom[tile], seenUntil[tile], from, until, maximum + row);
                    factor[row] = maximum[row] == before ? 0 : before - maximum[row];
                }

                for (int row = 0; row < rows; row += TSimd.Lanes)
                {
                    TVector power = TSimd.PowerOfTwo(TSimd.Load(factor + row));
                    TSimd.Store(power, factor + row);
                    TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(sum + row), power, TSimd.Load(weight + row)), sum + row);
                }

                float* blockValues = packedValues + (long)first * valueWidth;
                for (int tile = 0; tile < tiles; tile++)
                {
                    int from = seenFrom[tile];
                    if (from >= seenUntil[tile]) continue;
                    float* tileOutput = output + tile * Rows * valueWidth;
                    for (int row = 0; begun[tile] && row < Rows; row++)
                        Multiply(tileOutput + row * valueWidth, factor[tile * Rows + row], valueWidth);
                    MatrixTile<TSimd, TVector>.Multiply(
                        scores + tile * Rows * ScoreStride + from, ScoreStride, blockValues + (long)from * valueWidth, valueWidth,
                        tileOutput, valueWidth, seenUntil[tile] - from, valueWidth / TSimd.Lanes, begun[tile]);
                    begun[tile] = true;
                }
            }
        }

        for (int query = 0, row = 0; query < queryCount; query++)
        {
            float* attended = inputs.Output + ((long)(firstQuery + query) * shape.Heads + head * group) * size;
            for (int member = 0; member < group; member++, row++)
                Divide(output + row * valueWidth, sum[row], attended + member * size, size);
        }

    }

    /// <summary>Bounds scores, which are in units of ln 2.</summary>
    private static void Bound(float* scores, int count, float cap)
    {
        if (count <= 0) return;
        var span = new Span<float>(scores, count);
        TensorPrimitives.Multiply(span, 1 / (cap * BinaryLogarithmOfE), span);
        TensorPrimitives.Tanh(span, span);
        TensorPrimitives.Multiply(span, cap * BinaryLogarithmOfE, span);
    }

    /// <summary>The keys of a block that a position sees, relative to the block's first; empty where they end before they
    /// begin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int From, int Until) Visible(AttentionShape shape, int position, int firstPosition, int count)
    {
        long distance = (long)position - firstPosition;
        return ((int)Math.Clamp(distance + 1 - shape.Window, 0, count), (int)Math.Clamp(distance + 1, 0, count));
    }

    /// <summary>Turns a row's scores into weights relative to its largest score so far.</summary>
    /// <returns>The sum of the weights.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Softmax(float* scores, int tileFrom, int tileUntil, int from, int until, float* maximum)
    {
        if (from >= until)
        {
            // The row sees nothing of this block; other rows of its tile may.
            if (tileFrom < tileUntil) new Span<float>(scores + tileFrom, tileUntil - tileFrom).Clear();
            return 0;
        }

        TVector least = TSimd.Broadcast(float.NegativeInfinity), largest = least;
        for (int key = tileFrom; key < tileUntil; key += TSimd.Lanes)
        {
            TVector value = TSimd.Load(scores + key);
            if (key < from || key + TSimd.Lanes > until) value = TSimd.Keep(value, from - key, until - key, least);
            largest = TSimd.Maximum(largest, value);
        }

        float before = *maximum, now = TSimd.LargestOf(largest);
        if (before > now) now = before;
        *maximum = now;
        TVector shift = TSimd.Broadcast(now), zero = TSimd.Broadcast(0), total = zero;
        for (int key = tileFrom; key < tileUntil; key += TSimd.Lanes)
        {
            TVector weight = TSimd.PowerOfTwo(TSimd.Subtract(TSimd.Load(scores + key), shift));
            if (key < from || key + TSimd.Lanes > until) weight = TSimd.Keep(weight, from - key, until - key, zero);
            total = TSimd.Add(total, weight);
            TSimd.Store(weight, scores + key);
        }

        return TSimd.Sum(total);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(float* numbers, float factor, int count)
    {
        if (factor == 1) return;
        TVector factors = TSimd.Broadcast(factor);
        for (int i = 0; i < count; i += TSimd.Lanes) TSimd.Store(TSimd.Multiply(TSimd.Load(numbers + i), factors), numbers + i);
    }

    private static int WholeVectors(int count) => (count + TSimd.Lanes - 1) / TSimd.Lanes * TSimd.Lanes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Divide(float* source, float divisor, float* destination, int size)
    {
        TVector factor = TSimd.Broadcast(1 / divisor);
        int i = 0;
        for (; i <= size - TSimd.Lanes; i += TSimd.Lanes) TSimd.Store(TSimd.Multiply(TSimd.Load(source + i), factor), destination + i);
        for (; i < size; i++) destination[i] = source[i] * (1 / divisor);
    }
}
