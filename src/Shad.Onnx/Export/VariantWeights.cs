using System.Globalization;
using System.Runtime.InteropServices;
using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Graphs;
using Shad.Onnx.Protobuf;
using Shad.Onnx.Quantization;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Export;

/// <summary>
/// Gives a graph weights of another number format: its initializers that point into the model's files are written anew to a file of the
/// graph's own, one after the other, and the nodes that use them are changed to suit.
/// </summary>
/// <remarks>
/// It works on the finished graph, so that it holds for every architecture:
/// <code>
/// W ─ (Cast) ─ Gemm                    →  codes, scales ─ MatMulNBits     whole numbers
/// W ─ (Cast) ─ Gemm, norms, biases     →  W' ─ the same node              in the format computed in
/// W ─ Gather ─ (Cast)                  →  W' ─ Gather ─ Cast              the embedding: 16 bits where the format is not float32
/// </code>
/// </remarks>
internal sealed class VariantWeights
{
    private readonly ModelFolder _model;
    private readonly VariantOptions _options;
    private readonly GraphProto _graph;
    private readonly string _location;
    private readonly Stream _data;
    private readonly Dictionary<string, string> _aliases = new(StringComparer.Ordinal);
    private readonly HashSet<string> _written = new(StringComparer.Ordinal);

    private VariantWeights(ModelFolder model, VariantOptions options, GraphProto graph, string location, Stream data)
    {
        _model = model;
        _options = options;
        _graph = graph;
        _location = location;
        _data = data;
    }

    /// <summary>Number format of the activations.</summary>
    public static DataType ComputeTypeOf(VariantOptions options) => options.Format == WeightFormat.Float16 ? DataType.Float16 : DataType.Float;

    /// <summary>Rewrites a graph whose activations are of <see cref="ComputeTypeOf"/>.</summary>
    /// <param name="model">The model whose tensors bear the initializers' names.</param>
    /// <param name="options">The format.</param>
    /// <param name="graph">The graph; changed.</param>
    /// <param name="location">Name of the data file, as the graph will find it.</param>
    /// <param name="data">The data file, empty.</param>
    public static void Rewrite(ModelFolder model, VariantOptions options, GraphProto graph, string location, Stream data) =>
        new VariantWeights(model, options, graph, location, data).Run();

    private void Run()
    {
        TensorProto[] stored = [.. _graph.Initializer.Where(static tensor => tensor.DataLocation == DataLocation.External)];
        foreach (var tensor in stored)
        {
            _aliases[tensor.Name] = tensor.Name;
            _graph.Initializer.Remove(tensor);
        }

        // A cast of a whole tensor is another name of it.
        foreach (var cast in _graph.Node.Where(node => node.OpType == "Cast" && _aliases.ContainsKey(node.Input[0])).ToArray())
        {
            _aliases[cast.Output[0]] = _aliases[cast.Input[0]];
            _graph.Node.Remove(cast);
        }

        for (int at = 0; at < _graph.Node.Count; at++)
        {
            var node = _graph.Node[at];
            if (node.Input.All(input => !_aliases.ContainsKey(input))) continue;
            if (_options.Bits is { } bits && node.OpType == "Gemm" && _aliases.TryGetValue(node.Input[1], out string? matrix)) Quantize(node, matrix, bits);
            if (node.OpType == "Gather" && _aliases.TryGetValue(node.Input[0], out string? table)) at += Look(node, table, at);
            else
                for (int i = 0; i < node.Input.Count; i++)
                    if (_aliases.TryGetValue(node.Input[i], out string? tensor)) node.Input[i] = Plain(tensor, tensor, ComputeTypeOf(_options));
        }
    }

