using Shad.Models.Configuration;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The cosine and sine tables <c>[length, R/2]</c> of rotary position embedding, for R coordinates of a head that are rotated, computed in the graph rather than
/// stored: a 128k context would take 64 MB. Angles are computed in double: a float32 angle of position 100,000 is off by up
/// to 0.004 rad.
/// </summary>
/// <param name="Cosine">Name of the cosine table.</param>
/// <param name="Sine">Name of the sine table.</param>
internal sealed record RotaryCache(string Cosine, string Sine)
{
    /// <summary>Adds the tables for the positions <c>0 .. length − 1</c>.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="rotary">The embedding.</param>
    /// <param name="headSize">Width of a head.</param>
    /// <param name="length">A scalar int64, the tokens of the longest sequence: a constant, whose tables the runtime folds when the model is
    /// loaded, or computed.</param>
    /// <param name="type">Number format of the tables.</param>
    /// <param name="path">What begins the names of the tables' values.</param>
    public static RotaryCache Add(GraphBuilder graph, RotaryEmbedding rotary, int headSize, string length, DataType type, string path)
    {
        // length ─ Range ─ Cast ─ [length,1] ─┐
        //                                    Mul ─ angles ─┬──────────── Sin ─ Cast ─ sine
        // inverse frequencies [R/2] ─────────┘            └─ Add π/2 ── Sin ─ Cast ─ cosine
        //
        // The runtime has a double kernel for Sin, and none for Cos.
        string positions = graph.Node("Range", $"{path}rotary/positions", [graph.Scalar(0L), length, graph.Scalar(1L)]);
        string real = graph.Node("Cast", $"{path}rotary/positions/double", [positions], ("to", DataType.Double));
        string column = graph.Node("Unsqueeze", $"{path}rotary/positions/column", [real, graph.Constant(1L)]);
        string frequencies = graph.Constant(rotary.InverseFrequencies(headSize));
        if (rotary.Boundary is { } boundary)
        {
            // Of the longest sequence; shorter ones are not on the other side of the boundary.
            string isBeyond = graph.Node("Greater", $"{path}rotary/is_beyond", [length, graph.Scalar((long)boundary)]);
            string beyond = graph.Constant(rotary.InverseFrequencies(headSize, beyond: true));
            frequencies = graph.Node("Where", $"{path}rotary/frequencies", [isBeyond, beyond, frequencies]);
        }

        string angles = graph.Node("Mul", $"{path}rotary/angles", [column, frequencies]);
        string shifted = graph.Node("Add", $"{path}rotary/angles/shifted", [angles, graph.Scalar(Math.PI / 2)]);
        return new RotaryCache(Table("cosine", shifted), Table("sine", angles));

        string Table(string name, string of)
        {
            string values = graph.Node("Sin", $"{path}rotary/{name}/double", [of]);
            if (rotary.Amplitude != 1)
                values = graph.Node("Mul", $"{path}rotary/{name}/amplified", [values, graph.Scalar(rotary.Amplitude)]);
            return graph.Node("Cast", $"{path}rotary/{name}", [values], ("to", type));
        }
    }
}

/// <summary>The tables of a model's layers, one pair for each rotary embedding that the model has; most have one.</summary>
/// <param name="graph">The graph.</param>
/// <param name="config">The model.</param>
/// <param name="length">As for <see cref="RotaryCache.Add"/>.</param>
/// <param name="type">Number format of the tables.</param>
/// <param name="path">What begins the names of the tables' values.</param>
internal sealed class RotaryCaches(GraphBuilder graph, DecoderConfig config, string length, DataType type, string path = "")
{
    private readonly Dictionary<RotaryEmbedding, RotaryCache> _tables = [];

    /// <summary>The tables of a layer.</summary>
    public RotaryCache Of(int layer)
    {
        var rotary = config.RotaryOf(layer);
        if (!_tables.TryGetValue(rotary, out var tables))
        {
            string prefix = _tables.Count == 0 ? path : $"{path}rotary.{_tables.Count}/";
            _tables[rotary] = tables = RotaryCache.Add(graph, rotary, config.HeadSize, length, type, prefix);
        }

        return tables;
    }
}
