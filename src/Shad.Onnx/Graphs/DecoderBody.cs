using Shad.Models.Configuration;
using Shad.Models.Weights;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The decoder between the token ids and the LM head, the same for every graph. Activations are <c>[B·S, H]</c>, so that the
/// matrix products are <c>Gemm(transB = 1)</c> on the <c>[out, in]</c> weights as they are stored.
/// </summary>
/// <param name="graph">The graph built.</param>
/// <param name="config">The model.</param>
/// <param name="weights">The model's tensors.</param>
internal sealed class DecoderBody(GraphBuilder graph, DecoderConfig config, DecoderWeights weights)
{
    // The attention operator rotates heads of a multiple of 16 only.
    private readonly bool _rotatesInAttention = config.HeadSize % 16 == 0;
    private string? _positionIds;

    /// <summary>What the attention of every layer reads beside the activations.</summary>
    /// <param name="InputIds">Token ids <c>[B,S]</c>, int64.</param>
    /// <param name="LastPositions">Valid tokens of each sequence, past and new, less one: <c>[B]</c>, int32.</param>
    /// <param name="TotalLength">Tokens of the longest sequence, past and new: a scalar, int32.</param>
    /// <param name="Rotary">Tables of at least <paramref name="TotalLength"/> rows.</param>
    public sealed record Positions(string InputIds, string LastPositions, string TotalLength, RotaryCache Rotary);

    /// <summary>Key and value cache of one layer: names of the inputs and of the outputs, <c>[B, KV heads, tokens, head size]</c>.</summary>
    public sealed record LayerCache(string PastKey, string PastValue, string PresentKey, string PresentValue);

    /// <summary>Adds the decoder.</summary>
    /// <param name="positions">Token ids and lengths.</param>
    /// <param name="cache">The cache of a layer; null for a graph without one.</param>
    /// <param name="rows">Flat positions <c>[N]</c> of the rows that are wanted, int64; null is all. What the last layer does
    /// after its attention, it does for these only.</param>
    /// <returns>The hidden states after the final norm, <c>[N,H]</c> or <c>[B·S,H]</c>.</returns>
    public string Add(Positions positions, Func<int, LayerCache>? cache, string? rows)
    {
        // The flow between the sublayers; h is the residual stream, n its norm:
        //
        //   ids ─ Gather ─┬───────── h ─────────┬── + ── h ──┬── + ── h … final norm
        //                 └ norm ─ n ─ attention ┘  └ norm ─ n ─ mlp ┘
        //
        // Every sum is followed by a norm, so both are one SkipSimplifiedLayerNormalization.
        string ids = graph.Node("Reshape", "embedding/ids", [positions.InputIds, graph.Constant(-1L)]);
        string hidden = weights.Rows(TensorNames.Embedding, "embedding", ids);
        string batchAndSequence = graph.Node("Shape", "shape", [positions.InputIds]);
        string headsShape = graph.Node(
            "Concat", "shape/heads", [batchAndSequence, graph.Constant(-1L)], ("axis", 0));

        string normed = Norm(
            "layers.0/input_norm", hidden, weights.Get(TensorNames.Layer(0).InputNorm));
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            var names = TensorNames.Layer(layer);
            string path = $"layers.{layer}";
            string attended = Attention(layer, $"{path}/attention", normed, headsShape, positions, cache?.Invoke(layer));
            if (rows is not null && layer == config.LayerCount - 1)
            {
                attended = graph.Node("Gather", $"{path}/attention/rows", [attended, rows], ("axis", 0));
                hidden = graph.Node("Gather", $"{path}/rows", [hidden, rows], ("axis", 0));
            }

            string attention = Linear($"{path}/attention/output", attended, names.Output, config.OutputBias);
            (normed, hidden) = AddNorm($"{path}/post_attention_norm", attention, hidden, names.PostAttentionNorm);
            string mlp = Mlp(layer, $"{path}/mlp", normed);
            bool last = layer == config.LayerCount - 1;
            (normed, hidden) = AddNorm(
                last ? "final_norm" : $"layers.{layer + 1}/input_norm", mlp, hidden,
                last ? TensorNames.FinalNorm : TensorNames.Layer(layer + 1).InputNorm);
        }

