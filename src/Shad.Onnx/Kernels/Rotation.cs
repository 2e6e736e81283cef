using System.Runtime.CompilerServices;

namespace Shad.Onnx.Kernels;

/// <summary>
/// Rotary position embedding (Su et al., arXiv:2104.09864) in the half-split layout of Hugging Face: coordinate <c>i</c> is
/// paired with <c>i + R/2</c>, where R coordinates of a head are rotated; the others stay.
/// </summary>
internal static unsafe class Rotation
{
    /// <summary>Writes a head rotated to a position and multiplied by a factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply<TSimd, TVector>(
        float* source, float* destination, AttentionInputs inputs, int size, int position, float factor)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int half = inputs.RotatedPairs, i = 0;
        float* cosine = inputs.Cosine + (long)position * half;
        float* sine = inputs.Sine + (long)position * half;
        TVector scale = TSimd.Broadcast(factor), minus = TSimd.Broadcast(-1);
        for (; i <= half - TSimd.Lanes; i += TSimd.Lanes)
        {
            TVector x = TSimd.Multiply(TSimd.Load(source + i), scale);
            TVector y = TSimd.Multiply(TSimd.Load(source + half + i), scale);
            TVector c = TSimd.Load(cosine + i), s = TSimd.Load(sine + i);
            TSimd.Store(TSimd.MultiplyAdd(x, c, TSimd.Multiply(TSimd.Multiply(y, s), minus)), destination + i);
            TSimd.Store(TSimd.MultiplyAdd(y, c, TSimd.Multiply(x, s)), destination + half + i);
        }

        for (; i < half; i++)
        {
            float x = source[i] * factor, y = source[half + i] * factor;
            destination[i] = x * cosine[i] - y * sine[i];
            destination[half + i] = y * cosine[i] + x * sine[i];
        }

        for (i = 2 * half; i < size; i++) destination[i] = source[i] * factor;
    }
}
