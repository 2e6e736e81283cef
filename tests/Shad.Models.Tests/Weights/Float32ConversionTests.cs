using CsCheck;
using Shad.Core.Errors;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Weights;

public sealed class Float32ConversionTests
{
    // Values of any bit pattern: subnormals, infinities and NaNs as likely as their share of the patterns.
    private static readonly Gen<float> AnyBits = Gen.UInt.Select(BitConverter.UInt32BitsToSingle);

    [Test]
    public void Every_bfloat16_widens_to_the_float32_with_the_same_upper_half()
    {
        byte[] stored = AllSixteenBitPatterns();
        float[] values = new float[65536];

        Float32Conversion.ToFloat32(stored, TensorDtype.BFloat16, values);

        for (int i = 0; i < values.Length; i++)
            Assert.That(BitConverter.SingleToUInt32Bits(values[i]), Is.EqualTo((uint)i << 16));
    }

    [Test]
    public void Every_float16_widens_to_the_value_its_fields_say()
    {
        byte[] stored = AllSixteenBitPatterns();
        float[] values = new float[65536];

        Float32Conversion.ToFloat32(stored, TensorDtype.Float16, values);

        for (int i = 0; i < values.Length; i++)
        {
            // From the definition of binary16: sign, 5 bits of exponent (bias 15), 10 of fraction.
            int exponent = (i >> 10) & 31, fraction = i & 1023;
            double magnitude = exponent switch
            {
                31 => fraction == 0 ? double.PositiveInfinity : double.NaN,
                0 => fraction * Math.Pow(2, -24),
                _ => (1024 + fraction) * Math.Pow(2, exponent - 25),
            };
            double expected = (i & 0x8000) != 0 ? -magnitude : magnitude;
            Assert.That((double)values[i], Is.EqualTo(expected));
        }
    }

    [TestCase(TensorDtype.BFloat16)]
    [TestCase(TensorDtype.Float16)]
    public void Every_stored_number_survives_the_round_trip(TensorDtype dtype)
    {
        byte[] stored = AllSixteenBitPatterns();
        float[] values = new float[65536];
        byte[] again = new byte[stored.Length];

        Float32Conversion.ToFloat32(stored, dtype, values);
        Float32Conversion.FromFloat32(values, dtype, again);

        for (int i = 0; i < values.Length; i++)
        {
            if (float.IsNaN(values[i])) continue;
            Assert.That(BitConverter.ToUInt16(again, 2 * i), Is.EqualTo(i));
        }
    }

    [Test]
    public void Rounding_to_bfloat16_takes_the_nearest_and_of_two_the_even() =>
        AnyBits.Array[0, 70].Sample(
            values =>
            {
                values = [.. values.Where(static value => !(MathF.Abs(value) > BitConverter.UInt32BitsToSingle(0x7F7F_7FFF)) || !float.IsFinite(value))];
                byte[] stored = new byte[2 * values.Length];
                Float32Conversion.FromFloat32(values, TensorDtype.BFloat16, stored);
                for (int i = 0; i < values.Length; i++) RequireNearestBFloat16(values[i], BitConverter.ToUInt16(stored, 2 * i));
            },
            iter: 5_000);

    [Test]
    public void Rounding_to_bfloat16_breaks_every_tie_to_even()
    {
        float[] ties = new float[0x7F7F];
        for (int i = 0; i < ties.Length; i++) ties[i] = BitConverter.UInt32BitsToSingle(((uint)i << 16) | 0x8000);
        byte[] stored = new byte[2 * ties.Length];

        Float32Conversion.FromFloat32(ties, TensorDtype.BFloat16, stored);

        for (int i = 0; i < ties.Length; i++) Assert.That(BitConverter.ToUInt16(stored, 2 * i), Is.EqualTo(i + (i & 1)));
    }

