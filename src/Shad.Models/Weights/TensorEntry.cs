namespace Shad.Models.Weights;

/// <summary>Where a tensor lies.</summary>
/// <param name="Name">Its name, for example <c>model.norm.weight</c>.</param>
/// <param name="Dtype">Number format.</param>
/// <param name="Shape">Sizes of its dimensions, outermost first; empty for a scalar.</param>
/// <param name="File">Full path of the safetensors file that holds it.</param>
/// <param name="Offset">First byte of its data, from the start of that file.</param>
/// <param name="ByteLength">Bytes of its data.</param>
public sealed record TensorEntry(string Name, TensorDtype Dtype, long[] Shape, string File, long Offset, long ByteLength)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => ByteLength / Dtype.ByteSize();
}