        return normed;
    }

    /// <summary>Width of a head in the attention operator and in its cache: the operator takes multiples of 8 only.</summary>
    public static int CacheHeadSize(DecoderConfig config) => (config.HeadSize + 7) / 8 * 8;

    /// <summary>Name of the LM head's tensor, <c>[V,H]</c>.</summary>
    public string HeadTensor => config.TiedHead ? TensorNames.Embedding : TensorNames.Head;

    private string Attention(
        int layer, string path, string normed, string headsShape, Positions positions, LayerCache? cache)
    {
        //   n ─┬─ query ─ (norm per head) ─┐
        //      ├─ key ─── (norm per head) ─┼─ GroupQueryAttention: rotation, cache, softmax ─ [B·S, heads·size]
        //      └─ value ───────────────────┘
        var names = TensorNames.Layer(layer);
        string query = Linear($"{path}/query", normed, names.Query, config.QueryKeyValueBias);
        string key = Linear($"{path}/key", normed, names.Key, config.QueryKeyValueBias);
        string value = Linear($"{path}/value", normed, names.Value, config.QueryKeyValueBias);
        if (config.QueryKeyNorm)
        {
            query = HeadNorm($"{path}/query_norm", query, names.QueryNorm);
            key = HeadNorm($"{path}/key_norm", key, names.KeyNorm);
        }

        query = graph.Node("Reshape", $"{path}/query/heads", [query, headsShape]);
        key = graph.Node("Reshape", $"{path}/key/heads", [key, headsShape]);
        value = graph.Node("Reshape", $"{path}/value/heads", [value, headsShape]);
        if (!_rotatesInAttention)
        {
            query = Rotate($"{path}/query/rotated", query, config.AttentionHeads, positions);
            key = Rotate($"{path}/key/rotated", key, config.KeyValueHeads, positions);
        }

        if (CacheHeadSize(config) != config.HeadSize)
        {
            query = Widen($"{path}/query/widened", query, config.AttentionHeads);
            key = Widen($"{path}/key/widened", key, config.KeyValueHeads);
            value = Widen($"{path}/value/widened", value, config.KeyValueHeads);
        }

        string output = $"{path}/heads";
        graph.Node(
            GraphBuilder.MicrosoftDomain, "GroupQueryAttention", output,
            [
                query, key, value, cache?.PastKey ?? "", cache?.PastValue ?? "",
                positions.LastPositions, positions.TotalLength,
                _rotatesInAttention ? positions.Rotary.Cosine : "", _rotatesInAttention ? positions.Rotary.Sine : "",
            ],
            // Without a cache the keys and values are outputs all the same: the runtime's tiled kernel, which never holds the
            // [S,S] scores, runs only where they are.
            [output, cache?.PresentKey ?? $"{path}/present_key", cache?.PresentValue ?? $"{path}/present_value"],
            [
                ("num_heads", config.AttentionHeads), ("kv_num_heads", config.KeyValueHeads),
                ("scale", (float)(1 / Math.Sqrt(config.HeadSize))), ("do_rotary", _rotatesInAttention ? 1 : 0),
                ("local_window_size", config.WindowOf(layer) ?? -1),
            ]);
        if (CacheHeadSize(config) != config.HeadSize)
        {
            string heads = graph.Node("Reshape", $"{output}/split", [output, HeadShape(config.AttentionHeads, CacheHeadSize(config))]);
            output = graph.Node(
                "Slice", $"{output}/narrowed",
                [heads, graph.Constant(0L), graph.Constant((long)config.HeadSize), graph.Constant(3L)]);
        }

        return graph.Node(
            "Reshape", $"{path}/rows_of_heads", [output, graph.Constant(-1L, (long)config.AttentionHeads * config.HeadSize)]);
    }

    // Zeros behind each head's coordinates change no score and add zeros to the output, which are cut off again.
    private string Widen(string path, string input, int heads)
    {
        string split = graph.Node("Reshape", $"{path}/split", [input, HeadShape(heads, config.HeadSize)]);
        string padded = graph.Node(
            "Pad", $"{path}/padded",
            [split, graph.Constant(0L, 0, 0, 0, 0, 0, 0, CacheHeadSize(config) - config.HeadSize)]);
        return graph.Node("Reshape", path, [padded, graph.Constant(0L, 0, (long)heads * CacheHeadSize(config))]);
    }

    // [B, S, heads, size] of [B, S, heads·size]: 0 keeps a dimension.
    private string HeadShape(int heads, int size) => graph.Constant(0L, 0, heads, size);

    private string Rotate(string path, string input, int heads, Positions positions)
    {
        _positionIds ??= PositionIds(positions);
        return graph.MicrosoftNode(
            "RotaryEmbedding", path, [input, _positionIds, positions.Rotary.Cosine, positions.Rotary.Sine],
            ("num_heads", heads), ("rotary_embedding_dim", config.HeadSize));
    }

    // Positions [B,S] of the tokens: 0 … S − 1 in a first pass, whatever its padding; behind the cached ones after it.
    private string PositionIds(Positions positions)
    {
        string shape = graph.Node("Shape", "positions/shape", [positions.InputIds]);
        string sequence = graph.Node("Gather", "positions/sequence", [shape, graph.Scalar(1L)], ("axis", 0));
        string last = graph.Node("Cast", "positions/last", [positions.LastPositions], ("to", DataType.Int64));
        string count = graph.Node("Add", "positions/count", [last, graph.Scalar(1L)]);
        string past = graph.Node("Sub", "positions/past", [count, sequence]);
        string first = graph.Node("Max", "positions/first", [past, graph.Scalar(0L)]);
        string column = graph.Node("Unsqueeze", "positions/first/column", [first, graph.Constant(1L)]);
        string steps = graph.Node("Range", "positions/steps", [graph.Scalar(0L), sequence, graph.Scalar(1L)]);
        return graph.Node("Add", "positions/ids", [column, steps]);
    }

    private string Mlp(int layer, string path, string normed)
    {
        //   n ─┬─ gate ─ SiLU ─┐
        //      └─ up ───────── × ─ down
        var names = TensorNames.Layer(layer);
        string gate = Linear($"{path}/gate", normed, names.Gate, config.MlpBias);
        string up = Linear($"{path}/up", normed, names.Up, config.MlpBias);

        // QuickGelu is x · sigmoid(alpha · x): SiLU where alpha is 1.
        string activated = graph.MicrosoftNode("QuickGelu", $"{path}/silu", [gate], ("alpha", 1f));
        string product = graph.Node("Mul", $"{path}/product", [activated, up]);
        return Linear($"{path}/down", product, names.Down, config.MlpBias);
    }

    private string Linear(string path, string input, LinearTensorNames names, bool bias) => bias
        ? graph.Node("Gemm", path, [input, weights.Get(names.Weight), weights.Get(names.Bias)], ("transB", 1))
        : graph.Node("Gemm", path, [input, weights.Get(names.Weight)], ("transB", 1));

    private string HeadNorm(string path, string input, string tensor)
    {
        string heads = graph.Node("Reshape", $"{path}/heads", [input, graph.Constant(-1L, (long)config.HeadSize)]);
        string normed = Norm(path, heads, weights.Get(tensor));

        // No shape is restored: the attention's reshape to [B, S, heads·size] reads it as it is.
        return normed;
    }

    private string Norm(string path, string input, string weight) => graph.Node(
        "SimplifiedLayerNormalization", path, [input, weight],
        ("axis", -1), ("epsilon", config.NormEpsilon), ("stash_type", 1));

    private (string Normed, string Sum) AddNorm(string path, string input, string residual, string tensor)
    {
        string sum = $"{path}/residual";
        graph.Node(
            GraphBuilder.MicrosoftDomain, "SkipSimplifiedLayerNormalization", path,
            [input, residual, weights.Get(tensor)], [path, "", "", sum], [("epsilon", config.NormEpsilon)]);
        return (path, sum);
    }
}
