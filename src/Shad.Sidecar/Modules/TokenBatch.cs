using Shad.Core.Samples;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>
/// Samples that go through the model together. Their tokens lie end to end (<c>T</c> tokens, none of them padding), so that
/// every layer but attention does no work for padding; attention alone pads, to the right, and within a group of samples of similar
/// length only.
/// </summary>
/// <remarks>
/// The shift by one, for a sample of five tokens whose last two are the response:
/// <code>
/// index      0    1    2    3    4
/// input_ids  a    b    c    D    E
/// labels     .    .    .    D    E
/// row             .    2    3          the hidden states that score D and E: targets are at row + 1
/// </code>
/// </remarks>
public sealed class TokenBatch : IDisposable
{
    /// <summary>Packs samples.</summary>
    /// <param name="samples">At least one sample. Sorted by length they make few groups.</param>
    /// <param name="device">Where the tensors go.</param>
    /// <param name="firstSample">Place of the first sample among those of the optimizer step.</param>
    public TokenBatch(IReadOnlyList<TokenizedSample> samples, Device device, int firstSample = 0)
    {
        ArgumentNullException.ThrowIfNull(samples);
        Samples = samples;
        FirstSample = firstSample;
        TokenCount = samples.Sum(static sample => sample.Length);
        MaximumLength = samples.Max(static sample => sample.Length);
        Groups = AttentionGroup.Of([.. samples.Select(static sample => sample.Length)]);

        var ids = new long[TokenCount];
        var positions = new long[TokenCount];
        var rows = new List<long>();
        var targets = new List<long>();
        int start = 0;
        foreach (var sample in samples)
        {
            for (int i = 0; i < sample.Length; i++)
            {
                ids[start + i] = sample.InputIds[i];
                positions[start + i] = i;
                if (!sample.IsTarget(i)) continue;
                rows.Add(start + i - 1);
                targets.Add(sample.InputIds[i]);
            }

            start += sample.Length;
        }

        TargetCount = targets.Count;
        InputIds = tensor(ids, device: device).DetachFromDisposeScope();
        Positions = tensor(positions, device: device).DetachFromDisposeScope();
        TargetRows = tensor(rows.ToArray(), device: device).DetachFromDisposeScope();
        TargetIds = tensor(targets.ToArray(), device: device).DetachFromDisposeScope();
    }

    /// <summary>The samples, in the order in which they are packed.</summary>
    public IReadOnlyList<TokenizedSample> Samples { get; }

    /// <summary>Place of the first sample among those of the optimizer step, which cuts them into batches in their order.</summary>
    public int FirstSample { get; }

    /// <summary>Tokens, <c>T</c>.</summary>
    public int TokenCount { get; }

    /// <summary>Response tokens, <c>N</c>.</summary>
    public int TargetCount { get; }

    /// <summary>Length of the longest sample, <c>S</c>.</summary>
    public int MaximumLength { get; }

    /// <summary>The samples by similar length, in the order in which they are packed.</summary>
    internal IReadOnlyList<AttentionGroup> Groups { get; }

    /// <summary>Token ids, int64 <c>[T]</c>.</summary>
    public Tensor InputIds { get; }

    /// <summary>Position of each token in its sample, int64 <c>[T]</c>.</summary>
    public Tensor Positions { get; }

    /// <summary>The rows of <c>[T]</c> whose logits score a target: the position before it. int64 <c>[N]</c>.</summary>
    public Tensor TargetRows { get; }

    /// <summary>The targets, int64 <c>[N]</c>.</summary>
    public Tensor TargetIds { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        InputIds.Dispose();
        Positions.Dispose();
        TargetRows.Dispose();
        TargetIds.Dispose();
    }
}
