using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Shad.Onnx.Kernels;

/// <summary>
/// <c>shad.TokenLoss</c>: the cross-entropy of targets, LM head and log-sum-exp in one, on the CPU in float32. No logits beyond a
/// tile's panel exist, and the head is read where it lies.
/// </summary>
/// <remarks>
/// <para>Inputs, all required:</para>
/// <list type="number">
/// <item><c>hidden [T, H]</c>, float32, the states after the final norm</item>
/// <item><c>head [V, H]</c>, float32</item>
/// <item><c>targets [T]</c>, int64, from 0 to V − 1</item>
/// </list>
/// <para>Output: <c>[T]</c>, float32: <c>ln Σᵥ exp(hidden·headᵥ) − hidden·head_target</c>, in nats.</para>
/// <para>Attributes: <c>softcap</c>, float, bound c of the logits, <c>c·tanh(logit/c)</c>, left out for none; <c>vector_bits</c>, see
/// <see cref="SimdWidth"/>.</para>
/// <code>
/// vocabulary in chunks, a call of a thread each        │ panel of W tokens: turned into columns [H,W] once for all rows
/// rows in blocks                                       │ logits [rows,W] = Q·panel, part of the depth by part
/// a row's running maximum and sum, a lane each         │ m' = max(m, logits)      s = s·2^(m − m') + Σ 2^(logits − m')
/// </code>
/// <para>The running form is that of Milakov and Gimelshein (arXiv:1805.02867); logits are in units of ln 2, a factor the states take
/// as they are copied. Memory beside the inputs: a copy of up to 4,096 states (32 MiB
/// at most), the maxima and sums of each chunk for them (2 MiB), and for each thread a panel, the logits of a block, and two vectors a row
/// (together below 1 MiB with H up to 1,536).</para>
/// </remarks>
internal abstract unsafe class TokenLoss : IKernel
{
    /// <summary>Name of the operator in <see cref="CustomOperators.Domain"/>.</summary>
    public const string Name = "TokenLoss";

    private protected TokenLoss(float cap)
    {
        Cap = cap;
        Pool.Join();
    }

    /// <summary>The operator.</summary>
    public static OwnOperator Operator { get; } = new(Name, [OrtApi.Float32, OrtApi.Float32, OrtApi.Int64], Create);

    private protected static ScratchPool Pool { get; } = new();

    private protected float Cap { get; }

    /// <inheritdoc/>
    public abstract void Compute(nint context);

    /// <inheritdoc/>
    public void Dispose() => Pool.Leave();

    private static TokenLoss Create(nint info)
    {
        float cap = OrtApi.FindFloatAttribute(info, "softcap") ?? 0;
        if (!(cap >= 0) || !float.IsFinite(cap)) throw new ArgumentException($"{Name}: softcap is {cap}; expected a positive number, or none");
        return SimdWidth.Of(info, Name) switch
        {
            512 => new TokenLoss<Simd512, Vector512<float>>(cap),
            256 => new TokenLoss<Simd256, Vector256<float>>(cap),
            _ => new TokenLoss<Simd128, Vector128<float>>(cap),
        };
    }
}

