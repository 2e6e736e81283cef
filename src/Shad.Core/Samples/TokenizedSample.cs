namespace Shad.Core.Samples;

/// <summary>
/// One sample as the models see it: a token sequence of length <c>S</c> and which of its tokens are response tokens (targets).
/// </summary>
/// <remarks>
/// Labels are not shifted: <c>Labels[i] == InputIds[i]</c> where token <c>i</c> is a response token and
/// <see cref="IgnoredLabel"/> elsewhere. The loss of token <c>i</c> is <c>−ln p(InputIds[i] | InputIds[0..i))</c>, so the
/// logits of position <c>i − 1</c> are the ones that score it, and token 0 can never be a target.
/// </remarks>
public sealed record TokenizedSample
{
    /// <summary>The label of a token on which no loss is taken.</summary>
    public const int IgnoredLabel = -100;

    /// <summary>Creates a sample and checks its invariants.</summary>
    /// <exception cref="ArgumentException">Lengths differ, the sequence is empty, token 0 is a target, or a label is neither
    /// <see cref="IgnoredLabel"/> nor the token itself.</exception>
    public TokenizedSample(string id, int[] inputIds, int[] labels)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(inputIds);
        ArgumentNullException.ThrowIfNull(labels);
        if (inputIds.Length == 0) throw new ArgumentException($"Sample '{id}' has no tokens.", nameof(inputIds));
        if (inputIds.Length != labels.Length)
            throw new ArgumentException(
                $"Sample '{id}' has {inputIds.Length} input_ids and {labels.Length} labels; expected as many.", nameof(labels));
        if (labels[0] != IgnoredLabel)
            throw new ArgumentException(
                $"Sample '{id}': labels[0] is {labels[0]}; the first token has no context and cannot be a target.", nameof(labels));
        for (int i = 1; i < labels.Length; i++)
        {
            if (labels[i] != IgnoredLabel && labels[i] != inputIds[i])
                throw new ArgumentException(
                    $"Sample '{id}': labels[{i}] is {labels[i]}; expected {IgnoredLabel} or the token itself, {inputIds[i]}.",
                    nameof(labels));
        }

        Id = id;
        InputIds = inputIds;
        Labels = labels;
    }

    /// <summary>The sample's name, unique in its corpus.</summary>
    public string Id { get; }

    /// <summary>Token ids, <c>[S]</c>.</summary>
    public int[] InputIds { get; }

    /// <summary>Labels, <c>[S]</c>: the token itself where it is a target, <see cref="IgnoredLabel"/> elsewhere.</summary>
    public int[] Labels { get; }

    /// <summary>A factor on each token's loss, <c>[S]</c>; null means 1 everywhere. Read only where the token is a target.</summary>
    public float[]? Weights { get; init; }

    /// <summary>Role of each response token, <c>[S]</c>; null where unknown or no target. Null as a whole before classification.</summary>
    public TokenRole?[]? Roles { get; init; }

    /// <summary>Sequence length <c>S</c>.</summary>
    public int Length => InputIds.Length;

    /// <summary>Number of response tokens.</summary>
    public int TargetCount => Labels.Count(static label => label != IgnoredLabel);

    /// <summary>True where token <paramref name="index"/> is a response token.</summary>
    public bool IsTarget(int index) => Labels[index] != IgnoredLabel;

    /// <summary>The maximal runs of response tokens, in order: one per assistant turn.</summary>
    public IReadOnlyList<Range> ResponseSpans()
    {
        var spans = new List<Range>();
        for (int i = 0; i < Labels.Length; i++)
        {
            if (Labels[i] == IgnoredLabel) continue;
            int start = i;
            while (i < Labels.Length && Labels[i] != IgnoredLabel) i++;
            spans.Add(start..i);
        }

        return spans;
    }
}
