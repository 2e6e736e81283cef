using Shad.Models.Configuration;
using Shad.Onnx.Kernels;
using Shad.Onnx.Protobuf;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The graph that scores: token ids and the targets among them → the natural-log loss of each target given all before it. A graph of
/// several models has an output each: <c>loss</c>, <c>loss.1</c>, <c>loss.2</c>.
/// </summary>
/// <remarks>
/// Padded (<see cref="BuildPadded"/>): <c>input_ids [B,S]</c>, <c>lengths [B]</c>, <c>target_rows [N]</c>, <c>target_ids [N]</c> →
/// <c>loss [N]</c>. It has no operator of our own, so it runs on every execution provider and is the one that is exported.
/// Packed (<see cref="BuildPacked"/>): <c>input_ids [K,R]</c>, <c>positions [K·R]</c>, <c>segments [G,6]</c>,
/// <c>target_rows [P,Q]</c>, <c>target_ids [P,Q]</c>, <c>target_segments [G',6]</c> → <c>loss [P,Q]</c>. The rows and targets are cut
/// in blocks, which are computed one after the other.
/// </remarks>
internal static class ScoringGraph
{
    public const string InputIds = "input_ids";
    public const string Lengths = "lengths";
    public const string Positions = "positions";
    public const string Segments = "segments";
    public const string TargetRows = "target_rows";
    public const string TargetIds = "target_ids";
    public const string TargetSegments = "target_segments";

    /// <summary>Memory of one block of logits and of its log-softmax where nothing else is asked for, in bytes.</summary>
    public const long HeadMemory = 128L << 20;

    private const int MaximumBlockRows = 1024;

    /// <summary>Most rows the LM head takes at a time. A row has <c>2·V</c> floats: logits and log-softmax.</summary>
    public static int BlockRows(int vocabularySize, long memory = HeadMemory) =>
        (int)Math.Clamp(memory / (2L * sizeof(float) * vocabularySize), 1, MaximumBlockRows);

    /// <summary>Name of the output with a model's losses.</summary>
    public static string LossOf(int model) => model == 0 ? "loss" : $"loss.{model}";

    /// <summary>Builds the graph for sequences padded to one length.</summary>
    /// <param name="trunk">The models, and what they share.</param>
    /// <param name="weightsOf">The tensors of a model in a graph.</param>
    /// <param name="blockRows">Most rows the LM head takes at a time; null takes <see cref="BlockRows"/>.</param>
    public static ModelProto BuildPadded(
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
        var hidden = AddBodies(graph, trunk, weights, sequence, (config, path, rotary) =>
            new PaddedLayout(graph, config, path, ids, lastPositions, total, rotary, rows));
        foreach (var (head, models) in ModelsByHead(trunk, weights))
        {
            var config = trunk.ConfigOf(models[0]);
            AddPaddedLosses(graph, models, hidden, targets, head, config.LogitCap, blockRows ?? BlockRows(config.VocabularySize));
        }

        return graph.ToModel("Per-token losses (nats) of the targets of a batch of sequences.");
    }

    /// <summary>Builds the graph for sequences one behind the other.</summary>
    /// <param name="trunk">The models, and what they share.</param>
    /// <param name="weightsOf">The tensors of a model in a graph.</param>
    public static ModelProto BuildPacked(SharedTrunk trunk, Func<GraphBuilder, int, DecoderWeights> weightsOf)
    {
        var graph = new GraphBuilder("scoring");
        DecoderWeights[] weights = [.. Enumerable.Range(0, trunk.ModelCount).Select(model => weightsOf(graph, model))];
        string ids = graph.Input(InputIds, DataType.Int64, "K", "R");
        string positions = graph.Input(Positions, DataType.Int64, "N");
        string segments = graph.Input(Segments, DataType.Int64, "G", 6);
        string targetRows = graph.Input(TargetRows, DataType.Int64, "P", "Q");
        string targets = graph.Input(TargetIds, DataType.Int64, "P", "Q");
        string targetSegments = graph.Input(TargetSegments, DataType.Int64, "T", 6);

        string flatIds = graph.Node("Reshape", "input_ids/flat", [ids, graph.Constant(-1L)]);
        string flatRows = graph.Node("Reshape", "target_rows/flat", [targetRows, graph.Constant(-1L)]);
        string targetPositions = graph.Node("Gather", "target_rows/positions", [positions, flatRows], ("axis", 0));
        string last = graph.Node("ReduceMax", "positions/last", [positions], ("keepdims", 0));
        string length = graph.Node("Add", "positions/length", [last, graph.Scalar(1L)]);
        var blocks = RowBlocks.Of(graph, "input_ids", ids);
        var targetBlocks = RowBlocks.Of(graph, "target_rows", targetRows);
        var rows = new PackedLayout.Rows(flatIds, positions, segments, blocks, flatRows, targetPositions, targetSegments, targetBlocks);
        var hidden = AddBodies(graph, trunk, weights, length, (config, _, rotary) => new PackedLayout(graph, config, rows, rotary));
        var known = new HashSet<string>(StringComparer.Ordinal);
        string flatTargets = graph.Node("Reshape", "target_ids/flat", [targets, graph.Constant(-1L)]);
        string shape = graph.Node("Shape", "target_ids/shape", [targets]);
        foreach (int model in Enumerable.Range(0, trunk.ModelCount))
        {
            // Models that are the same share their states, and the losses too.
            string head = weights[model].Get(DecoderBody.HeadTensor(trunk.ConfigOf(model)), DataType.Float);
            string losses = $"{hidden[model]}/{head}/losses";
            if (known.Add(losses))
            {
                (string, object)[] attributes = trunk.ConfigOf(model).LogitCap is { } cap ? [("softcap", (float)cap)] : [];
                graph.OwnNode(TokenLoss.Name, losses, [hidden[model], head, flatTargets], attributes);
            }

            graph.Node("Reshape", LossOf(model), [losses, shape]);
            graph.Output(LossOf(model), DataType.Float, "P", "Q");
        }

        return graph.ToModel("Per-token losses (nats) of the targets of packed sequences.");
    }

