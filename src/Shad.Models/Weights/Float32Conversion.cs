using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>Conversion between stored dtypes (little-endian, as safetensors prescribes) and float32.</summary>
public static class Float32Conversion
{
    /// <summary>Widens stored elements to float32; every value of every dtype is represented exactly.</summary>
    /// <param name="source">Stored bytes, <c>destination.Length × dtype size</c> of them; need not be aligned.</param>
    /// <param name="dtype">Their dtype.</param>
    /// <param name="destination">Receives the values.</param>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public static void ToFloat32(ReadOnlySpan<byte> source, TensorDtype dtype, Span<float> destination)
    {
        RequireFit(source.Length, dtype, destination.Length);
        switch (dtype)
        {
            case TensorDtype.Float32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorDtype.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination);
                break;
            case TensorDtype.BFloat16:
                WidenBFloat16(MemoryMarshal.Cast<byte, ushort>(source), MemoryMarshal.Cast<float, uint>(destination));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype));
        }
    }

    /// <summary>Narrows float32 values to a stored dtype, rounding to nearest, ties to even. NaN stays NaN.</summary>
    /// <param name="source">The values.</param>
    /// <param name="dtype">The dtype to store.</param>
    /// <param name="destination">Receives <c>source.Length × dtype size</c> bytes.</param>
    /// <param name="tensorName">Named in the error, if any.</param>
    /// <exception cref="Shad.Core.Errors.ShadException">A finite value is beyond the dtype's range and would become infinite.</exception>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public static void FromFloat32(ReadOnlySpan<float> source, TensorDtype dtype, Span<byte> destination, string? tensorName = null)
    {
        RequireFit(destination.Length, dtype, source.Length);
        switch (dtype)
        {
            case TensorDtype.Float32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                return;
            case TensorDtype.Float16:
                RequireRange(source, LargestToFloat16, dtype, tensorName);
                TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(destination));
                return;
            case TensorDtype.BFloat16:
                RequireRange(source, LargestToBFloat16, dtype, tensorName);
                NarrowToBFloat16(MemoryMarshal.Cast<float, uint>(source), MemoryMarshal.Cast<byte, ushort>(destination));
                return;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype));
        }
    }

    // 65504 is binary16's largest value and 65520 the tie between it and the next (absent) one, 65536: the tie rounds to even,
    // that is to infinity, so the largest float32 that still rounds to a finite value is the one below 65520.
    private static readonly float LargestToFloat16 = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(65520f) - 1);

    // Likewise: 0x7F7F is bfloat16's largest finite value, and 0x7F7F_8000 the tie that rounds to 0x7F80, infinity.
    private static readonly float LargestToBFloat16 = BitConverter.UInt32BitsToSingle(0x7F7F_7FFF);

    private static void WidenBFloat16(ReadOnlySpan<ushort> source, Span<uint> destination)
    {
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            Vector.ShiftLeft(low, 16).CopyTo(destination[i..]);
            Vector.ShiftLeft(high, 16).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        for (; i < source.Length; i++) destination[i] = (uint)source[i] << 16;
    }

    private static void NarrowToBFloat16(ReadOnlySpan<uint> source, Span<ushort> destination)
    {
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector<uint> low = RoundToBFloat16(new Vector<uint>(source[i..]));
            Vector<uint> high = RoundToBFloat16(new Vector<uint>(source[(i + Vector<uint>.Count)..]));
            Vector.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
        {
            uint bits = source[i];
            destination[i] = (bits & 0x7FFF_FFFF) > 0x7F80_0000
                ? (ushort)((bits >> 16) | 0x0040)
                : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }

    // Adding 0x7FFF, plus one where the kept part is odd, carries into it exactly when the cut part is above one half, or is
    // one half and the kept part odd. NaN is cut instead and made quiet, since rounding could turn it into infinity.
    private static Vector<uint> RoundToBFloat16(Vector<uint> bits)
    {
        Vector<uint> kept = Vector.ShiftRightLogical(bits, 16);
        Vector<uint> rounded = Vector.ShiftRightLogical(bits + new Vector<uint>(0x7FFF) + (kept & Vector<uint>.One), 16);
        Vector<uint> isNaN = Vector.GreaterThan(bits & new Vector<uint>(0x7FFF_FFFF), new Vector<uint>(0x7F80_0000));
        return Vector.ConditionalSelect(isNaN, kept | new Vector<uint>(0x0040), rounded);
    }

    private static void RequireRange(ReadOnlySpan<float> source, float largest, TensorDtype dtype, string? tensorName)
    {
        if (source.IsEmpty) return;
        // Fast path: the largest magnitude fits. NaN and infinities propagate through it and send us to the exact search.
        if (TensorPrimitives.MaxMagnitude(source) is var most && MathF.Abs(most) <= largest) return;
        foreach (float value in source)
        {
            if (float.IsFinite(value) && MathF.Abs(value) > largest)
                throw ModelErrors.ValueOutOfRange(new ModelErrors.TensorName(tensorName), value, dtype.HuggingFaceName());
        }
    }

    private static void RequireFit(int byteLength, TensorDtype dtype, int elementCount)
    {
        if (byteLength != (long)elementCount * dtype.ByteSize())
            throw new ArgumentException($"{elementCount} elements of {dtype} take {(long)elementCount * dtype.ByteSize()} bytes, not {byteLength}.");
    }
}
