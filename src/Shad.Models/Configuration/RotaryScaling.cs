namespace Shad.Models.Configuration;

/// <summary>A scaling of the rotary frequencies.</summary>
public abstract record RotaryScaling
{
    /// <summary>Factor of the cosines and sines.</summary>
    public virtual double Amplitude => 1;

    /// <summary>Tokens of the longest sequence that <see cref="Apply"/> is for; null for any length.</summary>
    public virtual int? Boundary => null;

    /// <summary>The scaled inverse frequencies <c>[R/2]</c>, in radians a token.</summary>
    /// <param name="frequencies">Those without scaling.</param>
    /// <param name="theta">Their base.</param>
    public abstract double[] Apply(double[] frequencies, double theta);

    /// <summary>As <see cref="Apply"/>, for sequences beyond <see cref="Boundary"/>.</summary>
    public virtual double[] ApplyBeyond(double[] frequencies, double theta) => Apply(frequencies, theta);
}

/// <summary><c>rope_type: linear</c>: positions divided by a factor.</summary>
/// <param name="Factor">The factor.</param>
public sealed record LinearRotaryScaling(double Factor) : RotaryScaling
{
    /// <inheritdoc/>
    public override double[] Apply(double[] frequencies, double theta) => Array.ConvertAll(frequencies, frequency => frequency / Factor);
}

/// <summary>
/// <c>rope_type: dynamic</c>: a larger base for sequences longer than <c>max_position_embeddings</c>. Within it, where all sequences
/// are here, nothing is scaled; transformers computes the same.
/// </summary>
/// <param name="Factor">The factor that would apply beyond.</param>
public sealed record DynamicRotaryScaling(double Factor) : RotaryScaling
{
    /// <inheritdoc/>
    public override double[] Apply(double[] frequencies, double theta) => frequencies;
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
    /// <summary>The scaled value of one inverse frequency, in radians a token.</summary>
    public double Apply(double frequency)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < OriginalContextLength / HighFrequencyFactor) return frequency;
        if (wavelength > OriginalContextLength / LowFrequencyFactor) return frequency / Factor;
        double smooth = (OriginalContextLength / wavelength - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
        return (1 - smooth) * frequency / Factor + smooth * frequency;
    }

    /// <inheritdoc/>
    public override double[] Apply(double[] frequencies, double theta) => Array.ConvertAll(frequencies, Apply);
}

/// <summary>
/// <c>rope_type: yarn</c> (Peng et al., arXiv:2309.00071): coordinates that turn often within the original context are kept, those that
/// turn seldom are divided by a factor, with a ramp over the coordinates between; cosines and sines are multiplied by an amplitude.
/// </summary>
/// <param name="Factor">Division of the seldom turning coordinates.</param>
/// <param name="OriginalContextLength">Context length of the original training, in tokens.</param>
public sealed record YarnRotaryScaling(double Factor, int OriginalContextLength) : RotaryScaling
{
    /// <summary>Turns from which on a coordinate is kept.</summary>
    public double FastTurns { get; init; } = 32;

    /// <summary>Turns up to which a coordinate is divided.</summary>
    public double SlowTurns { get; init; } = 1;

    /// <summary><c>attention_factor</c>; null takes the paper's <c>0.1·ln(factor) + 1</c>, or <see cref="Scale"/>'s.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary><c>mscale</c> and <c>mscale_all_dim</c>, of which the quotient <c>m(mscale)/m(mscale_all_dim)</c> of
    /// <c>m(x) = 0.1·x·ln(factor) + 1</c> is the amplitude; null for none.</summary>
    public (double Scale, double ScaleOfAll)? Scale { get; init; }

    /// <summary>True where the ends of the ramp are whole coordinates.</summary>
    public bool WholeCoordinates { get; init; } = true;

    /// <inheritdoc/>
    public override double Amplitude =>
        AttentionFactor ?? (Scale is { } scale ? Magnitude(scale.Scale) / Magnitude(scale.ScaleOfAll) : Magnitude(1));

    /// <inheritdoc/>
    public override double[] Apply(double[] frequencies, double theta)
    {
        int size = 2 * frequencies.Length;
        double low = Coordinate(FastTurns), high = Coordinate(SlowTurns);
        if (WholeCoordinates) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, size - 1));
        if (low == high) high += 0.001;
        return [.. frequencies.Select((frequency, i) =>
        {
            double divided = Math.Clamp((i - low) / (high - low), 0, 1);
            return frequency * (1 - divided) + frequency / Factor * divided;
        })];

        // The coordinate that turns so often within the original context.
        double Coordinate(double turns) => size * Math.Log(OriginalContextLength / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
    }

    private double Magnitude(double scale) => Factor <= 1 ? 1 : 0.1 * scale * Math.Log(Factor) + 1;
}

/// <summary>
/// <c>rope_type: longrope</c> (Ding et al., arXiv:2402.13753): every coordinate's frequency is divided by a factor of its own, one for
/// sequences within the original context and another for longer ones.
/// </summary>
/// <param name="ShortFactors">Divisors within the original context, <c>[R/2]</c>.</param>
/// <param name="LongFactors">Divisors beyond it, <c>[R/2]</c>.</param>
/// <param name="OriginalContextLength">Context length of the original training, in tokens.</param>
/// <param name="ExtendedContextLength"><c>max_position_embeddings</c>.</param>
public sealed record LongRotaryScaling(
    IReadOnlyList<double> ShortFactors, IReadOnlyList<double> LongFactors, int OriginalContextLength, int ExtendedContextLength) : RotaryScaling
{
    /// <summary><c>attention_factor</c>; null takes <c>√(1 + ln(extended/original) / ln(original))</c>.</summary>
    public double? AttentionFactor { get; init; }

    /// <inheritdoc/>
    public override double Amplitude => AttentionFactor ?? (ExtendedContextLength <= OriginalContextLength
        ? 1
        : Math.Sqrt(1 + Math.Log((double)ExtendedContextLength / OriginalContextLength) / Math.Log(OriginalContextLength)));

    /// <inheritdoc/>
    public override int? Boundary => OriginalContextLength;

    /// <inheritdoc/>
    public override double[] Apply(double[] frequencies, double theta) => [.. frequencies.Select((frequency, i) => frequency / ShortFactors[i])];

    /// <inheritdoc/>
    public override double[] ApplyBeyond(double[] frequencies, double theta) => [.. frequencies.Select((frequency, i) => frequency / LongFactors[i])];

    /// <inheritdoc/>
    public bool Equals(LongRotaryScaling? other) =>
        other is not null && ShortFactors.SequenceEqual(other.ShortFactors) && LongFactors.SequenceEqual(other.LongFactors)
        && OriginalContextLength == other.OriginalContextLength && ExtendedContextLength == other.ExtendedContextLength
        && AttentionFactor == other.AttentionFactor;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(ShortFactors.Count, OriginalContextLength, ExtendedContextLength, AttentionFactor);
}
