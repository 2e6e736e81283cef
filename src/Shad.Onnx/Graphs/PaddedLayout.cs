using Shad.Models.Configuration;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// Sequences padded to one length: row <c>b·S + s</c> is token <c>s</c> of sequence <c>b</c>, and padding stands behind the tokens,
/// where causal attention never looks. The attention is ONNX Runtime's own <c>GroupQueryAttention</c>, which every execution provider
/// and every copy of the runtime has.
/// </summary>
/// <param name="graph">The graph built.</param>
/// <param name="config">The model.</param>
/// <param name="path">What begins the names of values that all layers share.</param>
/// <param name="inputIds">Token ids <c>[B,S]</c>, int64.</param>
/// <param name="lastPositions">Valid tokens of each sequence, past and new, less one: <c>[B]</c>, int32.</param>
/// <param name="totalLength">Tokens of the longest sequence, past and new: a scalar, int32.</param>
/// <param name="rotary">Tables of each layer, of at least <paramref name="totalLength"/> rows.</param>
/// <param name="wantedRows">Numbers <c>[T]</c> of the rows wanted, int64; null is all.</param>
/// <param name="cache">The cache of a layer; null for a graph without one.</param>
internal sealed class PaddedLayout(
    GraphBuilder graph, DecoderConfig config, string path, string inputIds, string lastPositions, string totalLength, RotaryCaches rotary,
    string? wantedRows, Func<int, PaddedLayout.LayerCache>? cache = null) : IRowLayout
{
    private string? _tokenIds;
    private string? _headsShape;
    private string? _positionIds;
    private string? _flatPositions;

    /// <summary>Key and value cache of one layer: names of the inputs and of the outputs, <c>[B, KV heads, tokens, head size]</c>.</summary>
    public sealed record LayerCache(string PastKey, string PastValue, string PresentKey, string PresentValue);

    /// <inheritdoc/>
    public string TokenIds => _tokenIds ??= graph.Node("Reshape", $"{path}embedding/ids", [inputIds, graph.Constant(-1L)]);

    /// <inheritdoc/>
    public RowBlocks? Blocks => null;

    /// <inheritdoc/>
    public string? WantedRows => wantedRows;

    /// <inheritdoc/>
    public RowBlocks? WantedBlocks => null;

    /// <inheritdoc/>
    public bool TakesWantedQueries => false;

    /// <inheritdoc/>
    public string Positions => _flatPositions ??= graph.Node(
        "Reshape", $"{path}positions/flat", [_positionIds ??= PositionIds(), graph.Constant(-1L)]);

    /// <summary>Width of a head in the attention operator and in its cache: the operator takes multiples of 8 only.</summary>
    public static int CacheHeadSize(DecoderConfig config) => (config.HeadSize + 7) / 8 * 8;

    /// <inheritdoc/>
    public string Attention(int layer, string path, string query, string key, string value, bool wanted)
    {
        _headsShape ??= HeadsShape();
        query = graph.Node("Reshape", $"{path}/query/heads", [query, _headsShape]);
        key = graph.Node("Reshape", $"{path}/key/heads", [key, _headsShape]);
        value = graph.Node("Reshape", $"{path}/value/heads", [value, _headsShape]);
        int rotated = config.RotaryOf(layer).RotatedSize(config.HeadSize);

        // The attention operator rotates whole heads of a multiple of 16 only.
        bool rotatesInAttention = rotated == config.HeadSize && rotated % 16 == 0;
        if (rotated > 0 && !rotatesInAttention)
        {
            query = Rotate($"{path}/query/rotated", query, config.AttentionHeads, layer, rotated);
            key = Rotate($"{path}/key/rotated", key, config.KeyValueHeads, layer, rotated);
        }

        if (CacheHeadSize(config) != config.HeadSize)
        {
            query = Widen($"{path}/query/widened", query, config.AttentionHeads);
            key = Widen($"{path}/key/widened", key, config.KeyValueHeads);
            value = Widen($"{path}/value/widened", value, config.KeyValueHeads);
        }

        List<(string, object)> attributes =
        [
            ("num_heads", config.AttentionHeads), ("kv_num_heads", config.KeyValueHeads), ("scale", (float)config.AttentionScale),
            ("do_rotary", rotatesInAttention ? 1 : 0), ("local_window_size", config.WindowOf(layer) ?? -1),
        ];
        if (config.ScoreCap is { } cap) attributes.Add(("softcap", (float)cap));
        var layerCache = cache?.Invoke(layer);
        string output = $"{path}/heads";
        graph.Node(
            GraphBuilder.MicrosoftDomain, "GroupQueryAttention", output,
            [
                query, key, value, layerCache?.PastKey ?? "", layerCache?.PastValue ?? "", lastPositions, totalLength,
                rotatesInAttention ? rotary.Of(layer).Cosine : "", rotatesInAttention ? rotary.Of(layer).Sine : "",
            ],
            // Without a cache the keys and values are outputs all the same: the runtime's tiled kernel, which never holds the
            // [S,S] scores, runs only where they are.
            [output, layerCache?.PresentKey ?? $"{path}/present_key", layerCache?.PresentValue ?? $"{path}/present_value"],
            [.. attributes]);
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

    // [B, S, −1]
    private string HeadsShape()
    {
        string batchAndSequence = graph.Node("Shape", $"{path}shape", [inputIds]);
        return graph.Node("Concat", $"{path}shape/heads", [batchAndSequence, graph.Constant(-1L)], ("axis", 0));
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

    private string Rotate(string path, string input, int heads, int layer, int rotated)
    {
        _positionIds ??= PositionIds();
        return graph.MicrosoftNode(
            "RotaryEmbedding", path, [input, _positionIds, rotary.Of(layer).Cosine, rotary.Of(layer).Sine],
            ("num_heads", heads), ("rotary_embedding_dim", rotated));
    }

    // Positions [B,S] of the tokens: 0 … S − 1 in a first pass, whatever its padding; behind the cached ones after it.
    private string PositionIds()
    {
        string shape = graph.Node("Shape", $"{path}positions/shape", [inputIds]);
        string sequence = graph.Node("Gather", $"{path}positions/sequence", [shape, graph.Scalar(1L)], ("axis", 0));
        string last = graph.Node("Cast", $"{path}positions/last", [lastPositions], ("to", DataType.Int64));
        string count = graph.Node("Add", $"{path}positions/count", [last, graph.Scalar(1L)]);
        string past = graph.Node("Sub", $"{path}positions/past", [count, sequence]);
        string first = graph.Node("Max", $"{path}positions/first", [past, graph.Scalar(0L)]);
        string column = graph.Node("Unsqueeze", $"{path}positions/first/column", [first, graph.Constant(1L)]);
        string steps = graph.Node("Range", $"{path}positions/steps", [graph.Scalar(0L), sequence, graph.Scalar(1L)]);
        return graph.Node("Add", $"{path}positions/ids", [column, steps]);
    }
}
