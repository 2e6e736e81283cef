namespace Shad.Models.Configuration;

/// <summary>
/// Rotary position embedding (Su et al., arXiv:2104.09864) in the half-split layout of Hugging Face: coordinate <c>i</c> is
/// paired with <c>i + headSize/2</c>.
/// </summary>
/// <param name="Theta">Base of the frequencies (<c>rope_theta</c>).</param>
/// <param name="Scaling">Frequency scaling; null for none.</param>
public sealed record RotaryEmbedding(double Theta, RotaryScaling? Scaling = null)
{
    /// <summary>The inverse frequencies <c>[headSize/2]</c>, scaling applied, in radians a token.</summary>
    public double[] InverseFrequencies(int headSize)
    {
        var frequencies = new double[headSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(Theta, -2.0 * i / headSize);
            frequencies[i] = Scaling?.Apply(frequency) ?? frequency;
        }

        return frequencies;
    }
}

/// <summary>A scaling of the rotary frequencies.</summary>
public abstract record RotaryScaling
{
    /// <summary>The scaled value of one inverse frequency, in radians a token.</summary>
    public abstract double Apply(double frequency);
}

/// <summary><c>rope_type: linear</c>: positions divided by a factor.</summary>
/// <param name="Factor">The factor.</param>
public sealed record LinearRotaryScaling(double Factor) : RotaryScaling
{
    /// <inheritdoc/>
    public override double Apply(double frequency) => frequency / Factor;
}

/// <summary>
/// <c>rope_type: llama3</c>: long wavelengths are divided by a factor, short ones kept, those between interpolated smoothly
/// (Llama 3.1 model card and reference implementation).
/// </summary>
/// <param name="Factor">Division of the long wavelengths.</param>
/// <param name="LowFrequencyFactor">Wavelengths above <c>OriginalContextLength / LowFrequencyFactor</c> are divided.</param>
/// <param name="HighFrequencyFactor">Wavelengths below <c>OriginalContextLength / HighFrequencyFactor</c> are kept.</param>
/// <param name="OriginalContextLength">Context length of the original training, in tokens.</param>
public sealed record Llama3RotaryScaling(
    double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalContextLength) : RotaryScaling
{
    /// <inheritdoc/>
    public override double Apply(double frequency)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < OriginalContextLength / HighFrequencyFactor) return frequency;
        if (wavelength > OriginalContextLength / LowFrequencyFactor) return frequency / Factor;
        double smooth = (OriginalContextLength / wavelength - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
        return (1 - smooth) * frequency / Factor + smooth * frequency;
    }
}
