using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using P = Shad.Onnx.Kernels.PowerOfTwoPolynomial;

namespace Shad.Onnx.Kernels;

/// <summary>Vectors of 4 numbers: NEON, with 32 registers, or SSE, with 16; in software where there is neither.</summary>
internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Lanes => 4;

    public static int TileVectors => AdvSimd.IsSupported ? 4 : 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> left, Vector128<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> left, Vector128<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> left, Vector128<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) =>
        Vector128.MultiplyAddEstimate(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Maximum(Vector128<float> left, Vector128<float> right) => Vector128.MaxNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> PowerOfTwo(Vector128<float> exponent)
    {
        exponent = Vector128.MaxNative(Vector128.Create(P.LeastExponent), exponent);
        var whole = Vector128.Round(exponent);
        var x = exponent - whole;
        var power = Vector128.MultiplyAddEstimate(Vector128.Create(P.C5), x, Vector128.Create(P.C4));
        power = Vector128.MultiplyAddEstimate(power, x, Vector128.Create(P.C3));
        power = Vector128.MultiplyAddEstimate(power, x, Vector128.Create(P.C2));
        power = Vector128.MultiplyAddEstimate(power, x, Vector128.Create(P.C1));
        power = Vector128.MultiplyAddEstimate(power, x, Vector128.Create(P.C0));
        return (power.AsInt32() + (Vector128.ConvertToInt32Native(whole) << 23)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Keep(Vector128<float> value, int first, int end, Vector128<float> otherwise)
    {
        var lanes = Vector128<int>.Indices;
        var kept = Vector128.GreaterThanOrEqual(lanes, Vector128.Create(first)) & Vector128.LessThan(lanes, Vector128.Create(end));
        return Vector128.ConditionalSelect(kept.AsSingle(), value, otherwise);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> value) => Vector128.Sum(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LargestOf(Vector128<float> value)
    {
        var half = Vector128.MaxNative(value, Vector128.Shuffle(value, Vector128.Create(2, 3, 2, 3)));
        return Vector128.MaxNative(half, Vector128.Shuffle(half, Vector128.Create(1, 1, 1, 1))).ToScalar();
    }
}
