using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Shad.Onnx.Kernels;
using Shad.Onnx.Protobuf;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// The primitives a graph is made of. A value is known by its name; a node's first output bears the node's name, which is its
/// path in the model (<c>layers.3/attention/query</c>).
/// </summary>
/// <remarks>
/// Constants are initializers named by type and value, so that equal ones are one. A subgraph (<see cref="Subgraph"/>) sees
/// the values of the graph around it; its constants and weights are put there too.
/// </remarks>
internal sealed class GraphBuilder
{
    /// <summary>Operators of ONNX Runtime beyond the standard.</summary>
    public const string MicrosoftDomain = "com.microsoft";

    private const long IrVersion = 9;
    private const long OnnxOpset = 18;
    private const long MicrosoftOpset = 1;
    private const long OwnOpset = 1;

    private readonly GraphProto _graph;
    private readonly GraphBuilder _root;
    private readonly HashSet<string> _names;
    private bool _hasOwnNodes;

    public GraphBuilder(string name)
    {
        _graph = new GraphProto { Name = name };
        _root = this;
        _names = new HashSet<string>(StringComparer.Ordinal);
    }

    private GraphBuilder(string name, GraphBuilder root)
    {
        _graph = new GraphProto { Name = name };
        _root = root;
        _names = root._names;
    }

    /// <summary>A graph to be an attribute of a node of this one.</summary>
    public GraphBuilder Subgraph(string name) => new(name, _root);

    /// <summary>Declares an input. A dimension is a number or a name of its own.</summary>
    public string Input(string name, DataType type, params ReadOnlySpan<object> shape)
    {
        Claim(name);
        _graph.Input.Add(Describe(name, type, shape));
        return name;
    }

    /// <summary>Declares a value as an output.</summary>
    public void Output(string name, DataType type, params ReadOnlySpan<object> shape) =>
        _graph.Output.Add(Describe(name, type, shape));

    /// <summary>Adds a node with one output and returns its name.</summary>
    public string Node(string operation, string path, ReadOnlySpan<string> inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        Node("", operation, path, inputs, [path], attributes);
        return path;
    }

    /// <summary>Adds a node with one output of ONNX Runtime's own operators and returns its name.</summary>
    public string MicrosoftNode(
        string operation, string path, ReadOnlySpan<string> inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        Node(MicrosoftDomain, operation, path, inputs, [path], attributes);
        return path;
    }

    /// <summary>Adds a node with one output of <see cref="CustomOperators"/> and returns its name.</summary>
    public string OwnNode(
        string operation, string path, ReadOnlySpan<string> inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        Node(CustomOperators.Domain, operation, path, inputs, [path], attributes);
        return path;
    }

    /// <summary>Adds a node. An empty name among inputs or outputs leaves an optional one out.</summary>
    public void Node(
        string domain, string operation, string path, ReadOnlySpan<string> inputs, ReadOnlySpan<string> outputs,
        ReadOnlySpan<(string Name, object Value)> attributes)
    {
        var node = new NodeProto { OpType = operation, Name = path, Domain = domain };
        foreach (string input in inputs) node.Input.Add(input);
        foreach (string output in outputs)
        {
            if (output.Length > 0) Claim(output);
            node.Output.Add(output);
        }

        foreach (var (name, value) in attributes) node.Attribute.Add(Attribute(name, value));
        _root._hasOwnNodes |= domain == CustomOperators.Domain;
        _graph.Node.Add(node);
    }

    /// <summary>A vector <c>[n]</c>.</summary>
    public string Constant(params long[] values) => Constant<long>(DataType.Int64, values, [values.Length]);

    /// <summary>A vector <c>[n]</c>.</summary>
    public string Constant(params double[] values) => Constant<double>(DataType.Double, values, [values.Length]);

    /// <summary>A vector <c>[n]</c>.</summary>
    public string Constant(params float[] values) => Constant<float>(DataType.Float, values, [values.Length]);

    /// <summary>A scalar.</summary>
    public string Scalar(long value) => Constant<long>(DataType.Int64, [value], []);

    /// <summary>A scalar.</summary>
    public string Scalar(int value) => Constant<int>(DataType.Int32, [value], []);

    /// <summary>A scalar.</summary>
    public string Scalar(float value) => Constant<float>(DataType.Float, [value], []);

    /// <summary>A scalar.</summary>
    public string Scalar(double value) => Constant<double>(DataType.Double, [value], []);

