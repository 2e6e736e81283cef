using Shad.Models.Configuration;
using Shad.Onnx.Kernels;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// Sequences one behind the other, without padding; tokens that several begin with may stand in the rows once. A table of segments
/// says which rows see which (<see cref="PackedAttention"/>). The attention is an operator of our own, for the CPU in float32.
/// </summary>
/// <param name="graph">The graph built.</param>
/// <param name="config">The model.</param>
/// <param name="rows">Values that all layers and models share.</param>
/// <param name="rotary">Tables of each layer for all positions.</param>
internal sealed class PackedLayout(GraphBuilder graph, DecoderConfig config, PackedLayout.Rows rows, RotaryCaches rotary) : IRowLayout
{
    /// <summary>What a pass is given, and what is made of it once.</summary>
    /// <param name="TokenIds">Token ids <c>[N]</c>, int64.</param>
    /// <param name="Positions">Position of each row in its sequence, <c>[N]</c>, int64.</param>
    /// <param name="Segments">The table <c>[G,6]</c> for the queries of all rows, int64.</param>
    /// <param name="Blocks">Blocks of all rows.</param>
    /// <param name="Wanted">Numbers of the rows wanted, <c>[T]</c>, int64.</param>
    /// <param name="WantedPositions">Position of each of them, <c>[T]</c>, int64.</param>
    /// <param name="WantedSegments">The table <c>[G',6]</c> for the queries of the rows wanted, int64.</param>
    /// <param name="WantedBlocks">Blocks of the rows wanted.</param>
    public sealed record Rows(
        string TokenIds, string Positions, string Segments, RowBlocks Blocks,
        string Wanted, string WantedPositions, string WantedSegments, RowBlocks WantedBlocks);

    /// <inheritdoc/>
    public string TokenIds => rows.TokenIds;

    /// <inheritdoc/>
    public string Positions => rows.Positions;

    /// <inheritdoc/>
    public RowBlocks? Blocks => rows.Blocks;

    /// <inheritdoc/>
    public string? WantedRows => rows.Wanted;

    /// <inheritdoc/>
    public RowBlocks? WantedBlocks => rows.WantedBlocks;

    /// <inheritdoc/>
    public bool TakesWantedQueries => true;

    /// <inheritdoc/>
    public string Attention(int layer, string path, string query, string key, string value, bool wanted)
    {
        string segments = wanted ? rows.WantedSegments : rows.Segments;
        string positions = wanted ? rows.WantedPositions : rows.Positions;
        var tables = rotary.Of(layer);
        List<(string, object)> attributes =
        [
            ("num_heads", config.AttentionHeads), ("kv_num_heads", config.KeyValueHeads), ("scale", (float)config.AttentionScale),
            ("window", config.WindowOf(layer) ?? -1),
        ];
        if (config.ScoreCap is { } cap) attributes.Add(("softcap", (float)cap));
        return graph.OwnNode(
            PackedAttention.Name, $"{path}/heads", [query, key, value, tables.Cosine, tables.Sine, segments, positions], [.. attributes]);
    }
}
