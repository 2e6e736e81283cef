using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Onnx.Graphs;
using Shad.Onnx.Kernels;
using Shad.Onnx.Protobuf;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace BenchAttention;

/// <summary>A graph of one operator with its inputs, ready to be run again and again.</summary>
internal sealed class Contender : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly List<string> _names = [];
    private readonly List<OrtValue> _values = [];
    private readonly string[] _outputs;

    private Contender(string name, GraphBuilder graph, string[] outputs, int threads, params (string Name, OrtValue Value)[] inputs)
    {
        Name = name;
        _outputs = outputs;
        foreach (var (input, value) in inputs)
        {
            _names.Add(input);
            _values.Add(value);
        }

        using var options = new SessionOptions { IntraOpNumThreads = threads, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        CustomOperators.AddTo(options);
        _session = new InferenceSession(graph.ToModel(name).ToByteArray(), options);
    }

    public string Name { get; }

    /// <summary>Our operator on sequences of one length, packed.</summary>
    public static Contender Packed(Shape shape, Tensors tensors, int threads, int? vectorBits = null)
    {
        var graph = new GraphBuilder("packed");
        string[] floats = ["query", "key", "value", "cosine", "sine"];
        foreach (string input in floats) graph.Input(input, DataType.Float, $"{input}.rows", $"{input}.columns");
        graph.Input("segments", DataType.Int64, "G", 6);
        graph.Input("positions", DataType.Int64, "N");
        (string, object)[] attributes =
        [
            ("num_heads", shape.Heads), ("kv_num_heads", shape.KeyValueHeads), ("scale", shape.Scale), ("window", -1),
        ];
        if (vectorBits is { } bits) attributes = [.. attributes, ("vector_bits", bits)];
        graph.OwnNode(PackedAttention.Name, "attended", [.. floats, "segments", "positions"], attributes);
        graph.Output("attended", DataType.Float, "N", shape.Heads * shape.HeadSize);
        long rows = shape.Batch * shape.Length;
        long[] segments = [.. Enumerable.Range(0, shape.Batch).SelectMany(
            b => new long[] { b * shape.Length, shape.Length, 0, 0, b * shape.Length, shape.Length })];
        long[] positions = [.. Enumerable.Range(0, (int)rows).Select(row => (long)(row % shape.Length))];
        return new Contender(
            $"shad.PackedAttention{(vectorBits is null ? "" : $", {vectorBits} bits")}", graph, ["attended"], threads,
            ("query", Value(tensors.Query, rows, shape.Heads * shape.HeadSize)),
            ("key", Value(tensors.Key, rows, shape.KeyValueHeads * shape.HeadSize)),
            ("value", Value(tensors.Value, rows, shape.KeyValueHeads * shape.HeadSize)),
            ("cosine", Value(tensors.Cosine, shape.Length, shape.HeadSize / 2)),
            ("sine", Value(tensors.Sine, shape.Length, shape.HeadSize / 2)),
            ("segments", Value(segments, shape.Batch, 6)), ("positions", Value(positions, rows)));
    }

    /// <summary>ONNX Runtime's operator, as the scoring graph had it before: with outputs for keys and values, so that its
    /// tiled kernel runs.</summary>
    public static Contender GroupQuery(Shape shape, Tensors tensors, int threads)
    {
        var graph = new GraphBuilder("grouped");
        foreach (string input in new[] { "query", "key", "value" }) graph.Input(input, DataType.Float, "B", "S", $"{input}.columns");
        graph.Input("last", DataType.Int32, "B");
        graph.Input("total", DataType.Int32);
        graph.Input("cosine", DataType.Float, "L", "H");
        graph.Input("sine", DataType.Float, "L", "H");
        graph.Node(
            GraphBuilder.MicrosoftDomain, "GroupQueryAttention", "attention", ["query", "key", "value", "", "", "last", "total", "cosine", "sine"],
            ["attended", "present_key", "present_value"],
            [
                ("num_heads", shape.Heads), ("kv_num_heads", shape.KeyValueHeads), ("scale", shape.Scale), ("do_rotary", 1),
                ("local_window_size", -1),
            ]);
        graph.Output("attended", DataType.Float, "B", "S", shape.Heads * shape.HeadSize);
        int[] last = [.. Enumerable.Repeat(shape.Length - 1, shape.Batch)];
        return new Contender(
            "com.microsoft.GroupQueryAttention", graph, ["attended"], threads,
            ("query", Value(tensors.Query, shape.Batch, shape.Length, shape.Heads * shape.HeadSize)),
            ("key", Value(tensors.Key, shape.Batch, shape.Length, shape.KeyValueHeads * shape.HeadSize)),
            ("value", Value(tensors.Value, shape.Batch, shape.Length, shape.KeyValueHeads * shape.HeadSize)),
            ("last", Value(last, shape.Batch)), ("total", Value<int>([shape.Length])),
            ("cosine", Value(tensors.Cosine, shape.Length, shape.HeadSize / 2)),
            ("sine", Value(tensors.Sine, shape.Length, shape.HeadSize / 2)));
    }

    /// <summary>A matrix product that fills the machine: its peak.</summary>
    public static Contender MatrixProduct(int size, int threads)
    {
        var graph = new GraphBuilder("product");
        graph.Input("a", DataType.Float, size, size);
        graph.Input("b", DataType.Float, size, size);
        graph.Node("Gemm", "c", ["a", "b"]);
        graph.Output("c", DataType.Float, size, size);
        float[] ones = [.. Enumerable.Repeat(1f, size * size)];
        return new Contender(
            "matrix product", graph, ["c"], threads, ("a", Value(ones, size, size)), ("b", Value((float[])ones.Clone(), size, size)));
    }

    public float[] Output()
    {
        using var outputs = _session.Run(_run, _names, _values, _outputs);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    /// <summary>Seconds of a run.</summary>
    public double Time()
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        using var outputs = _session.Run(_run, _names, _values, _outputs);
        return System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public void Dispose()
    {
        foreach (var value in _values) value.Dispose();
        _run.Dispose();
        _session.Dispose();
    }

    private static OrtValue Value<T>(T[] numbers, params long[] shape)
        where T : unmanaged => OrtValue.CreateTensorValueFromMemory(numbers, shape);
}
