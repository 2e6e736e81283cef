using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Shad.Onnx.Kernels;

/// <summary>
/// <c>shad.PackedAttention</c>: causal grouped-query attention (Ainslie et al., arXiv:2305.13245) with rotary embedding over
/// the packed tokens of many sequences, without padding, on the CPU in float32.
/// </summary>
/// <remarks>
/// <para>Inputs, all required:</para>
/// <list type="number">
/// <item><c>query [Nq, heads·D]</c>, float32, not yet rotated</item>
/// <item><c>key [Nk, KV heads·D]</c>, float32, not yet rotated</item>
/// <item><c>value [Nk, KV heads·D]</c>, float32</item>
/// <item><c>cosine [L, R/2]</c>, float32, of positions 0 … L − 1; R coordinates of a head are rotated, an even number from 0 to D</item>
/// <item><c>sine [L, R/2]</c>, float32; coordinate <c>i</c> of a head is paired with <c>i + R/2</c></item>
/// <item><c>segments [G, 6]</c>, int64, a row for each sequence: query start, query count, prefix start, prefix count, key start,
/// key count</item>
/// <item><c>positions [Nq]</c>, int64, position of each query row</item>
/// </list>
/// <para>Output: <c>[Nq, heads·D]</c>, float32.</para>
/// <para>
/// The keys of a segment are the rows of its prefix followed by the rows of its own: row <c>prefix start + j</c> of key and
/// value has position <c>j</c>, row <c>key start + j</c> has position <c>prefix count + j</c>. Without a prefix its count is 0.
/// A query at position <c>p</c> sees the keys at positions <c>0 … p</c>, with a window <c>W</c> the last <c>W</c> of them. So:
/// </para>
/// <list type="bullet">
/// <item>The segments' query rows are the rows of query, in order and without gaps; a count may be 0.</item>
/// <item>The positions of a segment's query rows ascend, and may be any of its keys': in the last layer only those of the rows
/// that are wanted.</item>
/// <item>Any rows of key and value may be the prefix of any number of segments, and no row need belong to a segment. A prefix
/// that is computed in the same pass is a segment of its own as well, whose keys are these rows.</item>
/// <item>The positions of a segment end before L.</item>
/// </list>
/// <code>
/// two sequences of 3 and 2 tokens                     segments   0 3 0 0 0 3        positions   0 1 2 0 1
///                                                                3 2 0 0 3 2
/// a prefix of 4 tokens before two of 3 and 2          segments   0 4 0 0 0 4        positions   0 1 2 3 4 5 6 4 5
///                                                                4 3 0 4 4 3
///                                                                7 2 0 4 7 2
/// its last layer, rows 6, 7 and 8 wanted              segments   0 0 0 0 0 4        positions   6 4 5
///                                                                0 1 0 4 4 3
///                                                                1 2 0 4 7 2
/// </code>
/// <para>Attributes, required but for the last:</para>
/// <list type="bullet">
/// <item><c>num_heads</c>, <c>kv_num_heads</c>: int, the latter a divisor of the former</item>
/// <item><c>scale</c>: float, the factor of the scores</item>
/// <item><c>softcap</c>: float, bound c of the scores, <c>c·tanh(score/c)</c> (Gemma 2, arXiv:2408.00118); left out for none</item>
/// <item><c>window</c>: int, keys that a query sees, itself among them; −1 for all before it</item>
/// <item><c>vector_bits</c>: int, width of the vectors computed with: 512, 256 or 128; left out, the widest this machine has</item>
/// </list>
/// <para>
/// D is even, and needs to be no multiple of anything else. What is wrong with a table fails the run with a message that names
/// the segment. Memory beside the inputs and the output: the packed keys and values of as many heads at a time as
/// <see cref="PackedMemory"/> holds, at least of one, and a block of each thread (<see cref="AttentionBlock{TSimd,TVector}"/>).
/// </para>
/// </remarks>
internal abstract unsafe class PackedAttention : IKernel
{
    /// <summary>Name of the operator in <see cref="CustomOperators.Domain"/>.</summary>
    public const string Name = "PackedAttention";

    /// <summary>Bytes that packed keys and values take, where one head does not take more.</summary>
    public const long PackedMemory = 32L << 20;

