namespace Shad.Onnx.Kernels;

/// <summary>
/// The vector instructions that the kernels are written in, so that one text serves every width. An implementation is a type
/// without state; the compiler makes of each method the instruction it stands for.
/// </summary>
/// <typeparam name="TVector">A vector of float32.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Numbers in a vector.</summary>
    static abstract int Lanes { get; }

    /// <summary>Vectors side by side in the widest tile of <see cref="MatrixTile{TSimd,TVector}"/>: 4 where there are 32 registers, 2 where
    /// there are 16.</summary>
    static abstract int TileVectors { get; }

    static abstract TVector Load(float* source);

    static abstract void Store(TVector value, float* destination);

    static abstract TVector Broadcast(float value);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Subtract(TVector left, TVector right);

    static abstract TVector Multiply(TVector left, TVector right);

    /// <summary>left · right + addend, fused where the machine can.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    /// <summary>The larger of each pair; where <paramref name="right"/> is not a number, the result is not either.</summary>
    static abstract TVector Maximum(TVector left, TVector right);

    /// <summary>2 to the power of each; powers are 0 or less. The relative error is at most 2e-7, and what is not a number
    /// stays so.</summary>
    static abstract TVector PowerOfTwo(TVector exponent);

    /// <summary>The lanes from <paramref name="first"/> until before <paramref name="end"/> of <paramref name="value"/>, and
    /// <paramref name="otherwise"/> in the others.</summary>
    static abstract TVector Keep(TVector value, int first, int end, TVector otherwise);

    static abstract float Sum(TVector value);

    static abstract float LargestOf(TVector value);
}
