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
    private readonly Rows _within = new(rotary.InverseFrequencies(config.HeadSize));
    private readonly Rows _beyond = new(rotary.InverseFrequencies(config.HeadSize, beyond: true));

    /// <summary>The tables of the first positions, each float32 <c>[count, 1, R/2]</c>.</summary>
    /// <param name="count">Tokens of the longest sequence of a batch, which has none on the other side of
    /// <see cref="RotaryEmbedding.Boundary"/>.</param>
    public (Tensor Cosines, Tensor Sines) For(int count)
    {
        var rows = count > rotary.Boundary ? _beyond : _within;
        if (count > rows.Count) Grow(rows, Math.Max(count, Math.Min(2 * rows.Count, config.ContextLength)));
        return (rows.Cosines!.narrow(0, 0, count), rows.Sines!.narrow(0, 0, count));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _within.Dispose();
        _beyond.Dispose();
    }

    private void Grow(Rows rows, int count)
    {
        int half = rows.Frequencies.Length;
        var cosine = new float[count * half];
        var sine = new float[count * half];
        for (int position = 0; position < count; position++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos(position * rows.Frequencies[i]);
                cosine[position * half + i] = (float)(rotary.Amplitude * cos);
                sine[position * half + i] = (float)(rotary.Amplitude * sin);
            }
        }

        rows.Dispose();
        rows.Cosines = tensor(cosine, [count, 1, half], device: device).DetachFromDisposeScope();
        rows.Sines = tensor(sine, [count, 1, half], device: device).DetachFromDisposeScope();
        rows.Count = count;
    }

    /// <summary>The positions computed so far, with one set of frequencies.</summary>
    private sealed class Rows(double[] frequencies) : IDisposable
    {
        public double[] Frequencies => frequencies;

        public Tensor? Cosines { get; set; }

        public Tensor? Sines { get; set; }

        public int Count { get; set; }

        public void Dispose()
        {
            Cosines?.Dispose();
            Sines?.Dispose();
        }
    }
}