    private protected PackedAttention(int heads, int keyValueHeads, float scale, int window, float cap)
    {
        Heads = heads;
        KeyValueHeads = keyValueHeads;
        Scale = scale;
        Window = window;
        Cap = cap;
        PackedPool.Join();
        BlockPool.Join();
    }

    /// <summary>The operator.</summary>
    public static OwnOperator Operator { get; } = new(
        Name, [OrtApi.Float32, OrtApi.Float32, OrtApi.Float32, OrtApi.Float32, OrtApi.Float32, OrtApi.Int64, OrtApi.Int64], Create);

    // All kernels of the process share them: layers are computed one after another.
    private protected static ScratchPool PackedPool { get; } = new();

    private protected static ScratchPool BlockPool { get; } = new();

    private protected int Heads { get; }

    private protected int KeyValueHeads { get; }

    private protected float Scale { get; }

    private protected int Window { get; }

    private protected float Cap { get; }

    /// <summary>The kernel of a node.</summary>
    /// <param name="info">ONNX Runtime's description of the node.</param>
    /// <exception cref="ArgumentException">An attribute is missing or has a value that it cannot have.</exception>
    public static PackedAttention Create(nint info)
    {
        long heads = OrtApi.Int64Attribute(info, "num_heads"), keyValueHeads = OrtApi.Int64Attribute(info, "kv_num_heads");
        if (heads is < 1 or > ushort.MaxValue || keyValueHeads < 1 || heads % keyValueHeads != 0)
            throw new ArgumentException($"{Name}: {heads} query heads cannot share {keyValueHeads} key and value heads");
        float scale = OrtApi.FloatAttribute(info, "scale");
        long window = OrtApi.Int64Attribute(info, "window");
        if (window is 0 or < -1) throw new ArgumentException($"{Name}: window is {window}; expected at least 1, or -1 for none");
        float cap = OrtApi.FindFloatAttribute(info, "softcap") ?? 0;
        if (!(cap >= 0) || !float.IsFinite(cap)) throw new ArgumentException($"{Name}: softcap is {cap}; expected a positive number, or none");
        int reach = window < 0 ? int.MaxValue : (int)Math.Min(window, int.MaxValue);
        return SimdWidth.Of(info, Name) switch
        {
            512 => new PackedAttention<Simd512, Vector512<float>>((int)heads, (int)keyValueHeads, scale, reach, cap),
            256 => new PackedAttention<Simd256, Vector256<float>>((int)heads, (int)keyValueHeads, scale, reach, cap),
            _ => new PackedAttention<Simd128, Vector128<float>>((int)heads, (int)keyValueHeads, scale, reach, cap),
        };
    }

    /// <inheritdoc/>
    public abstract void Compute(nint context);

    /// <inheritdoc/>
    public void Dispose()
    {
        PackedPool.Leave();
        BlockPool.Leave();
    }
}

