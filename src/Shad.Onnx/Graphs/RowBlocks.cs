using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// Runs what is computed row by row over a few rows at a time, so that what lives only in between (the inner vectors of an MLP, the
/// logits) takes the memory of a block whatever the number of rows, and stays in the processor's cache.
/// <code>
/// [K·R, W] ─ [K,R,W] ─ Scan over K: ┌ [R,W] ─ part ─ [R,W'] ┐ ─ [K,R,W'] ─ [K·R, W']
/// </code>
/// </summary>
/// <remarks>The runtime reads and writes the blocks in place: nothing is copied.</remarks>
/// <param name="graph">The graph built.</param>
/// <param name="shape">Name of the vector <c>[K, R, −1]</c>, int64.</param>
internal sealed class RowBlocks(GraphBuilder graph, string shape)
{
    /// <summary>Blocks of the shape of a value <c>[K,R]</c>.</summary>
    public static RowBlocks Of(GraphBuilder graph, string path, string value)
    {
        string rows = graph.Node("Shape", $"{path}/shape", [value]);
        return new RowBlocks(graph, graph.Node("Concat", $"{path}/shape/rows", [rows, graph.Constant(-1L)], ("axis", 0)));
    }

    /// <summary>Rows <c>[K·R, W]</c> as blocks <c>[K,R,W]</c>.</summary>
    public string Cut(string path, string rows) => graph.Node("Reshape", path, [rows, shape]);

    /// <summary>Adds a part.</summary>
    /// <param name="path">Path of the part.</param>
    /// <param name="type">Number format of its inputs and outputs.</param>
    /// <param name="inputs">Values <c>[K·R, W]</c>, with their widths.</param>
    /// <param name="widths">Width of each output.</param>
    /// <param name="part">Adds the part to a graph, given the block's inputs there; returns as many outputs as there are widths.</param>
    /// <returns>The outputs, <c>[K·R, W']</c>.</returns>
    public string[] Add(
        string path, DataType type, ReadOnlySpan<(string Value, long Width)> inputs, ReadOnlySpan<long> widths,
        Func<GraphBuilder, string[], string[]> part)
    {
        var block = graph.Subgraph($"{path}/block");
        string[] blocks = new string[inputs.Length];
        string[] rows = new string[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            blocks[i] = Cut($"{path}/block/{i}/all", inputs[i].Value);
            rows[i] = block.Input($"{path}/block/{i}", type, "R", inputs[i].Width);
        }

        string[] results = part(block, rows);
        string[] scanned = new string[results.Length];
        for (int i = 0; i < results.Length; i++)
        {
            block.Output(results[i], type, "R", widths[i]);
            scanned[i] = $"{results[i]}/blocks";
        }

        graph.Node("", "Scan", $"{path}/blocks", blocks, scanned, [("num_scan_inputs", inputs.Length), ("body", block.ToGraph())]);
        for (int i = 0; i < results.Length; i++)
            results[i] = graph.Node("Reshape", $"{results[i]}/rows", [scanned[i], graph.Constant(-1L, widths[i])]);
        return results;
    }
}