    private static Dictionary<int, string> AddBodies(
        GraphBuilder graph, SharedTrunk trunk, DecoderWeights[] weights, string length,
        Func<DecoderConfig, string, RotaryCaches, IRowLayout> layoutOf)
    {
        var hidden = new Dictionary<int, string>();
        foreach (int[] models in trunk.Split([.. Enumerable.Range(0, trunk.ModelCount)], SharedTrunk.Start))
        {
            var config = trunk.ConfigOf(models[0]);
            string path = DecoderBody.PathOf(models[0]);
            var rotary = new RotaryCaches(graph, config, length, weights[models[0]].ComputeType, path);
            var body = new DecoderBody(graph, trunk, models, model => weights[model], layoutOf(config, path, rotary));
            foreach (var (model, states) in body.Add()) hidden[model] = states;
        }

        return hidden;
    }

    private static IEnumerable<(string Head, int[] Models)> ModelsByHead(SharedTrunk trunk, DecoderWeights[] weights) =>
        Enumerable.Range(0, trunk.ModelCount)

            // Logits in 16 bits would be off by 0.03 nats where they are of magnitude 10; float32 products of 16-bit values are exact in
            // the TF32 of a GPU, and their sums are float32.
            .GroupBy(model => (
                Head: weights[model].Get(DecoderBody.HeadTensor(trunk.ConfigOf(model)), DataType.Float), Cap: trunk.ConfigOf(model).LogitCap))
            .Select(static models => (models.Key.Head, models.ToArray()));

    private static void AddPaddedLosses(
        GraphBuilder graph, int[] models, Dictionary<int, string> hiddenOf, string targetIds, string head, double? cap, int maximumRows)
    {
        // As in the packed graph, models with the same head take their product together.
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
        string blockTargets = block.Node("Gather", $"{path}/block/target_ids", [targets, rows], ("axis", 0));
        AddBlockLoss(block, path, blockHidden, blockTargets, head, cap);
        string losses = graph.Node("Scan", path, [rowsByBlock], ("num_scan_inputs", 1), ("body", block.ToGraph()));
        string flatLosses = graph.Node("Reshape", $"{path}/flat", [losses, graph.Constant(-1L)]);
        AddOutputs(graph, path, models, states, hiddenOf, flatLosses, targetIds, "N");

        // (a + b − 1) / b, in integers.
        string CeilingDivide(string name, string dividend, string divisor)
        {
            string sum = graph.Node("Add", $"{name}/sum", [dividend, divisor]);
            string less = graph.Node("Sub", $"{name}/less", [sum, graph.Scalar(1L)]);
            return graph.Node("Div", name, [less, divisor]);
        }
    }

    /// <summary>Adds the losses of a block of hidden states <c>[R,H]</c> with their targets <c>[R]</c>: <c>[R]</c>.</summary>
    private static void AddBlockLoss(GraphBuilder block, string path, string hidden, string targets, string head, double? cap)
    {
        string hidden32 = block.Node("Cast", $"{path}/block/hidden/float", [hidden], ("to", DataType.Float));
        string logits = block.Node("Gemm", $"{path}/block/logits", [hidden32, head], ("transB", 1));
        if (cap is { } bound) logits = Capped(block, $"{path}/block/logits/capped", logits, bound);
        string logProbabilities = block.Node("LogSoftmax", $"{path}/block/log_softmax", [logits], ("axis", -1));
        string column = block.Node("Unsqueeze", $"{path}/block/target_ids/column", [targets, block.Constant(1L)]);
        string chosen = block.Node("GatherElements", $"{path}/block/log_probability", [logProbabilities, column], ("axis", 1));
        string flat = block.Node("Squeeze", $"{path}/block/log_probability/flat", [chosen, block.Constant(1L)]);
        string loss = block.Node("Neg", $"{path}/block/loss", [flat]);
        block.Output(loss, DataType.Float, "R");
    }

    /// <summary>Adds the bound c of logits: <c>c·tanh(logit/c)</c>, float32.</summary>
    public static string Capped(GraphBuilder graph, string path, string logits, double cap)
    {
        string ratio = graph.Node("Div", $"{path}/ratio", [logits, graph.Scalar((float)cap)]);
        string bounded = graph.Node("Tanh", $"{path}/tanh", [ratio]);
        return graph.Node("Mul", path, [bounded, graph.Scalar((float)cap)]);
    }

    /// <summary>Gives each model the losses of its hidden states: those of all stand one behind the other.</summary>
    private static void AddOutputs(
        GraphBuilder graph, string path, int[] models, string[] states, Dictionary<int, string> hiddenOf, string losses, string targetIds,
        params ReadOnlySpan<object> shape)
    {
        string each = graph.Node("Shape", $"{path}/targets", [targetIds], ("start", 0), ("end", 1));
        foreach (int model in models)
        {
            int place = Array.IndexOf(states, hiddenOf[model]);
            string loss = LossOf(model);
            graph.Node("Slice", loss, [losses, FirstOf(place, loss), FirstOf(place + 1, loss)]);
            graph.Output(loss, DataType.Float, shape);
        }

        // Where the losses of the states at a place begin, as a vector.
        string FirstOf(int place, string of) => place == 0
            ? graph.Constant(0L)
            : graph.Node("Mul", $"{path}/{of}/first_{place}", [graph.Constant((long)place), each]);
    }
}
