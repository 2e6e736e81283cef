using Shad.Core.Samples;

namespace Shad.Data.Reports;

/// <summary>An annotated sample as the report needs it: tokens with their texts, roles and losses, <c>[S]</c>.</summary>
/// <param name="Id">The sample's name.</param>
/// <param name="Tokens">All tokens of the sequence, prompts included, in order.</param>
public sealed record ReportSample(string Id, IReadOnlyList<ReportToken> Tokens)
{
    /// <summary>Tokens of the sample before the first of <see cref="Tokens"/>, left out to keep the report small.</summary>
    public int LeftOutBefore { get; init; }

    /// <summary>Tokens of the sample after the last of <see cref="Tokens"/>, left out to keep the report small.</summary>
    public int LeftOutAfter { get; init; }

    /// <summary>Boilerplate tokens as a share of the classified ones; NaN where none is classified.</summary>
    public double BoilerplateShare
    {
        get
        {
            int boilerplate = 0, classified = 0;
            foreach (ReportToken token in Tokens)
            {
                if (token.Role is not { } role) continue;
                classified++;
                if (role == TokenRole.Boilerplate) boilerplate++;
            }

            return (double)boilerplate / classified;
        }
    }

    /// <summary>
    /// The sample with at most <paramref name="length"/> tokens: from a little before its first response on.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is less than 1.</exception>
    public ReportSample Cut(int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        if (Tokens.Count <= length) return this;
        int firstResponse = 0;
        while (firstResponse < Tokens.Count && !Tokens[firstResponse].IsResponse) firstResponse++;
        int start = Math.Clamp(firstResponse - length / 4, 0, Tokens.Count - length);
        return this with
        {
            Tokens = [.. Tokens.Skip(start).Take(length)],
            LeftOutBefore = LeftOutBefore + start,
            LeftOutAfter = LeftOutAfter + Tokens.Count - length - start,
        };
    }

    /// <summary>
    /// The text of each token, cut out of the sample's text. Where several tokens each hold a part of one character's bytes, and so
    /// carry the same span, the first gets the text and the others none.
    /// </summary>
    /// <param name="text">The sample's text.</param>
    /// <param name="offsetStart">First character of each token, UTF-16 units, <c>[S]</c>.</param>
    /// <param name="offsetEnd">One past the last character of each token, <c>[S]</c>.</param>
    /// <exception cref="ArgumentException">The offsets differ in length, or lie outside the text.</exception>
    public static string[] TokenTexts(string text, ReadOnlySpan<int> offsetStart, ReadOnlySpan<int> offsetEnd)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (offsetStart.Length != offsetEnd.Length)
            throw new ArgumentException($"{offsetStart.Length} starts and {offsetEnd.Length} ends; expected as many.", nameof(offsetEnd));
        var texts = new string[offsetStart.Length];
        int covered = 0;
        for (int i = 0; i < texts.Length; i++)
        {
            int start = offsetStart[i], end = offsetEnd[i];
            if (start < 0 || end < start || end > text.Length)
                throw new ArgumentException(
                    $"Token {i} spans [{start}, {end}); expected a span within the text's {text.Length} characters.", nameof(offsetStart));
            start = Math.Max(start, covered);
            texts[i] = start < end ? text[start..end] : "";
            covered = Math.Max(covered, end);
        }

        return texts;
    }
}

/// <summary>A token of a <see cref="ReportSample"/>. Losses and differences are nats; NaN where there is none.</summary>
/// <param name="Text">The token's text; may be empty (special tokens, parts of a character).</param>
/// <param name="IsResponse">True for a response token (target).</param>
public readonly record struct ReportToken(string Text, bool IsResponse)
{
    /// <summary>Role by the rule in use; null where the token is not classified.</summary>
    public TokenRole? Role { get; init; }

    /// <summary>Role known from the corpus; null where not known.</summary>
    public TokenRole? KnownRole { get; init; }

    /// <summary>LD of the rule in use.</summary>
    public float LossDifference { get; init; } = float.NaN;

    /// <summary>What the control rule decides the token by: its LD or the largest of its word; NaN where the run has no control.</summary>
    public float ControlEvidence { get; init; } = float.NaN;

    /// <summary>Loss of the base model.</summary>
    public float BaseLoss { get; init; } = float.NaN;

    /// <summary>Loss of the probe, tuned on shuffled samples.</summary>
    public float ProbeLoss { get; init; } = float.NaN;

    /// <summary>Loss of the control probe, tuned on the same samples unshuffled; NaN where the run has none.</summary>
    public float ControlLoss { get; init; } = float.NaN;
}
