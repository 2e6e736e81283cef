using Shad.Core.Samples;
using Shad.Models.Configuration;

namespace Shad.Onnx.Scoring;

/// <summary>
/// Lengths beyond which models rotate otherwise (<see cref="DecoderConfig.LengthBoundaries"/>). A graph goes by the longest sequence of a batch, so
/// samples on two sides of a boundary are put in two batches.
/// </summary>
internal sealed class LengthBoundaries
{
    private readonly int[] _boundaries;

    private LengthBoundaries(IEnumerable<int> boundaries) => _boundaries = [.. boundaries.Distinct().Order()];

    /// <summary>No boundary.</summary>
    public static LengthBoundaries None { get; } = new([]);

    /// <summary>The boundaries of any of several models.</summary>
    public static LengthBoundaries Of(IEnumerable<DecoderConfig> configs) => new(configs.SelectMany(static config => config.LengthBoundaries));

    /// <summary>How many boundaries a sample is beyond.</summary>
    public int SideOf(TokenizedSample sample) => DecoderConfig.SideOf(_boundaries, sample.Length);

    /// <summary>Tokens of a sample that go through the model: those before its last target, and where the whole sample is beyond a boundary
    /// and these are not, as many as are.</summary>
    public int ComputedLength(TokenizedSample sample)
    {
        int length = BatchScorer.ComputedLength(sample), side = SideOf(sample);
        return length == 0 || side == 0 ? length : Math.Max(length, _boundaries[side - 1] + 1);
    }
}
