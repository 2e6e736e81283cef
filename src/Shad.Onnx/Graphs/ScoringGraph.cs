using Shad.Models.Configuration;
using Shad.Onnx.Protobuf;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The graph that scores: <c>input_ids [B,S]</c>, <c>lengths [B]</c>, <c>target_rows [N]</c>, <c>target_ids [N]</c> →
/// <c>loss [N]</c>, the natural-log loss of each target given all before it. A graph of several models has an output each:
/// <c>loss</c>, <c>loss.1</c>, <c>loss.2</c>.
/// </summary>
internal static class ScoringGraph
{
    public const string InputIds = "input_ids";
    public const string Lengths = "lengths";
    public const string TargetRows = "target_rows";
    public const string TargetIds = "target_ids";

    /// <summary>Memory of one block of logits and of its log-softmax where nothing else is asked for, in bytes.</summary>
    public const long HeadMemory = 128L << 20;

    private const int MaximumBlockRows = 1024;

    /// <summary>Most rows the LM head takes at a time. A row has <c>2·V</c> floats: logits and log-softmax.</summary>
    public static int BlockRows(int vocabularySize, long memory = HeadMemory) =>
        (int)Math.Clamp(memory / (2L * sizeof(float) * vocabularySize), 1, MaximumBlockRows);

    /// <summary>Name of the output with a model's losses.</summary>
    public static string LossOf(int model) => model == 0 ? "loss" : $"loss.{model}";

    /// <summary>Builds the graph.</summary>
    /// <param name="trunk">The models, and what they share.</param>
    /// <param name="weightsOf">The tensors of a model in a graph.</param>
    /// <param name="blockRows">Most rows the LM head takes at a time; null takes <see cref="BlockRows"/>.</param>
    public static ModelProto Build(
        SharedTrunk trunk, Func<GraphBuilder, int, DecoderWeights> weightsOf, int? blockRows = null)
    {
        var graph = new GraphBuilder("scoring");
        DecoderWeights[] weights = [.. Enumerable.Range(0, trunk.ModelCount).Select(model => weightsOf(graph, model))];
        string ids = graph.Input(InputIds, DataType.Int64, "B", "S");
        string lengths = graph.Input(Lengths, DataType.Int32, "B");
        string rows = graph.Input(TargetRows, DataType.Int64, "N");
        string targets = graph.Input(TargetIds, DataType.Int64, "N");

        string lastPositions = graph.Node("Sub", "lengths/last_position", [lengths, graph.Scalar(1)]);
        string shape = graph.Node("Shape", "input_ids/shape", [ids]);
        string sequence = graph.Node("Gather", "input_ids/sequence", [shape, graph.Scalar(1L)], ("axis", 0));
        string total = graph.Node("Cast", "input_ids/total_length", [sequence], ("to", DataType.Int32));

        var hidden = new Dictionary<int, string>();
        foreach (int[] models in trunk.Split([.. Enumerable.Range(0, trunk.ModelCount)], SharedTrunk.Start))
        {
            var rotary = RotaryCache.Add(
                graph, trunk.ConfigOf(models[0]), sequence, weights[models[0]].ComputeType, DecoderBody.PathOf(models[0]));
            var body = new DecoderBody(graph, trunk, models, model => weights[model]);
            foreach (var (model, states) in body.Add(new DecoderBody.Positions(ids, lastPositions, total, rotary), cache: null, rows))
                hidden[model] = states;
        }

        // Logits in 16 bits would be off by 0.03 nats where they are of magnitude 10; float32 products of 16-bit values are exact in the
        // TF32 of a GPU, and their sums are float32.
        string HeadOf(int model) => weights[model].Get(DecoderBody.HeadTensor(trunk.ConfigOf(model)), DataType.Float);
        foreach (var models in Enumerable.Range(0, trunk.ModelCount).GroupBy(HeadOf))
        {
            int vocabularySize = trunk.ConfigOf(models.First()).VocabularySize;
            AddLosses(graph, [.. models], hidden, targets, models.Key, blockRows ?? BlockRows(vocabularySize));
        }

        return graph.ToModel("Per-token losses (nats) of the targets of a batch of sequences.");
    }