    /// <summary>An initializer whose bytes stay in a file of the model's folder.</summary>
    public string External(string name, DataType type, ReadOnlySpan<long> shape, string location, long offset, long byteLength)
    {
        if (!_root._names.Add(name)) return name;
        var tensor = new TensorProto { Name = name, DataType = (int)type, DataLocation = DataLocation.External };
        foreach (long dimension in shape) tensor.Dims.Add(dimension);
        tensor.ExternalData.Add(Entry("location", location));
        tensor.ExternalData.Add(Entry("offset", offset.ToString(CultureInfo.InvariantCulture)));
        tensor.ExternalData.Add(Entry("length", byteLength.ToString(CultureInfo.InvariantCulture)));
        _root._graph.Initializer.Add(tensor);
        return name;
    }

    /// <summary>True where a value of that name exists.</summary>
    public bool Contains(string name) => _names.Contains(name);

    /// <summary>The graph as it stands, for an attribute.</summary>
    public GraphProto ToGraph() => _graph;

    /// <summary>The graph as a model.</summary>
    public ModelProto ToModel(string description)
    {
        var model = new ModelProto
        {
            IrVersion = IrVersion,
            ProducerName = "Shad.Onnx",
            ProducerVersion = typeof(GraphBuilder).Assembly.GetName().Version?.ToString(3) ?? "0",
            DocString = description,
            Graph = _graph,
            OpsetImport =
            {
                new OperatorSetIdProto { Domain = "", Version = OnnxOpset },
                new OperatorSetIdProto { Domain = MicrosoftDomain, Version = MicrosoftOpset },
            },
        };

        // Other programs load a graph only where they know every domain it names.
        if (_hasOwnNodes) model.OpsetImport.Add(new OperatorSetIdProto { Domain = CustomOperators.Domain, Version = OwnOpset });
        return model;
    }

    private string Constant<T>(DataType type, ReadOnlySpan<T> values, ReadOnlySpan<long> shape)
        where T : unmanaged, IFormattable
    {
        // A long vector's name is its content's hash: names are for readers, and equal constants still get equal names.
        string content = values.Length <= 8
            ? string.Join(",", values.ToArray().Select(static value => value.ToString(null, CultureInfo.InvariantCulture)))
            : Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(MemoryMarshal.AsBytes(values)))[..16];
        string name = $"constants/{type}/{(shape.IsEmpty ? content : $"[{content}]")}";
        if (!_root._names.Add(name)) return name;

        var tensor = new TensorProto
        {
            Name = name,
            DataType = (int)type,
            RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values)),
        };
        foreach (long dimension in shape) tensor.Dims.Add(dimension);
        _root._graph.Initializer.Add(tensor);
        return name;
    }

    private void Claim(string name)
    {
        if (!_names.Add(name)) throw new InvalidOperationException($"The graph has two values named '{name}'.");
    }

    private static StringStringEntryProto Entry(string key, string value) => new() { Key = key, Value = value };

    private static ValueInfoProto Describe(string name, DataType type, ReadOnlySpan<object> shape)
    {
        var dimensions = new TensorShapeProto();
        foreach (object dimension in shape)
        {
            dimensions.Dim.Add(dimension is string symbol
                ? new TensorShapeProto.Types.Dimension { DimParam = symbol }
                : new TensorShapeProto.Types.Dimension { DimValue = Convert.ToInt64(dimension, CultureInfo.InvariantCulture) });
        }

        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = dimensions } },
        };
    }

    private static AttributeProto Attribute(string name, object value)
    {
        var attribute = new AttributeProto { Name = name };
        switch (value)
        {
            case int or long:
                attribute.Type = AttributeProto.Types.AttributeType.Int;
                attribute.I = Convert.ToInt64(value, CultureInfo.InvariantCulture);
                break;
            case float number:
                attribute.Type = AttributeProto.Types.AttributeType.Float;
                attribute.F = number;
                break;
            case DataType type:
                attribute.Type = AttributeProto.Types.AttributeType.Int;
                attribute.I = (long)type;
                break;
            case long[] numbers:
                attribute.Type = AttributeProto.Types.AttributeType.Ints;
                attribute.Ints.Add(numbers);
                break;
            case GraphProto body:
                attribute.Type = AttributeProto.Types.AttributeType.Graph;
                attribute.G = body;
                break;
            default:
                throw new ArgumentException($"Attribute '{name}' has the unsupported type {value.GetType()}.", nameof(value));
        }

        return attribute;
    }
}
