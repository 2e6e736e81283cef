using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using P = Shad.Onnx.Kernels.PowerOfTwoPolynomial;

namespace Shad.Onnx.Kernels;

/// <summary>Vectors of 8 numbers: AVX2, with 16 registers.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Lanes => 8;

    public static int TileVectors => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> left, Vector256<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> left, Vector256<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> left, Vector256<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) =>
        Vector256.MultiplyAddEstimate(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Maximum(Vector256<float> left, Vector256<float> right) => Vector256.MaxNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> PowerOfTwo(Vector256<float> exponent)
    {
        exponent = Vector256.MaxNative(Vector256.Create(P.LeastExponent), exponent);
        var whole = Vector256.Round(exponent);
        var x = exponent - whole;
        var power = Vector256.MultiplyAddEstimate(Vector256.Create(P.C5), x, Vector256.Create(P.C4));
        power = Vector256.MultiplyAddEstimate(power, x, Vector256.Create(P.C3));
        power = Vector256.MultiplyAddEstimate(power, x, Vector256.Create(P.C2));
        power = Vector256.MultiplyAddEstimate(power, x, Vector256.Create(P.C1));
        power = Vector256.MultiplyAddEstimate(power, x, Vector256.Create(P.C0));
        return (power.AsInt32() + (Vector256.ConvertToInt32Native(whole) << 23)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Keep(Vector256<float> value, int first, int end, Vector256<float> otherwise)
    {
        var lanes = Vector256<int>.Indices;
        var kept = Vector256.GreaterThanOrEqual(lanes, Vector256.Create(first)) & Vector256.LessThan(lanes, Vector256.Create(end));
        return Vector256.ConditionalSelect(kept.AsSingle(), value, otherwise);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> value) => Simd128.Sum(value.GetLower() + value.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LargestOf(Vector256<float> value) =>
        Simd128.LargestOf(Vector128.MaxNative(value.GetLower(), value.GetUpper()));
}
