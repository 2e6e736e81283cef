using Shad.Models.Weights;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// A model's tensors as values of a graph: initializers that point into the safetensors files, cast where the file's number
/// format is not the one computed in. A tensor that several models of a graph share stands in it once.
/// </summary>
/// <param name="builder">The graph.</param>
/// <param name="trunk">The models and what they share.</param>
/// <param name="model">The model among them.</param>
/// <param name="placeOf">Where the graph finds a tensor.</param>
/// <param name="computeType">Number format of the activations.</param>
internal sealed class DecoderWeights(
    GraphBuilder builder, SharedTrunk trunk, int model, Func<TensorEntry, TensorPlace> placeOf, DataType computeType)
{
    /// <summary>Number format of the activations.</summary>
    public DataType ComputeType => computeType;

    /// <summary>The tensor, in the format computed in. A cast of it stands in the graph once, and the runtime folds it when
    /// the model is loaded.</summary>
    public string Get(string name) => Get(name, computeType);

    /// <summary>The tensor in a format, as <see cref="Get(string)"/>.</summary>
    public string Get(string name, DataType wanted)
    {
        string stored = Stored(name, out var type);
        if (type == wanted) return stored;
        string cast = wanted == computeType ? stored + "/cast" : $"{stored}/cast/{wanted}";
        return builder.Contains(cast) ? cast : builder.Node("Cast", cast, [stored], ("to", wanted));
    }

    /// <summary>Rows of a matrix <c>[R,C]</c>, in the format computed in: only the rows taken are cast.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="path">Path of the result.</param>
    /// <param name="rows">Row numbers, of any shape; the result has that shape and <c>C</c> behind it.</param>
    public string Rows(string name, string path, string rows)
    {
        string stored = Stored(name, out var type);
        if (type == computeType) return builder.Node("Gather", path, [stored, rows], ("axis", 0));
        string taken = builder.Node("Gather", path + "/stored", [stored, rows], ("axis", 0));
        return builder.Node("Cast", path, [taken], ("to", computeType));
    }

    private string Stored(string name, out DataType type)
    {
        int owner = trunk.OwnerOf(model, name);
        var entry = trunk.EntryOf(model, name);
        type = TypeOf(entry.Dtype);
        var place = placeOf(entry);
        return builder.External(
            DecoderBody.PathOf(owner) + name, type, entry.Shape, place.Location, place.Offset, entry.ByteLength);
    }

    private static DataType TypeOf(TensorDtype dtype) => dtype switch
    {
        TensorDtype.Float32 => DataType.Float,
        TensorDtype.Float16 => DataType.Float16,
        TensorDtype.BFloat16 => DataType.Bfloat16,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Not a number format of weights."),
    };
}

/// <summary>Where a graph finds the bytes of a tensor.</summary>
/// <param name="Location">The file, relative to the graph's folder.</param>
/// <param name="Offset">First byte in it.</param>
internal readonly record struct TensorPlace(string Location, long Offset);
