using Microsoft.ML.OnnxRuntime;
using Shad.Core.Randomness;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Kernels;

/// <summary>What is wrong with a node or with a batch is told by ONNX Runtime's exception, and memory is given back.</summary>
[TestFixture]
internal sealed class PackedAttentionErrorTests
{
    private static readonly PackedBatch Batch = PackedBatch.OfSequences(new SeededRandom(1), 6, 2, 8, -1, 4, 3);

    private static IEnumerable<TestCaseData> WrongTables()
    {
        // Two segments of 4 and 3 query rows over 7 keys: 0 4 0 0 0 4, 3 and 4 3 0 0 4 3.
        yield return Case("a gap between query rows", 6, 5, "segment 1 has the query rows 5 + 3; expected rows from 4 on, of 7");
        yield return Case("rows that overlap", 6, 3, "segment 1 has the query rows 3 + 3; expected rows from 4 on, of 7");
        yield return Case("rows that query has not", 7, 4, "segment 1 has the query rows 4 + 4; expected rows from 4 on, of 7");
        yield return Case("a negative count", 7, -3, "segment 1 has the query rows 4 + -3");
        yield return Case("rows in no segment", 7, 2, "the segments have 6 query rows; query has 7");
        yield return Case("keys behind the last", 10, 5, "segment 1 has the key rows 5 + 3; expected rows of the 7 of key");
        yield return Case("more keys than there are", 11, long.MaxValue, "segment 1 has the key rows 4 + 9223372036854775807");
        yield return Case("keys before the first", 4, -1, "segment 0 has the key rows -1 + 4");
        yield return Case("a prefix behind the last key", 8, 8, "segment 1 has the prefix rows 8 + 0; expected rows of the 7 of key");
        yield return Case("a negative prefix", 9, -1, "segment 1 has the prefix rows 0 + -1");
        yield return Case("a position without a key", 11, 2, "segment 1 asks at position 2; expected less than its 2 keys");

        static TestCaseData Case(string name, int index, long value, string message) =>
            new TestCaseData(index, value, message).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(WrongTables))]
    public void A_wrong_table_is_told_with_its_segment(int index, long value, string message)
    {
        long[] segments = [.. Batch.Segments];
        segments[index] = value;
        AssertFails(Batch with { Segments = segments }, message);
    }

    [Test]
    public void Wrong_positions_are_told_with_their_segment()
    {
        AssertFails(Batch with { Positions = [0, 1, 2, 3, 0, 2, 2] }, "segment 1 has position 2 after 2; expected them to ascend from 0");
        AssertFails(Batch with { Positions = [-1, 1, 2, 3, 0, 1, 2] }, "segment 0 has position -1 after -1; expected them to ascend from 0");
        AssertFails(Batch with { RotaryRows = 3 }, "segment 0 has 4 keys; the rotary tables end after 3 positions");
    }

    [Test]
    public void Tensors_of_other_shapes_are_told_by_name()
    {
        AssertFails(1, [7, 8], "key is [7, 8]; expected [Nk, 16]");
        AssertFails(2, [14, 8], "value is [14, 8]; expected [7, 16] as key");
        AssertFails(0, [7, 45], "query is [7, 45]; expected [Nq, 6 · D] with an even D");
        AssertFails(3, [15, 5], "cosine is [15, 5]; expected [L, at most 4]");
        AssertFails(4, [14, 4], "sine is [14, 4]; expected [15, 4] as cosine");
        AssertFails(5, [3, 4], "segments is [3, 4]; expected [G, 6]");
        AssertFails(6, [6], "positions is [6]; expected [7], one of each query row");

        static void AssertFails(int input, long[] shape, string message)
        {
            long[][] shapes = [[7, 48], [7, 16], [7, 16], [15, 4], [15, 4], [2, 6], [7]];
            shapes[input] = shape;
            using var session = AttentionSession.For(Batch);
            OrtValue[] values = [.. shapes.Select(static (dimensions, i) => i < 5
                ? AttentionSession.Value(new float[dimensions.Aggregate(1L, static (x, y) => x * y)], dimensions)
                : AttentionSession.Value(new long[dimensions.Aggregate(1L, static (x, y) => x * y)], dimensions))];
            try
            {
                var error = Assert.Throws<OnnxRuntimeException>(() => session.Run(values))!;
                Assert.That(error.Message, Does.Contain($"PackedAttention: {message}"));
            }
            finally
            {
                foreach (var value in values) value.Dispose();
            }
        }
    }

    [TestCase(6, 4, -1, 512, "6 query heads cannot share 4 key and value heads")]
    [TestCase(6, 0, -1, 512, "6 query heads cannot share 0 key and value heads")]
    [TestCase(0, 1, -1, 512, "0 query heads cannot share 1 key and value heads")]
    [TestCase(6, 2, 0, 512, "window is 0; expected at least 1, or -1 for none")]
    [TestCase(6, 2, -1, 64, "vector_bits is 64; expected 128, 256 or 512")]
    public void A_node_with_a_wrong_attribute_is_not_loaded(int heads, int keyValueHeads, int window, int bits, string message)
    {
        var error = Assert.Throws<OnnxRuntimeException>(() => new AttentionSession(
            ("num_heads", heads), ("kv_num_heads", keyValueHeads), ("scale", 1f), ("window", window), ("vector_bits", bits)).Dispose())!;
        Assert.That(error.Message, Does.Contain($"PackedAttention: {message}"));
    }

    [Test]
    public void A_node_without_an_attribute_is_not_loaded()
    {
        var error = Assert.Throws<OnnxRuntimeException>(
            () => new AttentionSession(("num_heads", 2), ("kv_num_heads", 1), ("window", -1)).Dispose())!;
        Assert.That(error.Message, Does.Contain("scale"));
    }

    // A status or a description of a tensor that is not released costs some hundred bytes, and a run has seven of the latter;
    // a kernel that stays behind its session costs 200 kB with its block. What a thread of a session costs, others reuse.
    // The runtime's own memory comes and goes by some megabytes; what leaks grows every time.
    [TestCase("runs", 4_000, 1 << 20)]
    [TestCase("failed runs", 4_000, 1 << 20)]
    [TestCase("sessions", 100, 4 << 20)]
    public void Memory_does_not_grow_with(string what, int count, int limit)
    {
        var batch = PackedBatch.OfSequences(new SeededRandom(2), 6, 2, 64, -1, 13, 4);
        var wrong = batch with { Positions = [.. batch.Positions.Select(static _ => 0L)] };
        using var session = AttentionSession.For(batch);
        Action action = what switch
        {
            "runs" => () => session.Run(batch),
            "failed runs" => () => Assert.Throws<OnnxRuntimeException>(() => session.Run(wrong)),
            _ => () =>
            {
                using var other = AttentionSession.For(batch);
                other.Run(batch);
            },
        };
        Repeat();
        long[] grown = [Repeat(), Repeat(), Repeat()];
        TestContext.Out.WriteLine($"{string.Join(", ", grown.Select(static bytes => bytes / 1024))} kB in {count} {what}");
        Assert.That(grown.Min(), Is.LessThan(limit));

        long Repeat()
        {
            long before = ProcessMemory.Used;
            for (int i = 0; i < count; i++) action();
            return ProcessMemory.Used - before;
        }
    }

    private static void AssertFails(PackedBatch batch, string message)
    {
        using var session = AttentionSession.For(batch);
        var error = Assert.Throws<OnnxRuntimeException>(() => session.Run(batch))!;
        Assert.That(error.Message, Does.Contain($"PackedAttention: {message}"));

        // The session is as good as before.
        Assert.That(session.Run(Batch), Has.Length.EqualTo(Batch.Query.Length));
    }
}
