using Shad.Core.Samples;
using Shad.Models.Configuration;

namespace Shad.Sidecar.Tuning;

/// <summary>Cuts samples into batches that go through the model at once.</summary>
public static class MicroBatches
{
    /// <summary>Samples from the longest to the shortest; those of one length keep their order.</summary>
    public static TokenizedSample[] LongestFirst(IEnumerable<TokenizedSample> samples) =>
        [.. samples.OrderByDescending(static sample => sample.Length)];

    /// <summary>
    /// Consecutive ranges of samples, each at most <paramref name="tokens"/> long when padded to its longest sample; a longer
    /// sample goes alone.
    /// </summary>
    /// <param name="samples">Longest first.</param>
    /// <param name="tokens">Most padded tokens.</param>
    /// <param name="boundaries">Lengths that no range has samples on both sides of
    /// (<see cref="DecoderConfig.LengthBoundaries"/>).</param>
    public static IReadOnlyList<Range> Cut(IReadOnlyList<TokenizedSample> samples, int tokens, IReadOnlyList<int> boundaries)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(boundaries);
        var ranges = new List<Range>();
        for (int start = 0; start < samples.Count;)
        {
            int most = Math.Max(1, tokens / samples[start].Length);
            int end = start + 1, side = Side(samples[start]);
            while (end < samples.Count && end - start < most && Side(samples[end]) == side) end++;
            ranges.Add(start..end);
            start = end;
        }

        return ranges;

        int Side(TokenizedSample sample) => DecoderConfig.SideOf(boundaries, sample.Length);
    }
}
