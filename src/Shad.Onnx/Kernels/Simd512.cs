using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using P = Shad.Onnx.Kernels.PowerOfTwoPolynomial;

namespace Shad.Onnx.Kernels;

/// <summary>Vectors of 16 numbers: AVX-512, with 32 registers.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Lanes => 16;

    public static int TileVectors => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> left, Vector512<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> left, Vector512<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> left, Vector512<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) =>
        Vector512.MultiplyAddEstimate(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Maximum(Vector512<float> left, Vector512<float> right) => Vector512.MaxNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> PowerOfTwo(Vector512<float> exponent)
    {
        exponent = Vector512.MaxNative(Vector512.Create(P.LeastExponent), exponent);
        var whole = Avx512F.IsSupported ? Avx512F.RoundScale(exponent, 0) : Vector512.Round(exponent);
        var x = exponent - whole;
        var power = Vector512.MultiplyAddEstimate(Vector512.Create(P.C5), x, Vector512.Create(P.C4));
        power = Vector512.MultiplyAddEstimate(power, x, Vector512.Create(P.C3));
        power = Vector512.MultiplyAddEstimate(power, x, Vector512.Create(P.C2));
        power = Vector512.MultiplyAddEstimate(power, x, Vector512.Create(P.C1));
        power = Vector512.MultiplyAddEstimate(power, x, Vector512.Create(P.C0));
        return Avx512F.IsSupported
            ? Avx512F.Scale(power, whole)
            : (power.AsInt32() + (Vector512.ConvertToInt32Native(whole) << 23)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Keep(Vector512<float> value, int first, int end, Vector512<float> otherwise)
    {
        var lanes = Vector512<int>.Indices;
        var kept = Vector512.GreaterThanOrEqual(lanes, Vector512.Create(first)) & Vector512.LessThan(lanes, Vector512.Create(end));
        return Vector512.ConditionalSelect(kept.AsSingle(), value, otherwise);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> value) => Simd256.Sum(value.GetLower() + value.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LargestOf(Vector512<float> value) =>
        Simd256.LargestOf(Vector256.MaxNative(value.GetLower(), value.GetUpper()));
}
