using CsCheck;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Randomness;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Kernels;

/// <summary>The attention operator, as ONNX Runtime runs it, against attention in double precision.</summary>
[TestFixture]
internal sealed class PackedAttentionTests
{
    private static readonly int[] VectorBits = [512, 256, 128];

    [TestCaseSource(nameof(VectorBits))]
    public void Any_batch_is_attended_as_by_the_reference(int vectorBits) =>
        Gen.ULong.Sample(seed => AssertAsReference(PackedBatch.Any(new SeededRandom(seed), maximumLength: 40), vectorBits), iter: 150);

    [TestCaseSource(nameof(VectorBits))]
    public void Batches_of_several_blocks_of_keys_are_attended_as_by_the_reference(int vectorBits) =>
        Gen.ULong.Sample(seed => AssertAsReference(PackedBatch.Any(new SeededRandom(seed), maximumLength: 400), vectorBits), iter: 4);

    [TestCase(9, 3, 64, -1)]
    [TestCase(14, 2, 64, -1)]
    [TestCase(4, 4, 80, -1)]
    [TestCase(9, 3, 64, 1)]
    [TestCase(9, 3, 64, 17)]
    [TestCase(8, 1, 128, 300)]
    [TestCase(2, 1, 256, -1)]
    [TestCase(120, 1, 8, -1)]
    public void Long_sequences_are_attended_as_by_the_reference(int heads, int keyValueHeads, int headSize, int window) =>
        AssertAsReference(
            PackedBatch.OfSequences(new SeededRandom(3), heads, keyValueHeads, headSize, window, 530, 1, 256, 65), vectorBits: null);

    [Test]
    public void Large_scores_neither_overflow_nor_lose_the_small_ones()
    {
        // Scores of some thousands: only the largest weight is left, and the running maximum rises all the way.
        var batch = PackedBatch.OfSequences(new SeededRandom(4), 2, 1, 16, -1, 600);
        for (int i = 0; i < batch.Query.Length; i++) batch.Query[i] *= 1 + i / 500f;
        for (int i = 0; i < batch.Key.Length; i++) batch.Key[i] *= 1 + i / 500f;
        AssertAsReference(batch, vectorBits: null);
    }

    [Test]
    public void A_sequence_gives_the_same_numbers_in_any_batch()
    {
        var batch = PackedBatch.OfSequences(new SeededRandom(5), 6, 2, 24, -1, 70, 300, 11);
        var alone = batch with
        {
            Query = batch.Query[(70 * 6 * 24)..(370 * 6 * 24)],
            Key = batch.Key[(70 * 2 * 24)..(370 * 2 * 24)],
            Value = batch.Value[(70 * 2 * 24)..(370 * 2 * 24)],
            Segments = [0, 300, 0, 0, 0, 300],
            Positions = batch.Positions[70..370],
        };
        using var session = AttentionSession.For(batch);
        Assert.That(session.Run(alone), Is.EqualTo(session.Run(batch)[(70 * 6 * 24)..(370 * 6 * 24)]));
    }

    [Test]
    public void Sequences_that_share_a_prefix_are_attended_as_if_each_had_its_own()
    {
        // Prefix 0…99, two continuations of 50 and 7 rows.
        var shared = PackedBatch.OfSequences(new SeededRandom(6), 6, 3, 32, -1, 157) with
        {
            Segments = [0, 100, 0, 0, 0, 100, 100, 50, 0, 100, 100, 50, 150, 7, 0, 100, 150, 7],
            Positions = [.. Numbers(0, 100), .. Numbers(100, 50), .. Numbers(100, 7)],
        };
        float[] Rows(float[] rows, int width) =>
            [.. rows[..(150 * width)], .. rows[..(100 * width)], .. rows[(150 * width)..(157 * width)]];
        var apart = shared with
        {
            Query = Rows(shared.Query, 6 * 32),
            Key = Rows(shared.Key, 3 * 32),
            Value = Rows(shared.Value, 3 * 32),
            Segments = [0, 150, 0, 0, 0, 150, 150, 107, 0, 0, 150, 107],
            Positions = [.. Numbers(0, 150), .. Numbers(0, 107)],
        };
        using var session = AttentionSession.For(shared);
        float[] expected = session.Run(apart);

        // Keys come in other blocks, so that sums round otherwise.
        Assert.That(session.Run(shared), Is.EqualTo(expected[..(150 * 6 * 32)].Concat(expected[(250 * 6 * 32)..])).Within(2e-6f));
    }

    [TestCaseSource(nameof(VectorBits))]
    public void What_is_not_a_number_stays_so_where_it_is_seen(int vectorBits)
    {
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            var batch = PackedBatch.OfSequences(new SeededRandom(7), 2, 1, 64, -1, 300);
            batch.Key[150 * 64 + 3] = bad;
            using var session = AttentionSession.For(batch, vectorBits);
            float[] output = session.Run(batch);
            for (int i = 0; i < output.Length; i++)
            {
                bool sees = i / 128 >= 150;
                if (!sees) Assert.That(float.IsFinite(output[i]), Is.True, $"{bad}, {i}");
                else if (float.IsNaN(bad)) Assert.That(output[i], Is.NaN, $"{i}");
            }
        }
    }

    [Test]
    public void A_batch_may_ask_for_no_row_at_all()
    {
        var batch = PackedBatch.OfSequences(new SeededRandom(8), 2, 1, 8, -1, 5) with
        {
            Query = [], Positions = [], Segments = [0, 0, 0, 0, 0, 5],
        };
        using var session = AttentionSession.For(batch);
        Assert.That(session.Run(batch), Is.Empty);
        Assert.That(session.Run(batch with { Segments = [] }), Is.Empty);
    }

    [Test]
    public void A_session_runs_on_several_threads_at_once()
    {
        var batch = PackedBatch.OfSequences(new SeededRandom(9), 6, 2, 64, -1, 200, 90);
        using var session = AttentionSession.For(batch);
        float[] expected = session.Run(batch);
        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ => Assert.That(session.Run(batch), Is.EqualTo(expected)));
    }

    private static void AssertAsReference(PackedBatch batch, int? vectorBits)
    {
        var reference = new ReferenceAttention(batch);
        using var session = AttentionSession.For(batch, vectorBits);
        float[] actual = session.Run(batch);
        Assert.That(actual, Has.Length.EqualTo(reference.Output.Length));
        double worst = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.That(float.IsFinite(actual[i]), Is.True);
            worst = Math.Max(worst, Math.Abs(actual[i] - reference.Output[i]));
        }

        Assert.That(worst, Is.LessThanOrEqualTo(reference.Tolerance));
    }

    private static IEnumerable<long> Numbers(int first, int count) => Enumerable.Range(first, count).Select(static i => (long)i);
}