/// <summary><see cref="PackedAttention"/> with vectors of one width.</summary>
internal sealed unsafe class PackedAttention<TSimd, TVector>(int heads, int keyValueHeads, float scale, int window, float cap)
    : PackedAttention(heads, keyValueHeads, scale, window, cap)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <inheritdoc/>
    public override void Compute(nint context)
    {
        var query = OrtApi.Input(context, 0);
        var key = OrtApi.Input(context, 1);
        var value = OrtApi.Input(context, 2);
        var cosine = OrtApi.Input(context, 3);
        var sine = OrtApi.Input(context, 4);
        var table = OrtApi.Input(context, 5);
        var positions = OrtApi.Input(context, 6);

        Expect(query.Shape.Length == 2 && query.Shape[1] > 0 && query.Shape[1] % (2 * Heads) == 0, "query", query, $"[Nq, {Heads} · D] with an even D");
        int size = checked((int)(query.Shape[1] / Heads));
        long width = (long)KeyValueHeads * size;
        Expect(key.Shape.Length == 2 && key.Shape[1] == width, "key", key, $"[Nk, {width}]");
        Expect(value.Shape.AsSpan().SequenceEqual(key.Shape), "value", value, $"[{key.Shape[0]}, {width}] as key");
        Expect(cosine.Shape.Length == 2 && cosine.Shape[1] <= size / 2, "cosine", cosine, $"[L, at most {size / 2}]");
        Expect(sine.Shape.AsSpan().SequenceEqual(cosine.Shape), "sine", sine, $"[{cosine.Shape[0]}, {cosine.Shape[1]}] as cosine");
        Expect(table.Shape.Length == 2 && table.Shape[1] == AttentionSegments.Columns, "segments", table, $"[G, {AttentionSegments.Columns}]");
        Expect(positions.Shape.Length == 1 && positions.Shape[0] == query.Shape[0], "positions", positions, $"[{query.Shape[0]}], one of each query row");

        AttentionSegments segments;
        try
        {
            segments = new AttentionSegments(
                new ReadOnlySpan<long>((long*)table.Data, checked((int)(table.Shape[0] * table.Shape[1]))),
                new ReadOnlySpan<long>((long*)positions.Data, checked((int)positions.Shape[0])),
                checked((int)key.Shape[0]), (int)Math.Min(cosine.Shape[0], int.MaxValue));
        }
        catch (ArgumentException error)
        {
            throw new ArgumentException($"{Name}: {error.Message}", error);
        }

        var inputs = new AttentionInputs
        {
            Query = (float*)query.Data,
            Key = (float*)key.Data,
            Value = (float*)value.Data,
            Cosine = (float*)cosine.Data,
            Sine = (float*)sine.Data,
            RotatedPairs = (int)cosine.Shape[1],
            Positions = (long*)positions.Data,
            Output = (float*)OrtApi.Output(context, 0, query.Shape),
        };
        if (query.Shape[0] == 0) return;
        Run(context, new AttentionShape(Heads, KeyValueHeads, size, Scale, Window, Cap), inputs, segments);
    }

    private static void Run(nint context, AttentionShape shape, AttentionInputs inputs, AttentionSegments segments)
    {
        var keys = new PackedKeys<TSimd, TVector>(shape, inputs, segments.Ranges);
        var blocks = Blocks(shape, segments);
        long scratch = AttentionBlock<TSimd, TVector>.ScratchLength(shape, keys.ValueWidth);
        int together = (int)Math.Clamp(PackedMemory / (keys.HeadLength * sizeof(float)), 1, shape.KeyValueHeads);
        var packed = PackedPool.Rent(keys.HeadLength * together);
        try
        {
            keys.Memory = packed.Pointer;
            for (int head = 0; head < shape.KeyValueHeads; head += together)
            {
                int firstHead = head, count = Math.Min(together, shape.KeyValueHeads - head);
                SessionThreads.For(context, count * keys.PanelCount, index =>
                    keys.Pack(index / keys.PanelCount, firstHead + index / keys.PanelCount, index % keys.PanelCount));
                SessionThreads.For(context, count * blocks.Length, index =>
                {
                    var block = blocks[index % blocks.Length];
                    int slot = index / blocks.Length;
                    var buffer = BlockPool.Rent(scratch);
                    try
                    {
                        AttentionBlock<TSimd, TVector>.Compute(
                            shape, inputs, keys, segments.Ranges, segments.Segments[block.Segment], slot, firstHead + slot,
                            block.FirstQuery, block.QueryCount, buffer.Pointer);
                    }
                    finally
                    {
                        BlockPool.Return(buffer);
                    }
                });
            }
        }
        finally
        {
            PackedPool.Return(packed);
        }
    }

    // Later rows of a segment see more keys. They come first, so that the last of all blocks are short and the threads end
    // together.
    private static QueryBlock[] Blocks(AttentionShape shape, AttentionSegments segments)
    {
        int queries = AttentionBlock<TSimd, TVector>.QueriesPerBlock(shape);
        var blocks = new List<QueryBlock>();
        for (int number = 0; number < segments.Segments.Length; number++)
        {
            var segment = segments.Segments[number];
            for (int first = (segment.QueryCount - 1) / queries * queries; first >= 0; first -= queries)
            {
                int count = Math.Min(queries, segment.QueryCount - first);
                if (count > 0) blocks.Add(new QueryBlock(number, segment.QueryStart + first, count));
            }
        }

        return [.. blocks];
    }

    private static void Expect(bool holds, string input, OrtApi.Tensor tensor, string expected)
    {
        if (!holds) throw new ArgumentException($"{Name}: {input} is [{string.Join(", ", tensor.Shape)}]; expected {expected}");
    }

    private readonly record struct QueryBlock(int Segment, int FirstQuery, int QueryCount);
}
