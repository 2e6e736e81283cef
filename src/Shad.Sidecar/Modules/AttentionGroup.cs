using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>Samples of similar length that attend in one call, padded on the right to the longest of them.</summary>
/// <remarks>
/// Attention costs the square of the padded length: samples of 150 to 450 tokens padded together cost twice what they cost
/// alone. One call a sample would cost no padding but, with many short samples, many calls.
/// </remarks>
internal sealed class AttentionGroup
{
    private readonly int[] _lengths;

    private AttentionGroup(int[] lengths)
    {
        _lengths = lengths;
        TokenCount = lengths.Sum();
        MaximumLength = lengths.Max();
    }

    /// <summary>Tokens of the group, without padding.</summary>
    public int TokenCount { get; }

    /// <summary>Samples of the group.</summary>
    public int SampleCount => _lengths.Length;

    /// <summary>Length of its longest sample, <c>S</c>.</summary>
    public int MaximumLength { get; }

    /// <summary>Groups neighbouring samples whose lengths differ by at most an eighth, or by 16 tokens where that is more.</summary>
    public static IReadOnlyList<AttentionGroup> Of(ReadOnlySpan<int> lengths)
    {
        var groups = new List<AttentionGroup>();
        for (int start = 0; start < lengths.Length;)
        {
            int shortest = lengths[start], longest = lengths[start];
            int end = start + 1;
            while (end < lengths.Length)
            {
                int low = Math.Min(shortest, lengths[end]), high = Math.Max(longest, lengths[end]);
                if (high - low > Math.Max(16, high / 8)) break;
                (shortest, longest) = (low, high);
                end++;
            }

            groups.Add(new AttentionGroup(lengths[start..end].ToArray()));
            start = end;
        }

        return groups;
    }

    /// <summary>Spreads packed rows over padded sequences: <c>[tokens, W]</c> → <c>[B,S,W]</c>, zeros behind each sample's end.</summary>
    public Tensor Pad(Tensor packed)
    {
        long width = packed.shape[1];
        if (IsRectangular) return packed.view(_lengths.Length, MaximumLength, width);

        var samples = packed.split(Array.ConvertAll(_lengths, static length => (long)length), 0);
        var parts = new List<Tensor>(2 * samples.Length);
        var zeros = torch.zeros([MaximumLength, width], packed.dtype, packed.device);
        foreach (var sample in samples)
        {
            parts.Add(sample);
            long missing = MaximumLength - sample.shape[0];
            if (missing > 0) parts.Add(zeros.narrow(0, 0, missing));
        }

        return cat(parts, 0).view(_lengths.Length, MaximumLength, width);
    }

    /// <summary>The inverse of <see cref="Pad"/>: <c>[B,S,W]</c> → <c>[tokens, W]</c>, without what stands behind each sample's end.</summary>
    public Tensor Unpad(Tensor padded)
    {
        var flat = padded.reshape(-1, padded.shape[2]);
        if (IsRectangular) return flat;

        var sizes = new List<long>(2 * _lengths.Length);
        var isSample = new List<bool>(2 * _lengths.Length);
        foreach (int length in _lengths)
        {
            sizes.Add(length);
            isSample.Add(true);
            if (length == MaximumLength) continue;
            sizes.Add(MaximumLength - length);
            isSample.Add(false);
        }

        return cat(flat.split(sizes.ToArray(), 0).Where((_, i) => isSample[i]).ToList(), 0);
    }

    private bool IsRectangular => (long)_lengths.Length * MaximumLength == TokenCount;
}
