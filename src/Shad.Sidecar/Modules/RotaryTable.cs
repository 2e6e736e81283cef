using Shad.Models.Configuration;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>Cosines and sines of the rotary embedding by position, computed in double precision, kept in float32.</summary>
internal sealed class RotaryTable(DecoderConfig config, Device device) : IDisposable
{
    private readonly double[] frequencies = config.Rotary.InverseFrequencies(config.HeadSize);
    private Tensor? cosines;
    private Tensor? sines;
    private int length;

    /// <summary>The tables of the first <paramref name="count"/> positions, each float32 <c>[count, 1, D/2]</c>.</summary>
    public (Tensor Cosines, Tensor Sines) For(int count)
    {
        if (count > length) Grow(Math.Max(count, Math.Min(2 * length, config.ContextLength)));
        return (cosines!.narrow(0, 0, count), sines!.narrow(0, 0, count));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        cosines?.Dispose();
        sines?.Dispose();
    }

    private void Grow(int count)
    {
        int half = frequencies.Length;
        var cosine = new float[count * half];
        var sine = new float[count * half];
        for (int position = 0; position < count; position++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos(position * frequencies[i]);
                cosine[position * half + i] = (float)cos;
                sine[position * half + i] = (float)sin;
            }
        }

        Dispose();
        cosines = tensor(cosine, [count, 1, half], device: device).DetachFromDisposeScope();
        sines = tensor(sine, [count, 1, half], device: device).DetachFromDisposeScope();
        length = count;
    }
}