    /// <summary>A Gemm becomes a product with a quantized matrix.</summary>
    private void Quantize(NodeProto gemm, string tensor, int bits)
    {
        bool transposed = gemm.Attribute.Any(static attribute => attribute.Name == "transB" && attribute.I == 1);
        string path = transposed ? tensor : $"{tensor}/transposed";
        var matrix = BlockQuantizedMatrix.Of(Matrix(tensor, transposed, out int rows, out int columns), rows, columns, bits, _options.BlockSize);
        string bias = gemm.Input.Count > 2 ? gemm.Input[2] : "";
        string input = gemm.Input[0];
        gemm.OpType = BlockQuantizedMatrix.Operator;
        gemm.Domain = GraphBuilder.MicrosoftDomain;
        gemm.Input.Clear();
        gemm.Input.Add(
        [
            input, Write($"{path}/codes", DataType.Uint8, matrix.CodesShape, matrix.Codes),
            Write($"{path}/scales", DataType.Float, matrix.ScalesShape, MemoryMarshal.AsBytes<float>(matrix.Scales)),
        ]);
        if (bias.Length > 0) gemm.Input.Add(["", "", bias]);
        gemm.Attribute.Clear();
        foreach (var (name, value) in matrix.Attributes(_options.RoundActivations))
            gemm.Attribute.Add(Integer(name, Convert.ToInt64(value, CultureInfo.InvariantCulture)));
    }

    /// <summary>A look-up of rows; returns the number of nodes added behind it.</summary>
    private int Look(NodeProto gather, string tensor, int at)
    {
        var compute = ComputeTypeOf(_options);
        bool isCastLater = _graph.Node.Any(node => node.OpType == "Cast" && node.Input[0] == gather.Output[0]);
        var type = _options.Format switch
        {
            WeightFormat.Float32 => DataType.Float,
            WeightFormat.Float16 => DataType.Float16,
            _ => _model.Weights.Tensors[tensor].Dtype == TensorDtype.BFloat16 ? DataType.Bfloat16 : DataType.Float16,
        };
        gather.Input[0] = Plain($"{tensor}/rows", tensor, type);
        if (type == compute || isCastLater) return 0;
        string result = gather.Output[0];
        gather.Name = gather.Output[0] = $"{result}/stored";
        var cast = new NodeProto { OpType = "Cast", Name = result, Input = { gather.Output[0] }, Output = { result } };
        cast.Attribute.Add(Integer("to", (long)compute));
        _graph.Node.Insert(at + 1, cast);
        return 1;
    }

    /// <summary>A tensor in a floating format, under a name; where the tensor itself has it under its own, that one.</summary>
    private string Plain(string name, string tensor, DataType type)
    {
        if (type == ComputeTypeOf(_options)) name = tensor;
        if (_written.Contains(name)) return name;
        var dtype = type switch { DataType.Float => TensorDtype.Float32, DataType.Float16 => TensorDtype.Float16, _ => TensorDtype.BFloat16 };
        float[] values = _model.Weights.ReadFloat32(tensor);
        byte[] bytes = new byte[checked((long)values.Length * dtype.ByteSize())];
        Float32Conversion.FromFloat32(values, dtype, bytes, tensor);
        return Write(name, type, _model.Weights.Tensors[tensor].Shape, bytes);
    }

    // [N,K], row by row: as it is stored, or of [K,N].
    private float[] Matrix(string tensor, bool isStored, out int rows, out int columns)
    {
        long[] shape = _model.Weights.Tensors[tensor].Shape;
        float[] values = _model.Weights.ReadFloat32(tensor);
        (rows, columns) = isStored ? ((int)shape[0], (int)shape[1]) : ((int)shape[1], (int)shape[0]);
        if (isStored) return values;
        float[] turned = new float[values.Length];
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++) turned[(long)row * columns + column] = values[(long)column * rows + row];
        return turned;
    }

    private string Write(string name, DataType type, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes)
    {
        if (!_written.Add(name)) return name;
        while (_data.Position % SafetensorsWriter.Alignment != 0) _data.WriteByte(0);
        var tensor = new TensorProto { Name = name, DataType = (int)type, DataLocation = DataLocation.External };
        foreach (long dimension in shape) tensor.Dims.Add(dimension);
        tensor.ExternalData.Add(
        [
            new StringStringEntryProto { Key = "location", Value = _location },
            new StringStringEntryProto { Key = "offset", Value = _data.Position.ToString(CultureInfo.InvariantCulture) },
            new StringStringEntryProto { Key = "length", Value = bytes.Length.ToString(CultureInfo.InvariantCulture) },
        ]);
        _data.Write(bytes);
        _graph.Initializer.Add(tensor);
        return name;
    }

    private static AttributeProto Integer(string name, long value) =>
        new() { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value };
}
