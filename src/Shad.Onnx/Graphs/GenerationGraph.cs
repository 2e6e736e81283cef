using Shad.Models.Configuration;
using Shad.Onnx.Protobuf;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The graph that generates, with the inputs and outputs of onnxruntime-genai: <c>input_ids [B,S]</c>,
/// <c>attention_mask [B,T]</c>, <c>past_key_values.N.key|value [B, KV heads, P, head size]</c> → <c>logits [B,S,V]</c>,
/// <c>present.N.key|value</c>. Past and present may be one buffer.
/// </summary>
internal static class GenerationGraph
{
    public const string InputIds = "input_ids";
    public const string AttentionMask = "attention_mask";
    public const string Logits = "logits";
    public const string PastKeys = "past_key_values.%d.key";
    public const string PastValues = "past_key_values.%d.value";
    public const string PresentKeys = "present.%d.key";
    public const string PresentValues = "present.%d.value";

    /// <summary>The cache values of a layer.</summary>
    public static PaddedLayout.LayerCache CacheOf(int layer)
    {
        return new(Name(PastKeys), Name(PastValues), Name(PresentKeys), Name(PresentValues));

        string Name(string pattern) => pattern.Replace("%d", layer.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Builds the graph.</summary>
    /// <param name="model">The model: a trunk of one.</param>
    /// <param name="weightsOf">Its tensors in a graph.</param>
    /// <param name="lastPositionOnly">Logits of each sequence's last token only, <c>[B,1,V]</c>, where prompts are padded on the right.
    /// onnxruntime-genai allocates <c>[B,S,V]</c> and takes nothing else.</param>
    public static ModelProto Build(
        SharedTrunk model, Func<GraphBuilder, int, DecoderWeights> weightsOf, bool lastPositionOnly = false)
    {
        var config = model.ConfigOf(0);
        var graph = new GraphBuilder("generation");
        var weights = weightsOf(graph, 0);
        string ids = graph.Input(InputIds, DataType.Int64, "B", "S");
        string mask = graph.Input(AttentionMask, DataType.Int64, "B", "T");
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            var cache = CacheOf(layer);
            graph.Input(cache.PastKey, weights.ComputeType, "B", config.KeyValueHeads, "P", PaddedLayout.CacheHeadSize(config));
            graph.Input(cache.PastValue, weights.ComputeType, "B", config.KeyValueHeads, "P", PaddedLayout.CacheHeadSize(config));
        }

        string valid = graph.Node("ReduceSum", "attention_mask/length", [mask, graph.Constant(1L)], ("keepdims", 0));
        string last = graph.Node("Sub", "attention_mask/last_position", [valid, graph.Scalar(1L)]);
        string lastPositions = graph.Node("Cast", "attention_mask/last_position/int32", [last], ("to", DataType.Int32));
        string maskShape = graph.Node("Shape", "attention_mask/shape", [mask]);
        string total = graph.Node("Gather", "attention_mask/total", [maskShape, graph.Scalar(1L)], ("axis", 0));
        string totalLength = graph.Node("Cast", "attention_mask/total_length", [total], ("to", DataType.Int32));

        // Constant length: the tables are folded when the model is loaded and cost nothing per token. Where they hang on the sequence's
        // length, they are made in each step, and keys in the cache stay as they were rotated; transformers does the same.
        string tableLength = config.LengthBoundaries.Count > 0 ? total : graph.Scalar((long)config.ContextLength);
        var rotary = new RotaryCaches(graph, config, tableLength, weights.ComputeType);

        string? rows = lastPositionOnly ? LastRows(graph, ids, valid) : null;
        var layout = new PaddedLayout(
            graph, config, DecoderBody.PathOf(0), ids, lastPositions, totalLength, rotary, rows, CacheOf);
        string hidden = new DecoderBody(graph, model, [0], _ => weights, layout).Add()[0];
        string flat = graph.Node("Gemm", "head", [hidden, weights.Get(DecoderBody.HeadTensor(config))], ("transB", 1));
        string flat32 = graph.Node("Cast", "head/float", [flat], ("to", DataType.Float));
        if (config.LogitCap is { } cap) flat32 = ScoringGraph.Capped(graph, "head/capped", flat32, cap);
        string batch = graph.Node("Shape", "logits/batch", [ids], ("start", 0), ("end", 1));
        string shape = graph.Node(
            "Concat", "logits/shape", [batch, graph.Constant(-1L, config.VocabularySize)], ("axis", 0));
        graph.Node("Reshape", Logits, [flat32, shape]);
        graph.Output(Logits, DataType.Float, "B", lastPositionOnly ? 1 : "S", config.VocabularySize);

        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            var cache = CacheOf(layer);
            graph.Output(cache.PresentKey, weights.ComputeType, "B", config.KeyValueHeads, "Q", PaddedLayout.CacheHeadSize(config));
            graph.Output(cache.PresentValue, weights.ComputeType, "B", config.KeyValueHeads, "Q", PaddedLayout.CacheHeadSize(config));
        }

        return graph.ToModel("Next-token logits with a key and value cache, for onnxruntime-genai.");
    }

    // Flat position b·S + min(S, valid tokens of b) − 1 of the last token of each of B sequences: a prompt ends before its padding, and
    // behind cached tokens there is none.
    private static string LastRows(GraphBuilder graph, string ids, string valid)
    {
        string shape = graph.Node("Shape", "last_rows/shape", [ids]);
        string sequence = graph.Node("Gather", "last_rows/sequence", [shape, graph.Scalar(1L)], ("axis", 0));
        string total = graph.Node("Size", "last_rows/total", [ids]);
        string first = graph.Node("Range", "last_rows/first", [graph.Scalar(0L), total, sequence]);
        string count = graph.Node("Min", "last_rows/count", [valid, sequence]);
        string end = graph.Node("Add", "last_rows/end", [first, count]);
        return graph.Node("Sub", "last_rows", [end, graph.Scalar(1L)]);
    }
}