    private static void AddLosses(
        GraphBuilder graph, int[] models, Dictionary<int, string> hiddenOf, string targetIds, string head, int maximumRows)
    {
        // Models with the same head take their product together, so that the runtime keeps one packed copy of the head:
        // the rows of their hidden states one below the other, N each.
        string path = DecoderBody.PathOf(models[0]) + "head";
        string[] states = [.. models.Select(model => hiddenOf[model]).Distinct()];
        string hidden = states.Length == 1 ? states[0] : graph.Node("Concat", $"{path}/hidden", states, ("axis", 0));
        string targets = states.Length == 1
            ? targetIds
            : graph.Node("Tile", $"{path}/target_ids", [targetIds, graph.Constant((long)states.Length)]);

        // N rows are cut into K = ceil(N / maximumRows) blocks of R = ceil(N / K) rows, so that the last block is short by
        // fewer than K rows; those repeat row N − 1 and are dropped from the result.
        //
        //   [K·R] row numbers ─ [K,R] ─ Scan over K: ┌ Gather ─ Gemm ─ LogSoftmax ─ GatherElements ─ Neg ┐ ─ [K,R] ─ [N]
        //                                            └ at most maximumRows × V logits exist at a time    ┘
        string count = graph.Node("Size", $"{path}/rows", [targets]);
        string blocks = CeilingDivide($"{path}/blocks", count, graph.Scalar((long)maximumRows));
        string blockRows = CeilingDivide($"{path}/block_rows", count, blocks);
        string padded = graph.Node("Mul", $"{path}/padded_rows", [blocks, blockRows]);
        string range = graph.Node("Range", $"{path}/range", [graph.Scalar(0L), padded, graph.Scalar(1L)]);
        string last = graph.Node("Sub", $"{path}/last_row", [count, graph.Scalar(1L)]);
        string clipped = graph.Node("Min", $"{path}/row_numbers", [range, last]);
        string blockShape = graph.Node(
            "Concat", $"{path}/block_shape",
            [
                graph.Node("Unsqueeze", $"{path}/blocks/vector", [blocks, graph.Constant(0L)]),
                graph.Node("Unsqueeze", $"{path}/block_rows/vector", [blockRows, graph.Constant(0L)]),
            ],
            ("axis", 0));
        string rowsByBlock = graph.Node("Reshape", $"{path}/rows_by_block", [clipped, blockShape]);

        var block = graph.Subgraph($"{path}/block");
        string rows = block.Input($"{path}/block/rows", DataType.Int64, "R");
        string blockHidden = block.Node("Gather", $"{path}/block/hidden", [hidden, rows], ("axis", 0));
        string hidden32 = block.Node("Cast", $"{path}/block/hidden/float", [blockHidden], ("to", DataType.Float));
        string logits = block.Node("Gemm", $"{path}/block/logits", [hidden32, head], ("transB", 1));
        string logProbabilities = block.Node("LogSoftmax", $"{path}/block/log_softmax", [logits], ("axis", -1));
        string ids = block.Node("Gather", $"{path}/block/target_ids", [targets, rows], ("axis", 0));
        string column = block.Node("Unsqueeze", $"{path}/block/target_ids/column", [ids, graph.Constant(1L)]);
        string chosen = block.Node("GatherElements", $"{path}/block/log_probability", [logProbabilities, column], ("axis", 1));
        string flat = block.Node("Squeeze", $"{path}/block/log_probability/flat", [chosen, graph.Constant(1L)]);
        string blockLoss = block.Node("Neg", $"{path}/block/loss", [flat]);
        block.Output(blockLoss, DataType.Float, "R");

        string losses = graph.Node("Scan", path, [rowsByBlock], ("num_scan_inputs", 1), ("body", block.ToGraph()));
        string flatLosses = graph.Node("Reshape", $"{path}/flat", [losses, graph.Constant(-1L)]);
        string each = graph.Node("Size", $"{path}/targets", [targetIds]);
        foreach (int model in models)
        {
            int place = Array.IndexOf(states, hiddenOf[model]);
            string loss = LossOf(model);
            graph.Node("Slice", loss, [flatLosses, RowOf(place, loss), RowOf(place + 1, loss)]);
            graph.Output(loss, DataType.Float, "N");
        }

        // The first row of the states at a place, as a vector: place · N.
        string RowOf(int place, string of) => place == 0
            ? graph.Constant(0L)
            : graph.Node("Mul", $"{path}/{of}/row_{place}", [graph.Constant((long)place), each]);

        // (a + b − 1) / b, in integers.
        string CeilingDivide(string name, string dividend, string divisor)
        {
            string sum = graph.Node("Add", $"{name}/sum", [dividend, divisor]);
            string less = graph.Node("Sub", $"{name}/less", [sum, graph.Scalar(1L)]);
            return graph.Node("Div", name, [less, divisor]);
        }
    }
}
