using Shad.Models.Configuration;
using Shad.Models.Weights;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The decoder between the token ids and the LM head, the same for every graph. Activations are <c>[B·S, H]</c>, so that the
/// matrix products are <c>Gemm(transB = 1)</c> on the <c>[out, in]</c> weights as they are stored.
/// </summary>
/// <remarks>Models that begin alike go through one body, which branches where they part (<see cref="SharedTrunk"/>).</remarks>
/// <param name="graph">The graph built.</param>
/// <param name="trunk">The models of the graph.</param>
/// <param name="models">Those of them that begin alike, ascending.</param>
/// <param name="weightsOf">The tensors of a model.</param>
internal sealed class DecoderBody(
    GraphBuilder graph, SharedTrunk trunk, int[] models, Func<int, DecoderWeights> weightsOf)
{
    private readonly DecoderConfig _config = trunk.ConfigOf(models[0]);
    private readonly string _path = PathOf(models[0]);
    private string? _positionIds;

    // The attention operator rotates heads of a multiple of 16 only.
    private bool RotatesInAttention => _config.HeadSize % 16 == 0;

    /// <summary>What the attention of every layer reads beside the activations.</summary>
    /// <param name="InputIds">Token ids <c>[B,S]</c>, int64.</param>
    /// <param name="LastPositions">Valid tokens of each sequence, past and new, less one: <c>[B]</c>, int32.</param>
    /// <param name="TotalLength">Tokens of the longest sequence, past and new: a scalar, int32.</param>
    /// <param name="Rotary">Tables of at least <paramref name="TotalLength"/> rows.</param>
    public sealed record Positions(string InputIds, string LastPositions, string TotalLength, RotaryCache Rotary);

    /// <summary>Key and value cache of one layer: names of the inputs and of the outputs, <c>[B, KV heads, tokens, head size]</c>.</summary>
    public sealed record LayerCache(string PastKey, string PastValue, string PresentKey, string PresentValue);

    /// <summary>What begins the names of a model's values. A value that models share bears the first one's name.</summary>
    public static string PathOf(int model) => model == 0 ? "" : $"models.{model}/";

    /// <summary>Adds the decoder.</summary>
    /// <param name="positions">Token ids and lengths.</param>
    /// <param name="cache">The cache of a layer; null for a graph without one.</param>
    /// <param name="rows">Flat positions <c>[N]</c> of the rows that are wanted, int64; null is all. What the last layer does
    /// after its attention, it does for these only.</param>
    /// <returns>By model, the hidden states after the final norm, <c>[N,H]</c> or <c>[B·S,H]</c>; models that are the same share
    /// them.</returns>
    public IReadOnlyDictionary<int, string> Add(Positions positions, Func<int, LayerCache>? cache, string? rows)
    {
        // The flow between the sublayers; h is the residual stream, n its norm:
        //
        //   ids ─ Gather ─┬───────── h ─────────┬── + ── h ──┬── + ── h … final norm
        //                 └ norm ─ n ─ attention ┘  └ norm ─ n ─ mlp ┘
        //
        // Every sum is followed by a norm, so both are one SkipSimplifiedLayerNormalization.
        string ids = graph.Node("Reshape", $"{_path}embedding/ids", [positions.InputIds, graph.Constant(-1L)]);
        string embedded = weightsOf(models[0]).Rows(TensorNames.Embedding, $"{_path}embedding", ids);
        string batchAndSequence = graph.Node("Shape", $"{_path}shape", [positions.InputIds]);
        string headsShape = graph.Node(
            "Concat", $"{_path}shape/heads", [batchAndSequence, graph.Constant(-1L)], ("axis", 0));

        var hidden = new Dictionary<int, string>();
        Continue(models, 0, embedded, addend: null);
        return hidden;

        // What the models have in common ends before the norm of some layer: the sum in front of it is theirs together.
        void Continue(int[] alike, int layer, string residual, string? addend)
        {
            bool end = layer == _config.LayerCount;
            foreach (int[] branch in trunk.Split(alike, layer))
            {
                var weights = weightsOf(branch[0]);
                string path = $"{PathOf(branch[0])}{(end ? "final_norm" : $"layers.{layer}/input_norm")}";
                string norm = weights.Get(end ? TensorNames.FinalNorm : TensorNames.Layer(layer).InputNorm);
                string normed;
                if (addend is null) normed = Norm(path, residual, norm);
                else (normed, residual) = AddNorm(path, addend, residual, norm);
                addend = null;
                if (end)
                {
                    foreach (int model in branch) hidden[model] = normed;
                    continue;
                }

                bool last = layer == _config.LayerCount - 1;
                var (stream, mlp) = Layer(
                    layer, $"{PathOf(branch[0])}layers.{layer}", normed, residual, headsShape, positions, cache?.Invoke(layer),
                    last ? rows : null, weights);
                Continue(branch, layer + 1, stream, mlp);
            }
        }
    }

    /// <summary>Width of a head in the attention operator and in its cache: the operator takes multiples of 8 only.</summary>
    public static int CacheHeadSize(DecoderConfig config) => (config.HeadSize + 7) / 8 * 8;

    /// <summary>Name of the LM head's tensor, <c>[V,H]</c>.</summary>
    public static string HeadTensor(DecoderConfig config) => config.TiedHead ? TensorNames.Embedding : TensorNames.Head;

    /// <returns>The residual stream and what is still to be added to it.</returns>
    private (string Residual, string Addend) Layer(
        int layer, string path, string normed, string residual, string headsShape, Positions positions, LayerCache? cache,
        string? rows, DecoderWeights weights)
    {
        var names = TensorNames.Layer(layer);
        string attended = Attention(layer, $"{path}/attention", normed, headsShape, positions, cache, weights);
        if (rows is not null)
        {
            attended = graph.Node("Gather", $"{path}/attention/rows", [attended, rows], ("axis", 0));
            residual = graph.Node("Gather", $"{path}/rows", [residual, rows], ("axis", 0));
        }

        string attention = Linear($"{path}/attention/output", attended, names.Output, _config.OutputBias, weights);
        (normed, residual) = AddNorm(
            $"{path}/post_attention_norm", attention, residual, weights.Get(names.PostAttentionNorm));
        return (residual, Mlp(layer, $"{path}/mlp", normed, weights));
    }

    private string Attention(
        int layer, string path, string normed, string headsShape, Positions positions, LayerCache? cache, DecoderWeights weights)
    {
        //   n ─┬─ query ─ (norm per head) ─┐
        //      ├─ key ─── (norm per head) ─┼─ GroupQueryAttention: rotation, cache, softmax ─ [B·S, heads·size]
        //      └─ value ───────────────────┘
        var names = TensorNames.Layer(layer);
        string query = Linear($"{path}/query", normed, names.Query, _config.QueryKeyValueBias, weights);
        string key = Linear($"{path}/key", normed, names.Key, _config.QueryKeyValueBias, weights);
        string value = Linear($"{path}/value", normed, names.Value, _config.QueryKeyValueBias, weights);
        if (_config.QueryKeyNorm)
        {
            query = HeadNorm($"{path}/query_norm", query, names.QueryNorm, weights);
            key = HeadNorm($"{path}/key_norm", key, names.KeyNorm, weights);
        }

        query = graph.Node("Reshape", $"{path}/query/heads", [query, headsShape]);
        key = graph.Node("Reshape", $"{path}/key/heads", [key, headsShape]);
        value = graph.Node("Reshape", $"{path}/value/heads", [value, headsShape]);
        if (!RotatesInAttention)
        {
            query = Rotate($"{path}/query/rotated", query, _config.AttentionHeads, positions);
            key = Rotate($"{path}/key/rotated", key, _config.KeyValueHeads, positions);
        }

        if (CacheHeadSize(_config) != _config.HeadSize)
        {
            query = Widen($"{path}/query/widened", query, _config.AttentionHeads);
            key = Widen($"{path}/key/widened", key, _config.KeyValueHeads);
            value = Widen($"{path}/value/widened", value, _config.KeyValueHeads);
        }

        string output = $"{path}/heads";
        graph.Node(
            GraphBuilder.MicrosoftDomain, "GroupQueryAttention", output,
            [
                query, key, value, cache?.PastKey ?? "", cache?.PastValue ?? "",
                positions.LastPositions, positions.TotalLength,
                RotatesInAttention ? positions.Rotary.Cosine : "", RotatesInAttention ? positions.Rotary.Sine : "",
            ],
            // Without a cache the keys and values are outputs all the same: the runtime's tiled kernel, which never holds the
            // [S,S] scores, runs only where they are.
            [output, cache?.PresentKey ?? $"{path}/present_key", cache?.PresentValue ?? $"{path}/present_value"],
            [
                ("num_heads", _config.AttentionHeads), ("kv_num_heads", _config.KeyValueHeads),
                ("scale", (float)(1 / Math.Sqrt(_config.HeadSize))), ("do_rotary", RotatesInAttention ? 1 : 0),
                ("local_window_size", _config.WindowOf(layer) ?? -1),
            ]);
        if (CacheHeadSize(_config) != _config.HeadSize)
        {
            string heads = graph.Node("Reshape", $"{output}/split", [output, HeadShape(_config.AttentionHeads, CacheHeadSize(_config))]);
            output = graph.Node(
                "Slice", $"{output}/narrowed",
                [heads, graph.Constant(0L), graph.Constant((long)_config.HeadSize), graph.Constant(3L)]);
        }

        return graph.Node(
            "Reshape", $"{path}/rows_of_heads", [output, graph.Constant(-1L, (long)_config.AttentionHeads * _config.HeadSize)]);
    }

    // Zeros behind each head's coordinates change no score and add zeros to the output, which are cut off again.
    private string Widen(string path, string input, int heads)
    {
        string split = graph.Node("Reshape", $"{path}/split", [input, HeadShape(heads, _config.HeadSize)]);
        string padded = graph.Node(
            "Pad", $"{path}/padded",
            [split, graph.Constant(0L, 0, 0, 0, 0, 0, 0, CacheHeadSize(_config) - _config.HeadSize)]);
        return graph.Node("Reshape", path, [padded, graph.Constant(0L, 0, (long)heads * CacheHeadSize(_config))]);
    }

    // [B, S, heads, size] of [B, S, heads·size]: 0 keeps a dimension.
    private string HeadShape(int heads, int size) => graph.Constant(0L, 0, heads, size);

    private string Rotate(string path, string input, int heads, Positions positions)
    {
        _positionIds ??= PositionIds(positions);
        return graph.MicrosoftNode(
            "RotaryEmbedding", path, [input, _positionIds, positions.Rotary.Cosine, positions.Rotary.Sine],
            ("num_heads", heads), ("rotary_embedding_dim", _config.HeadSize));
    }

    // Positions [B,S] of the tokens: 0 … S − 1 in a first pass, whatever its padding; behind the cached ones after it.
    private string PositionIds(Positions positions)
    {
        string shape = graph.Node("Shape", $"{_path}positions/shape", [positions.InputIds]);
        string sequence = graph.Node("Gather", $"{_path}positions/sequence", [shape, graph.Scalar(1L)], ("axis", 0));
        string last = graph.Node("Cast", $"{_path}positions/last", [positions.LastPositions], ("to", DataType.Int64));
        string count = graph.Node("Add", $"{_path}positions/count", [last, graph.Scalar(1L)]);
        string past = graph.Node("Sub", $"{_path}positions/past", [count, sequence]);
        string first = graph.Node("Max", $"{_path}positions/first", [past, graph.Scalar(0L)]);
        string column = graph.Node("Unsqueeze", $"{_path}positions/first/column", [first, graph.Constant(1L)]);
        string steps = graph.Node("Range", $"{_path}positions/steps", [graph.Scalar(0L), sequence, graph.Scalar(1L)]);
        return graph.Node("Add", $"{_path}positions/ids", [column, steps]);
    }

    private string Mlp(int layer, string path, string normed, DecoderWeights weights)
    {
        //   n ─┬─ gate ─ SiLU ─┐
        //      └─ up ───────── × ─ down
        var names = TensorNames.Layer(layer);
        string gate = Linear($"{path}/gate", normed, names.Gate, _config.MlpBias, weights);
        string up = Linear($"{path}/up", normed, names.Up, _config.MlpBias, weights);

        // QuickGelu is x · sigmoid(alpha · x): SiLU where alpha is 1.
        string activated = graph.MicrosoftNode("QuickGelu", $"{path}/silu", [gate], ("alpha", 1f));
        string product = graph.Node("Mul", $"{path}/product", [activated, up]);
        return Linear($"{path}/down", product, names.Down, _config.MlpBias, weights);
    }

    private string Linear(string path, string input, LinearTensorNames names, bool bias, DecoderWeights weights) => bias
        ? graph.Node("Gemm", path, [input, weights.Get(names.Weight), weights.Get(names.Bias)], ("transB", 1))
        : graph.Node("Gemm", path, [input, weights.Get(names.Weight)], ("transB", 1));

    private string HeadNorm(string path, string input, string tensor, DecoderWeights weights)
    {
        string heads = graph.Node("Reshape", $"{path}/heads", [input, graph.Constant(-1L, (long)_config.HeadSize)]);
        string normed = Norm(path, heads, weights.Get(tensor));

        // No shape is restored: the attention's reshape to [B, S, heads·size] reads it as it is.
        return normed;
    }

    private string Norm(string path, string input, string weight) => graph.Node(
        "SimplifiedLayerNormalization", path, [input, weight],
        ("axis", -1), ("epsilon", _config.NormEpsilon), ("stash_type", 1));

    private (string Normed, string Sum) AddNorm(string path, string input, string residual, string weight)
    {
        string sum = $"{path}/residual";
        graph.Node(
            GraphBuilder.MicrosoftDomain, "SkipSimplifiedLayerNormalization", path,
            [input, residual, weight], [path, "", "", sum], [("epsilon", _config.NormEpsilon)]);
        return (path, sum);
    }
}
