using CsCheck;
using Shad.Core.Samples;
using Shad.Data.Annotations;

namespace Shad.Data.Tests.Annotations;

/// <summary>Random annotation rows and their comparison by content.</summary>
internal static class AnnotationRows
{
    private static readonly Gen<string> Text = Gen.OneOf("a", "ü", "😀", "\n", "\"", "\\", "\u2028", " b").Array[0, 15].Select(string.Concat);

    /// <summary>Rows whose optional lists are there where <paramref name="columns"/> says, and then only sometimes.</summary>
    internal static Gen<AnnotationRow> Generate(AnnotationColumns columns) =>
        from length in Gen.Int[2, 30]
        from ids in Gen.Int[0, 200_000].Array[length]
        from targets in Gen.Bool.Array[length]
        from losses in Gen.Float[-20, 20].Array[length * 5]
        from roles in Gen.Int[-1, 1].Array[length * 2]
        from present in Gen.Int[0, 5].Array[8]
        from text in Text
        from id in Text
        select Create(columns, length, ids, targets, losses, roles, present, text, id);

    internal static void AssertEqual(AnnotationRow actual, AnnotationRow expected)
    {
        Assert.That(actual.Id, Is.EqualTo(expected.Id));
        Assert.That(actual.InputIds, Is.EqualTo(expected.InputIds));
        Assert.That(actual.Labels, Is.EqualTo(expected.Labels));
        Assert.That(actual.BaseLoss, Is.EqualTo(expected.BaseLoss));
        Assert.That(actual.ProbeLoss, Is.EqualTo(expected.ProbeLoss));
        Assert.That(actual.ControlLoss, Is.EqualTo(expected.ControlLoss));
        Assert.That(actual.LossDifference, Is.EqualTo(expected.LossDifference));
        Assert.That(actual.Roles, Is.EqualTo(expected.Roles));
        Assert.That(actual.KnownRoles, Is.EqualTo(expected.KnownRoles));
        Assert.That(actual.Weights, Is.EqualTo(expected.Weights));
        Assert.That(actual.OffsetStart, Is.EqualTo(expected.OffsetStart));
        Assert.That(actual.OffsetEnd, Is.EqualTo(expected.OffsetEnd));
        Assert.That(actual.Text, Is.EqualTo(expected.Text));
    }

    private static AnnotationRow Create(
        AnnotationColumns columns, int length, int[] ids, bool[] targets, float[] losses, int[] roles, int[] present, string text, string id)
    {
        bool IsTarget(int i) => i > 0 && targets[i];
        bool Has(int list, AnnotationColumns column) => present[list] > 0 && (column == AnnotationColumns.None || columns.HasFlag(column));
        float[] Losses(int list) => [.. Enumerable.Range(0, length).Select(i => IsTarget(i) ? losses[list * length + i] : float.NaN)];
        TokenRole?[] Roles(int list) =>
            [.. Enumerable.Range(0, length).Select(i => IsTarget(i) && roles[list * length + i] >= 0 ? (TokenRole?)roles[list * length + i] : null)];

        // Boundaries of whole characters, in order.
        int[] boundaries = [.. Enumerable.Range(0, text.Length + 1).Where(i => i == text.Length || !char.IsLowSurrogate(text[i]))];
        int At(int i) => boundaries[Math.Min(i * boundaries.Length / length, boundaries.Length - 1)];
        bool hasOffsets = present[6] > 0;
        return new AnnotationRow
        {
            Id = id,
            InputIds = ids,
            Labels = [.. ids.Select((token, i) => IsTarget(i) ? token : TokenizedSample.IgnoredLabel)],
            BaseLoss = Has(0, AnnotationColumns.None) ? Losses(0) : null,
            ProbeLoss = Has(1, AnnotationColumns.ProbeLoss) ? Losses(1) : null,
            ControlLoss = Has(2, AnnotationColumns.ControlLoss) ? Losses(2) : null,
            LossDifference = Has(3, AnnotationColumns.LossDifference) ? Losses(3) : null,
            Roles = Has(4, AnnotationColumns.Role) ? Roles(0) : null,
            KnownRoles = Has(5, AnnotationColumns.KnownRole) ? Roles(1) : null,
            Weights = Has(7, AnnotationColumns.Weight) ? losses[(4 * length)..] : null,
            OffsetStart = hasOffsets ? [.. Enumerable.Range(0, length).Select(At)] : null,
            OffsetEnd = hasOffsets ? [.. Enumerable.Range(0, length).Select(i => At(i + 1))] : null,
            Text = hasOffsets || present[0] > 2 ? text : null,
        };
    }
}
