namespace Shad.Models.Configuration;

/// <summary>
/// Rotary position embedding (Su et al., arXiv:2104.09864) in the half-split layout of Hugging Face: coordinate <c>i</c> is
/// paired with <c>i + R/2</c>, where <c>R</c> of a head's coordinates are rotated.
/// </summary>
/// <param name="Theta">Base of the frequencies (<c>rope_theta</c>).</param>
/// <param name="Scaling">Frequency scaling; null for none.</param>
public sealed record RotaryEmbedding(double Theta, RotaryScaling? Scaling = null)
{
    /// <summary>Heads that are not rotated at all.</summary>
    public static RotaryEmbedding None { get; } = new(1) { Share = 0 };

    /// <summary>Share of a head's coordinates, the leading ones, that are rotated (<c>partial_rotary_factor</c>).</summary>
    public double Share { get; init; } = 1;

    /// <summary>Factor of the cosines and sines, and so, squared, of the scores.</summary>
    public double Amplitude => Scaling?.Amplitude ?? 1;

    /// <summary>Coordinates of a head that are rotated, R; even.</summary>
    public int RotatedSize(int headSize) => (int)(headSize * Share);

    /// <summary>Tokens of the longest sequence with the frequencies of within; longer ones have those of beyond. Null where all have
    /// the same.</summary>
    public int? Boundary => Scaling?.Boundary;

    /// <summary>The inverse frequencies <c>[R/2]</c>, scaling applied, in radians a token.</summary>
    /// <param name="headSize">Width of a head.</param>
    /// <param name="beyond">For sequences beyond <see cref="Boundary"/>.</param>
    public double[] InverseFrequencies(int headSize, bool beyond = false)
    {
        int size = RotatedSize(headSize);
        var frequencies = new double[size / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = Math.Pow(Theta, -2.0 * i / size);
        return (beyond ? Scaling?.ApplyBeyond(frequencies, Theta) : Scaling?.Apply(frequencies, Theta)) ?? frequencies;
    }
}
