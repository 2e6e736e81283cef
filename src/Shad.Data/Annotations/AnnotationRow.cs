using Shad.Core.Samples;
using Shad.Data.Corpora;

namespace Shad.Data.Annotations;

/// <summary>
/// A sample with the evidence for its roles: a row of an annotation file. Lists are aligned with <see cref="InputIds"/>, <c>[S]</c>. Losses
/// and differences are in nats and NaN where the token is no target (null in files).
/// </summary>
/// <remarks>Offsets are UTF-16 units here, as everywhere in this code; in files they are Unicode code points, as Python counts.</remarks>
public sealed record AnnotationRow
{
    /// <summary>The sample's name.</summary>
    public required string Id { get; init; }

    /// <summary>Token ids.</summary>
    public required int[] InputIds { get; init; }

    /// <summary>Labels, unshifted: the token itself where it is a target, −100 elsewhere.</summary>
    public required int[] Labels { get; init; }

    /// <summary>Loss of the base model.</summary>
    public float[]? BaseLoss { get; init; }

    /// <summary>Loss of the probe, tuned on shuffled samples.</summary>
    public float[]? ProbeLoss { get; init; }

    /// <summary>Loss of the aligned control probe, tuned on the same samples unshuffled.</summary>
    public float[]? ControlLoss { get; init; }

    /// <summary>Loss difference of the rule in use.</summary>
    public float[]? LossDifference { get; init; }

    /// <summary>Role of each response token by the rule in use.</summary>
    public TokenRole?[]? Roles { get; init; }

    /// <summary>Role of each response token as the corpus knows it.</summary>
    public TokenRole?[]? KnownRoles { get; init; }

    /// <summary>Factor on each token's loss.</summary>
    public float[]? Weights { get; init; }

    /// <summary>First character of each token in <see cref="Text"/>.</summary>
    public int[]? OffsetStart { get; init; }

    /// <summary>One past the last character of each token.</summary>
    public int[]? OffsetEnd { get; init; }

    /// <summary>The text of the whole sequence, what truncation cut off included; null for rows that were already tokenized.</summary>
    public string? Text { get; init; }

    /// <summary>A row of an encoded sample with the base model's losses, or none yet.</summary>
    public static AnnotationRow Of(EncodedSample sample, float[]? baseLoss = null)
    {
        ArgumentNullException.ThrowIfNull(sample);
        return new AnnotationRow
        {
            Id = sample.Tokens.Id,
            InputIds = sample.Tokens.InputIds,
            Labels = sample.Tokens.Labels,
            BaseLoss = baseLoss,
            KnownRoles = sample.KnownRoles,
            Weights = sample.Tokens.Weights,
            OffsetStart = sample.OffsetStart,
            OffsetEnd = sample.OffsetEnd,
            Text = sample.Text,
        };
    }

    /// <summary>The sample as trainers and scorers take it, with roles and weights.</summary>
    public TokenizedSample ToTokenizedSample() => new(Id, InputIds, Labels) { Roles = Roles, Weights = Weights };
}
