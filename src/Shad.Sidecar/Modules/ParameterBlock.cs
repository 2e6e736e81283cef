using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>What a parameter is, as far as optimizer and number format care.</summary>
public enum ParameterKind
{
    /// <summary>Weight of a linear projection: takes part in bf16 products, decays.</summary>
    Matrix,

    /// <summary>Bias of a linear projection: takes part in bf16 products, does not decay.</summary>
    Bias,

    /// <summary>Embedding or position matrix: looked up in float32, does not decay.</summary>
    Embedding,

    /// <summary>Scale or bias of a norm: float32, does not decay.</summary>
    Norm,
}

/// <summary>
/// One tensor of the computation: a Hugging Face tensor, or several that are used in one matrix product (query, key and value;
/// gate and up) and therefore lie one below the other in memory.
/// </summary>
public sealed class ParameterBlock
{
    internal ParameterBlock(ParameterKind kind, bool isTuned, IReadOnlyList<ParameterPart> parts)
    {
        Kind = kind;
        IsTuned = isTuned;
        Parts = parts;
        long[] shape = [.. parts[0].Shape];
        for (int i = 1; i < parts.Count; i++) shape[0] += parts[i].Shape[0];
        Shape = shape;
        ElementCount = shape.Aggregate(1L, static (product, size) => product * size);
    }

    /// <summary>What it is.</summary>
    public ParameterKind Kind { get; }

    /// <summary>True where the tune changes it.</summary>
    public bool IsTuned { get; }

    /// <summary>The Hugging Face tensors it is made of, stacked along dimension 0.</summary>
    public IReadOnlyList<ParameterPart> Parts { get; }

    /// <summary>Shape of the stack.</summary>
    public long[] Shape { get; }

    /// <summary>Number of values.</summary>
    public long ElementCount { get; }

    /// <summary>The float32 values; a view of the parameters' flat buffer.</summary>
    public Tensor Master { get; internal set; } = null!;

    /// <summary>The bfloat16 copy for matrix products; null in a float32 tune and for what never takes part in them.</summary>
    public Tensor? Half { get; internal set; }

    /// <summary>The float32 gradient; null where not tuned.</summary>
    public Tensor? Gradient { get; internal set; }

    /// <summary>The low-rank change to it that is tuned in its place; null where there is none.</summary>
    internal BlockAdapter? Adapter { get; set; }
}

/// <summary>
/// The low-rank change of a block: <c>s·B·A</c> for each part that is adapted. The A's lie one below the other, as the parts do
/// in their block, so that all are one matrix product; each B has rows of its own.
/// </summary>
/// <param name="Down">A of every adapted part, <c>[adapted · r, in]</c>.</param>
/// <param name="Up">B of each part of the block, <c>[out, r]</c>; null for a part that is not adapted.</param>
/// <param name="Rank">r.</param>
/// <param name="Scale">s.</param>
internal sealed record BlockAdapter(ParameterBlock Down, IReadOnlyList<ParameterBlock?> Up, int Rank, double Scale);

/// <summary>A Hugging Face tensor within a <see cref="ParameterBlock"/>.</summary>
/// <param name="Name">Its name in the model's file.</param>
/// <param name="Shape">Its shape in the computation: a matrix is <c>[out, in]</c>.</param>
/// <param name="IsTransposed">True where the file has the matrix as <c>[in, out]</c>.</param>
public sealed record ParameterPart(string Name, long[] Shape, bool IsTransposed = false)
{
    /// <summary>Its shape in the file.</summary>
    public long[] StoredShape => IsTransposed ? [Shape[1], Shape[0]] : Shape;
}
