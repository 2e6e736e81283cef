using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Quantization;
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
/// <param name="int8">Receives the projections in 8-bit integers, where they are multiplied as such; the activations are float32 then.</param>
internal sealed class DecoderWeights(
    GraphBuilder builder, SharedTrunk trunk, int model, Func<TensorEntry, TensorPlace> placeOf, DataType computeType,
    Int8Weights? int8 = null)
{
    /// <summary>Whether projections are multiplied in 8-bit integers.</summary>
    public bool Int8Products => int8 is not null;

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

    /// <summary>A number, in the format computed in.</summary>
    public string Scalar(double value)
    {
        string single = builder.Scalar((float)value);
        if (computeType == DataType.Float) return single;
        string cast = single + "/cast";
        return builder.Contains(cast) ? cast : builder.Node("Cast", cast, [single], ("to", computeType));
    }

    /// <summary>The scale of a norm, in the format computed in: what is added to 1 included.</summary>
    public string Scale(NormModule norm, NormKind kind)
    {
        if (kind != NormKind.RootMeanSquareOfOnePlus) return Get(norm.Weight);
        string sum = $"{Get(norm.Weight, DataType.Float)}/plus_one";
        if (!builder.Contains(sum)) builder.Node("Add", sum, [Get(norm.Weight, DataType.Float), builder.Scalar(1f)]);
        if (computeType == DataType.Float) return sum;
        string cast = sum + "/cast";
        return builder.Contains(cast) ? cast : builder.Node("Cast", cast, [sum], ("to", computeType));
    }

    /// <summary>The matrix of a projection, <c>[out, in]</c> or <c>[in, out]</c> as it is stored, in the format computed in.</summary>
    public string Matrix(Projection projection) => Part(projection.Module.Weight, projection, projection.Module.InputsFirst ? 1 : 0);

    /// <summary>The matrix of a projection as 8-bit integers, <c>[in, out]</c>, and the scale of each output, <c>[out]</c>.</summary>
    /// <remarks>The graph has a place for the integers only, which the session fills from the <see cref="Int8Weights"/>.</remarks>
    public (string Values, string Scales) Int8Matrix(Projection projection)
    {
        string tensor = projection.Module.Weight;
        int owner = trunk.OwnerOf(model, tensor);
        string name = $"{DecoderBody.PathOf(owner)}{tensor}/int8" + (projection.IsWhole ? "" : $"/{projection.First}");
        var matrix = int8!.Get(name, trunk.Models[owner].Weights, projection);
        long[] shape = [projection.Module.Inputs, projection.Width];

        // Any bytes of the files will do: none are read.
        var place = placeOf(trunk.EntryOf(model, tensor));
        builder.External(name, DataType.Int8, shape, place.Location, place.Offset, shape[0] * shape[1]);
        return (name, builder.Constant(matrix.Scales));
    }

    /// <summary>The bias of a projection, <c>[out]</c>, in the format computed in.</summary>
    public string Bias(Projection projection) => Part(projection.Module.Bias!, projection, 0);

    /// <summary>A projection's part of a tensor that several share. Rows are a tensor of their own in the file; columns are cut out when
    /// the model is loaded.</summary>
    private string Part(string name, Projection projection, int axis)
    {
        if (projection.IsWhole) return Get(name);
        long first = projection.First, end = first + projection.Width;
        if (axis == 0)
        {
            string rows = Stored(name, first, projection.Width, out var type);
            if (type == computeType) return rows;
            string cast = rows + "/cast";
            return builder.Contains(cast) ? cast : builder.Node("Cast", cast, [rows], ("to", computeType));
        }

        string whole = Get(name), part = $"{whole}/columns/{first}";
        return builder.Contains(part)
            ? part
            : builder.Node("Slice", part, [whole, builder.Constant(first), builder.Constant(end), builder.Constant((long)axis)]);
    }

    private string Stored(string name, out DataType type) => Stored(name, 0, trunk.EntryOf(model, name).Shape[0], out type);

    private string Stored(string name, long firstRow, long rows, out DataType type)
    {
        int owner = trunk.OwnerOf(model, name);
        var entry = trunk.EntryOf(model, name);
        type = TypeOf(entry.Dtype);
        var place = placeOf(entry);
        string value = DecoderBody.PathOf(owner) + name;
        if (rows == entry.Shape[0]) return builder.External(value, type, entry.Shape, place.Location, place.Offset, entry.ByteLength);
        long rowBytes = entry.ByteLength / entry.Shape[0];
        return builder.External(
            $"{value}/rows/{firstRow}", type, [rows, .. entry.Shape[1..]], place.Location, place.Offset + firstRow * rowBytes, rows * rowBytes);
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