/// <summary><see cref="TokenLoss"/> with vectors of one width.</summary>
internal sealed unsafe class TokenLoss<TSimd, TVector>(float cap) : TokenLoss(cap)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int TileRows = MatrixTile<TSimd, TVector>.Rows;

    /// <summary>Rows whose logits exist at a time, in a thread: their part of the states and the logits stay in the second cache.</summary>
    private const int BlockRows = 16 * TileRows;

    /// <summary>Depth that a tile goes through at a time: the panel's part, 32 kB with the widest vectors, stays in the first cache.</summary>
    private const int DepthPart = 128;

    /// <summary>Rows that a panel is turned into columns for. Doing so costs about as much as the product of 20 rows.</summary>
    private const int MostRows = 4096;

    /// <summary>Most bytes of states that are copied.</summary>
    private const long StateMemory = 32L << 20;

    private const int MostChunks = 64;

    // Rows lie apart by other than a power of two, or those of a tile would compete for the same lines of the cache.
    private const int StrideBeyond = 16;

    // Less than any logit, and finite: ∞ − ∞ is not a number.
    private const float Least = -1e30f;

    private const float BinaryLogarithmOfE = 1.442695040888963f;

    private static int Width => MatrixTile<TSimd, TVector>.Columns;

    private static int LogitStride => Width + StrideBeyond;

    /// <inheritdoc/>
    public override void Compute(nint context)
    {
        var hidden = OrtApi.Input(context, 0);
        var head = OrtApi.Input(context, 1);
        var targets = OrtApi.Input(context, 2);
        Expect(hidden.Shape.Length == 2 && hidden.Shape[1] > 0, "hidden", hidden, "[T, H]");
        Expect(head.Shape.Length == 2 && head.Shape[1] == hidden.Shape[1] && head.Shape[0] > 0, "head", head, $"[V, {hidden.Shape[1]}]");
        Expect(targets.Shape.Length == 1 && targets.Shape[0] == hidden.Shape[0], "targets", targets, $"[{hidden.Shape[0]}], one of each state");
        int rows = checked((int)hidden.Shape[0]), size = checked((int)hidden.Shape[1]), vocabulary = checked((int)head.Shape[0]);
        long* ids = (long*)targets.Data;
        for (int row = 0; row < rows; row++)
        {
            if (ids[row] < 0 || ids[row] >= vocabulary)
                throw new ArgumentException($"{Name}: target {row} is {ids[row]}; expected 0 to {vocabulary - 1}");
        }

        float* losses = (float*)OrtApi.Output(context, 0, [rows]);
        int most = (int)Math.Clamp(StateMemory / (sizeof(float) * (long)size), BlockRows, MostRows);
        for (int first = 0; first < rows; first += most)
        {
            int count = Math.Min(most, rows - first);
            Run(context, (float*)hidden.Data + (long)first * size, (float*)head.Data, ids + first, losses + first, count, size, vocabulary, Cap);
        }
    }

    private static void Run(nint context, float* hidden, float* head, long* targets, float* losses, int rows, int size, int vocabulary, float cap)
    {
        int whole = (rows + TileRows - 1) / TileRows * TileRows, stride = size + StrideBeyond;
        int panels = (vocabulary + Width - 1) / Width;
        int panelsPerChunk = (panels + MostChunks - 1) / MostChunks;
        int chunks = (panels + panelsPerChunk - 1) / panelsPerChunk;
        var shared = Pool.Rent((long)whole * stride + (long)rows * (2L * chunks + 1));
        try
        {
            float* states = shared.Pointer;
            float* maxima = states + (long)whole * stride;
            float* sums = maxima + (long)rows * chunks;
            float* chosen = sums + (long)rows * chunks;
            for (int row = 0; row < whole; row++)
            {
                var copy = new Span<float>(states + (long)row * stride, size);
                if (row < rows) TensorPrimitives.Multiply(new ReadOnlySpan<float>(hidden + (long)row * size, size), BinaryLogarithmOfE, copy);
                else copy.Clear();
            }

            SessionThreads.For(context, chunks, chunk =>
            {
                int firstPanel = chunk * panelsPerChunk, endPanel = Math.Min(panels, firstPanel + panelsPerChunk);
                var scratch = Pool.Rent((long)size * Width + 4L * size + (long)BlockRows * LogitStride + 2L * rows * TSimd.Lanes);
                try
                {
                    ComputeChunk(
                        states, stride, head, targets, rows, size, vocabulary, firstPanel, endPanel, cap, scratch.Pointer,
                        maxima + (long)chunk * rows, sums + (long)chunk * rows, chosen);
                }
                finally
                {
                    Pool.Return(scratch);
                }
            });
            for (int row = 0; row < rows; row++) losses[row] = Merge(maxima + row, sums + row, chosen[row], chunks, rows);
        }
        finally
        {
            Pool.Return(shared);
        }
    }

    private static float Merge(float* maxima, float* sums, float chosen, int chunks, int stride)
    {
        double maximum = double.NegativeInfinity, sum = 0;
        for (int chunk = 0; chunk < chunks; chunk++) maximum = Math.Max(maximum, maxima[(long)chunk * stride]);
        for (int chunk = 0; chunk < chunks; chunk++)
            sum += sums[(long)chunk * stride] * Math.Pow(2, maxima[(long)chunk * stride] - maximum);
        return (float)((maximum - chosen + Math.Log2(sum)) / BinaryLogarithmOfE);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ComputeChunk(
        float* states, int stride, float* head, long* targets, int rows, int size, int vocabulary, int firstPanel, int endPanel, float cap, float* scratch,
        float* maxima, float* sums, float* chosen)
    {
        float* panel = scratch;
        float* lastRows = panel + (long)size * Width;
        float* logits = lastRows + 4L * size;
        float* running = logits + (long)BlockRows * LogitStride;
        TVector least = TSimd.Broadcast(Least);
        for (int row = 0; row < rows; row++)
        {
            TSimd.Store(least, running + 2L * row * TSimd.Lanes);
            TSimd.Store(TSimd.Broadcast(0), running + (2L * row + 1) * TSimd.Lanes);
        }

        for (int number = firstPanel; number < endPanel; number++)
        {
            int firstToken = number * Width, tokens = Math.Min(Width, vocabulary - firstToken);
            int vectors = (tokens + TSimd.Lanes - 1) / TSimd.Lanes;
            Pack(head + (long)firstToken * size, size, tokens, panel, lastRows);
            for (int block = 0; block < rows; block += BlockRows)
            {
                int count = Math.Min(BlockRows, rows - block);
                for (int depth = 0; depth < size; depth += DepthPart)
                {
                    int part = Math.Min(DepthPart, size - depth);
                    for (int row = 0; row < count; row += TileRows)
                    {
                        MatrixTile<TSimd, TVector>.Multiply(
                            states + (long)(block + row) * stride + depth, stride, panel + (long)depth * Width, Width,
                            logits + (long)row * LogitStride, LogitStride, part, vectors, add: depth > 0);
                    }
                }

                for (int row = 0; row < count; row++)
                {
                    float* rowLogits = logits + (long)row * LogitStride;
                    if (cap > 0) Bound(rowLogits, tokens, cap * BinaryLogarithmOfE);
                    long target = targets[block + row] - firstToken;
                    if (target >= 0 && target < tokens) chosen[block + row] = rowLogits[target];
                    Add(rowLogits, tokens, running + 2L * (block + row) * TSimd.Lanes);
                }
            }
        }

        for (int row = 0; row < rows; row++)
        {
            TVector maximum = TSimd.Load(running + 2L * row * TSimd.Lanes), sum = TSimd.Load(running + (2L * row + 1) * TSimd.Lanes);
            maxima[row] = TSimd.LargestOf(maximum);
            TVector factor = TSimd.PowerOfTwo(TSimd.Subtract(maximum, TSimd.Broadcast(maxima[row])));
            sums[row] = TSimd.Sum(TSimd.Multiply(sum, factor));
        }
    }

    private static void Bound(float* logits, int count, float cap)
    {
        var span = new Span<float>(logits, count);
        TensorPrimitives.Multiply(span, 1 / cap, span);
        TensorPrimitives.Tanh(span, span);
        TensorPrimitives.Multiply(span, cap, span);
    }

    /// <summary>Takes a row's logits of a panel into its running maxima and sums, of each lane its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* logits, int tokens, float* running)
    {
        TVector before = TSimd.Load(running), maximum = before;
        int whole = tokens / TSimd.Lanes * TSimd.Lanes;
        if (whole < tokens)
        {
            TVector last = TSimd.Keep(TSimd.Load(logits + whole), 0, tokens - whole, TSimd.Broadcast(Least));
            TSimd.Store(last, logits + whole);
        }

        for (int i = 0; i < tokens; i += TSimd.Lanes) maximum = TSimd.Maximum(maximum, TSimd.Load(logits + i));
        TVector sum = TSimd.Multiply(TSimd.Load(running + TSimd.Lanes), TSimd.PowerOfTwo(TSimd.Subtract(before, maximum)));
        for (int i = 0; i < tokens; i += TSimd.Lanes)
            sum = TSimd.Add(sum, TSimd.PowerOfTwo(TSimd.Subtract(TSimd.Load(logits + i), maximum)));
        TSimd.Store(maximum, running);
        TSimd.Store(sum, running + TSimd.Lanes);
    }

    /// <summary>Turns the head's rows of some tokens into columns; those that the panel has beyond them are zeros.</summary>
    private static void Pack(float* rows, int size, int tokens, float* panel, float* lastRows)
    {
        int token = 0;
        for (; token <= tokens - 4; token += 4) PanelColumns.Transpose4(rows + (long)token * size, size, panel + token, Width);
        if (token < tokens)
        {
            long left = (long)(tokens - token) * size;
            new ReadOnlySpan<float>(rows + (long)token * size, (int)left).CopyTo(new Span<float>(lastRows, (int)left));
            new Span<float>(lastRows + left, (int)(4L * size - left)).Clear();
            PanelColumns.Transpose4(lastRows, size, panel + token, Width);
            token += 4;
        }

        for (int i = 0; token < Width && i < size; i++) new Span<float>(panel + (long)i * Width + token, Width - token).Clear();
    }

    private static void Expect(bool holds, string input, OrtApi.Tensor tensor, string expected)
    {
        if (!holds) throw new ArgumentException($"{Name}: {input} is [{string.Join(", ", tensor.Shape)}]; expected {expected}");
    }
}
