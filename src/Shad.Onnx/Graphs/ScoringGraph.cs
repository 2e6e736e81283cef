using Shad.Models.Configuration;
using Shad.Onnx.Protobuf;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The graph that scores: <c>input_ids [B,S]</c>, <c>lengths [B]</c>, <c>target_rows [N]</c>, <c>target_ids [N]</c> →
/// <c>loss [N]</c>, the natural-log loss of each target given all before it.
/// </summary>
internal static class ScoringGraph
{
    public const string InputIds = "input_ids";
    public const string Lengths = "lengths";
    public const string TargetRows = "target_rows";
    public const string TargetIds = "target_ids";
    public const string Loss = "loss";

    /// <summary>Memory of one block of logits and of its log-softmax, in bytes.</summary>
    private const long HeadMemory = 128L << 20;

    private const int MaximumBlockRows = 1024;

    /// <summary>Most rows the LM head takes at a time. A row has <c>2·V</c> floats: logits and log-softmax.</summary>
    public static int BlockRows(int vocabularySize) =>
        (int)Math.Clamp(HeadMemory / (2L * sizeof(float) * vocabularySize), 1, MaximumBlockRows);

    /// <summary>Builds the graph.</summary>
    /// <param name="config">The model.</param>
    /// <param name="weightsOf">Its tensors.</param>
    /// <param name="blockRows">Most rows the LM head takes at a time; null takes <see cref="BlockRows"/>.</param>
    public static ModelProto Build(
        DecoderConfig config, Func<GraphBuilder, DecoderWeights> weightsOf, int? blockRows = null)
    {
        var graph = new GraphBuilder("scoring");
        var weights = weightsOf(graph);
        string ids = graph.Input(InputIds, DataType.Int64, "B", "S");
        string lengths = graph.Input(Lengths, DataType.Int32, "B");
        string rows = graph.Input(TargetRows, DataType.Int64, "N");
        string targets = graph.Input(TargetIds, DataType.Int64, "N");

        string lastPositions = graph.Node("Sub", "lengths/last_position", [lengths, graph.Scalar(1)]);
        string shape = graph.Node("Shape", "input_ids/shape", [ids]);
        string sequence = graph.Node("Gather", "input_ids/sequence", [shape, graph.Scalar(1L)], ("axis", 0));
        string total = graph.Node("Cast", "input_ids/total_length", [sequence], ("to", DataType.Int32));
        var rotary = RotaryCache.Add(graph, config, sequence, weights.ComputeType);

        var body = new DecoderBody(graph, config, weights);
        string hidden = body.Add(new DecoderBody.Positions(ids, lastPositions, total, rotary), cache: null, rows);
        AddLosses(graph, hidden, targets, weights.Get(body.HeadTensor), blockRows ?? BlockRows(config.VocabularySize));
        graph.Output(Loss, DataType.Float, "N");
        return graph.ToModel("Per-token losses (nats) of the targets of a batch of sequences.");
    }

    private static void AddLosses(GraphBuilder graph, string hidden, string targets, string head, int maximumRows)
    {
        // N rows are cut into K = ceil(N / maximumRows) blocks of R = ceil(N / K) rows, so that the last block is short by
        // fewer than K rows; those repeat row N − 1 and are dropped from the result.
        //
        //   [K·R] row numbers ─ [K,R] ─ Scan over K: ┌ Gather ─ Gemm ─ LogSoftmax ─ GatherElements ─ Neg ┐ ─ [K,R] ─ [N]
        //                                            └ at most maximumRows × V logits exist at a time    ┘
        string count = graph.Node("Size", "head/rows", [targets]);
        string blocks = CeilingDivide("head/blocks", count, graph.Scalar((long)maximumRows));
        string blockRows = CeilingDivide("head/block_rows", count, blocks);
        string padded = graph.Node("Mul", "head/padded_rows", [blocks, blockRows]);
        string range = graph.Node("Range", "head/range", [graph.Scalar(0L), padded, graph.Scalar(1L)]);
        string last = graph.Node("Sub", "head/last_row", [count, graph.Scalar(1L)]);
        string clipped = graph.Node("Min", "head/row_numbers", [range, last]);
        string blockShape = graph.Node(
            "Concat", "head/block_shape",
            [
                graph.Node("Unsqueeze", "head/blocks/vector", [blocks, graph.Constant(0L)]),
                graph.Node("Unsqueeze", "head/block_rows/vector", [blockRows, graph.Constant(0L)]),
            ],
            ("axis", 0));
        string rowsByBlock = graph.Node("Reshape", "head/rows_by_block", [clipped, blockShape]);

        var block = graph.Subgraph("head_block");
        string rows = block.Input("head/block/rows", DataType.Int64, "R");
        string blockHidden = block.Node("Gather", "head/block/hidden", [hidden, rows], ("axis", 0));
        string logits = block.Node("Gemm", "head/block/logits", [blockHidden, head], ("transB", 1));
        string logits32 = block.Node("Cast", "head/block/logits/float", [logits], ("to", DataType.Float));
        string logProbabilities = block.Node("LogSoftmax", "head/block/log_softmax", [logits32], ("axis", -1));
        string ids = block.Node("Gather", "head/block/target_ids", [targets, rows], ("axis", 0));
        string column = block.Node("Unsqueeze", "head/block/target_ids/column", [ids, graph.Constant(1L)]);
        string chosen = block.Node("GatherElements", "head/block/log_probability", [logProbabilities, column], ("axis", 1));
        string flat = block.Node("Squeeze", "head/block/log_probability/flat", [chosen, graph.Constant(1L)]);
        string blockLoss = block.Node("Neg", "head/block/loss", [flat]);
        block.Output(blockLoss, DataType.Float, "R");

        string losses = graph.Node("Scan", "head", [rowsByBlock], ("num_scan_inputs", 1), ("body", block.ToGraph()));
        string flatLosses = graph.Node("Reshape", "head/flat", [losses, graph.Constant(-1L)]);
        graph.Node(
            "Slice", Loss,
            [
                flatLosses, graph.Constant(0L), graph.Node("Unsqueeze", "head/rows/vector", [count, graph.Constant(0L)]),
            ]);

        // (a + b − 1) / b, in integers.
        string CeilingDivide(string path, string dividend, string divisor)
        {
            string sum = graph.Node("Add", $"{path}/sum", [dividend, divisor]);
            string less = graph.Node("Sub", $"{path}/less", [sum, graph.Scalar(1L)]);
            return graph.Node("Div", path, [less, divisor]);
        }
    }
}
