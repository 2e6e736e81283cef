using Shad.Models.Configuration;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>Cosines and sines of the rotary embedding by position, computed in double precision, kept in float32.</summary>
/// <param name="rotary">The embedding.</param>
/// <param name="config">The model.</param>
/// <param name="device">Where the tables live.</param>
internal sealed class RotaryTable(RotaryEmbedding rotary, DecoderConfig config, Device device) : IDisposable
{
    private readonly double[] _frequencies = rotary.InverseFrequencies(config.HeadSize);
    private Tensor? _cosines;
    private Tensor? _sines;
    private int _length;

    /// <summary>The tables of the first <paramref name="count"/> positions, each float32 <c>[count, 1, R/2]</c>.</summary>
    public (Tensor Cosines, Tensor Sines) For(int count)
    {
        if (count > _length) Grow(Math.Max(count, Math.Min(2 * _length, config.ContextLength)));
        return (_cosines!.narrow(0, 0, count), _sines!.narrow(0, 0, count));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cosines?.Dispose();
        _sines?.Dispose();
    }

    private void Grow(int count)
    {
        int half = _frequencies.Length;
        var cosine = new float[count * half];
        var sine = new float[count * half];
        for (int position = 0; position < count; position++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos(position * _frequencies[i]);
                cosine[position * half + i] = (float)(rotary.Amplitude * cos);
                sine[position * half + i] = (float)(rotary.Amplitude * sin);
            }
        }

        Dispose();
        _cosines = tensor(cosine, [count, 1, half], device: device).DetachFromDisposeScope();
        _sines = tensor(sine, [count, 1, half], device: device).DetachFromDisposeScope();
        _length = count;
    }
}