    [Test]
    public void Rounding_to_float16_agrees_with_the_scalar_conversion() =>
        Gen.OneOf(AnyBits, Gen.Float[-70_000, 70_000], Gen.Float[-1e-6f, 1e-6f]).Array[0, 70].Sample(
            values =>
            {
                values = [.. values.Where(static value => !float.IsFinite(value) || MathF.Abs(value) < 65_520)];
                byte[] stored = new byte[2 * values.Length];
                Float32Conversion.FromFloat32(values, TensorDtype.Float16, stored);
                for (int i = 0; i < values.Length; i++)
                {
                    Half expected = (Half)values[i];
                    Half found = BitConverter.ToHalf(stored, 2 * i);
                    if (!(Half.IsNaN(expected) && Half.IsNaN(found)) && BitConverter.HalfToUInt16Bits(expected) != BitConverter.HalfToUInt16Bits(found))
                        throw new InvalidDataException($"{values[i]:R} became {found}; expected {expected}.");
                }
            },
            iter: 5_000);

    [TestCase(TensorDtype.Float16, 65_519.996f, true)]
    [TestCase(TensorDtype.Float16, 65_520f, false)]
    [TestCase(TensorDtype.Float16, -65_520f, false)]
    [TestCase(TensorDtype.Float16, float.PositiveInfinity, true)]
    [TestCase(TensorDtype.BFloat16, 3.3895314e38f, true)]
    [TestCase(TensorDtype.BFloat16, float.MaxValue, false)]
    [TestCase(TensorDtype.BFloat16, float.NegativeInfinity, true)]
    public void A_finite_value_never_becomes_infinite(TensorDtype dtype, float value, bool fits)
    {
        float[] values = [0, value, float.NaN];
        void Narrow() => Float32Conversion.FromFloat32(values, dtype, new byte[6], "w");

        if (fits) Assert.DoesNotThrow(Narrow);
        else Assert.That(Assert.Throws<ShadException>(Narrow)!.Code, Is.EqualTo("model.value_out_of_range"));
    }

    [Test]
    public void Lengths_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Float32Conversion.ToFloat32(new byte[6], TensorDtype.Float32, new float[2]));
        Assert.Throws<ArgumentException>(() => Float32Conversion.FromFloat32(new float[2], TensorDtype.BFloat16, new byte[3]));
    }

    [Test]
    public void Bytes_that_are_not_aligned_convert_alike()
    {
        byte[] bytes = new byte[4 * 37 + 3];
        new Random(9).NextBytes(bytes);
        foreach (TensorDtype dtype in Enum.GetValues<TensorDtype>())
        {
            int length = 37 * dtype.ByteSize();
            float[] aligned = new float[37], shifted = new float[37];
            Float32Conversion.ToFloat32(bytes.AsSpan(3, length).ToArray(), dtype, aligned);
            Float32Conversion.ToFloat32(bytes.AsSpan(3, length), dtype, shifted);
            Assert.That(shifted, Is.EqualTo(aligned));
        }
    }

    // By distance in double precision, where float32 and bfloat16 values and their differences are exact.
    private static void RequireNearestBFloat16(float value, ushort stored)
    {
        float found = BitConverter.UInt32BitsToSingle((uint)stored << 16);
        if (float.IsNaN(value) || float.IsInfinity(value))
        {
            if (!found.Equals(value)) throw new InvalidDataException($"{value} became {found}.");
            return;
        }

        ushort down = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
        ushort up = (ushort)(down + 1);
        double toDown = Math.Abs((double)value - BitConverter.UInt32BitsToSingle((uint)down << 16));
        double toUp = Math.Abs((double)value - BitConverter.UInt32BitsToSingle((uint)up << 16));
        ushort expected = toDown < toUp ? down : toUp < toDown ? up : (down & 1) == 0 ? down : up;
        if (stored != expected) throw new InvalidDataException($"{value:R} became {stored:X4}; expected {expected:X4}.");
    }

    private static byte[] AllSixteenBitPatterns()
    {
        byte[] bytes = new byte[2 * 65536];
        for (int i = 0; i < 65536; i++) BitConverter.TryWriteBytes(bytes.AsSpan(2 * i), (ushort)i);
        return bytes;
    }
}
