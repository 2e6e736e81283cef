using System.Runtime.Intrinsics;

namespace Shad.Onnx.Kernels;

/// <summary>Which of <see cref="ISimd{TVector}"/> a node computes with.</summary>
internal static class SimdWidth
{
    /// <summary>Width of a node's vectors in bits: its attribute <c>vector_bits</c>, or without it the widest this machine has.</summary>
    /// <param name="info">ONNX Runtime's description of the node.</param>
    /// <param name="name">The operator's name.</param>
    /// <returns>512, 256 or 128.</returns>
    /// <exception cref="ArgumentException">The attribute is none of these.</exception>
    public static int Of(nint info, string name)
    {
        long bits = OrtApi.FindInt64Attribute(info, "vector_bits")
            ?? (Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128);
        return bits is 512 or 256 or 128
            ? (int)bits
            : throw new ArgumentException($"{name}: vector_bits is {bits}; expected 128, 256 or 512");
    }
}
