using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Onnx.Graphs;
using Shad.Onnx.Kernels;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Kernels;

/// <summary>A session of ONNX Runtime whose graph is one node of the attention operator.</summary>
internal sealed class AttentionSession : IDisposable
{
    private static readonly string[] Inputs = ["query", "key", "value", "cosine", "sine", "segments", "positions"];
    private readonly InferenceSession _session;

    public AttentionSession(params (string Name, object Value)[] attributes)
    {
        var graph = new GraphBuilder("attention");
        foreach (string input in Inputs[..5]) graph.Input(input, DataType.Float, $"{input}.rows", $"{input}.columns");
        graph.Input("segments", DataType.Int64, "G", "segments.columns");
        graph.Input("positions", DataType.Int64, "positions.rows");
        graph.OwnNode(PackedAttention.Name, "attended", Inputs, attributes);
        graph.Output("attended", DataType.Float, "attended.rows", "attended.columns");

        using var options = new SessionOptions { IntraOpNumThreads = 2, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        CustomOperators.AddTo(options);
        _session = new InferenceSession(graph.ToModel("Packed attention.").ToByteArray(), options);
    }

    /// <summary>A session for batches of a shape.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="vectorBits">Width of the vectors to compute with; null for the widest.</param>
    public static AttentionSession For(PackedBatch batch, int? vectorBits = null)
    {
        List<(string, object)> attributes =
        [
            ("num_heads", batch.Heads), ("kv_num_heads", batch.KeyValueHeads), ("scale", batch.Scale), ("window", batch.Window),
        ];
        if (batch.Cap > 0) attributes.Add(("softcap", batch.Cap));
        return new AttentionSession(vectorBits is { } bits ? [.. attributes, ("vector_bits", bits)] : [.. attributes]);
    }

    /// <summary>The output, <c>[Nq, heads·D]</c>.</summary>
    public float[] Run(PackedBatch batch)
    {
        int width = batch.KeyValueHeads * batch.HeadSize, half = batch.RotatedPairs;
        using var query = Value(batch.Query, batch.QueryRows, batch.Heads * batch.HeadSize);
        using var key = Value(batch.Key, batch.Key.Length / width, width);
        using var value = Value(batch.Value, batch.Value.Length / width, width);
        using var cosine = Value(batch.Cosine, batch.RotaryRows, half);
        using var sine = Value(batch.Sine, batch.RotaryRows, half);
        using var segments = Value(batch.Segments, batch.Segments.Length / 6, 6);
        using var positions = Value(batch.Positions, batch.Positions.Length);
        return Run(query, key, value, cosine, sine, segments, positions);
    }

    /// <summary>The output for any tensors.</summary>
    public float[] Run(params OrtValue[] inputs)
    {
        using var run = new RunOptions();
        using var outputs = _session.Run(run, Inputs, inputs, ["attended"]);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    public static OrtValue Value<T>(T[] numbers, params long[] shape)
        where T : unmanaged => OrtValue.CreateTensorValueFromMemory(numbers, shape);

    public void Dispose() => _session.Dispose();
}
