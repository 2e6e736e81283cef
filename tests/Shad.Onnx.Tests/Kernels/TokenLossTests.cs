using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Randomness;
using Shad.Onnx.Graphs;
using Shad.Onnx.Kernels;
using Shad.Onnx.Tests.Support;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Kernels;

/// <summary>The operator that makes losses of hidden states, against a computation in double precision.</summary>
[TestFixture]
internal sealed class TokenLossTests
{
    // Rows around a tile of 6, a block of 96 and a copy of 4,096; sizes around vectors and parts of the depth; vocabularies around
    // panels of 16, 32 and 64 and around 64 chunks.
    [Test, Combinatorial]
    public void It_is_the_cross_entropy(
        [Values(1, 5, 6, 97)] int rows, [Values(1, 30, 128, 131)] int size, [Values(1, 3, 63, 64, 65, 1000, 4200)] int vocabulary,
        [Values(512, 256, 128)] int bits)
    {
        var inputs = Inputs.Random(rows, size, vocabulary, 1);
        using var session = Session(bits);
        AssertIsReference(inputs, Run(session, inputs));
    }

    [Test]
    public void More_rows_than_are_copied_at_a_time_give_the_same()
    {
        var inputs = Inputs.Random(4_500, 5, 130, 1);
        using var session = Session(null);
        AssertIsReference(inputs, Run(session, inputs));
    }

    [Test]
    public void Large_logits_neither_overflow_nor_vanish()
    {
        // Logits of magnitude 300: exp would be ∞ or 0 in float32. A product of 40 terms of magnitude 50 is off by a few 1e-5.
        var inputs = Inputs.Random(20, 40, 500, 50);
        using var session = Session(null);
        AssertIsReference(inputs, Run(session, inputs));
    }

    [Test]
    public void A_row_has_the_same_loss_to_the_bit_whatever_rows_are_beside_it()
    {
        var inputs = Inputs.Random(200, 70, 700, 1);
        using var session = Session(null);
        float[] all = Run(session, inputs);
        foreach (int row in new[] { 0, 5, 6, 95, 96, 199 })
        {
            var one = new Inputs(1, 70, 700, inputs.Hidden[(row * 70)..((row + 1) * 70)], inputs.Head, [inputs.Targets[row]]);
            Assert.That(Run(session, one)[0], Is.EqualTo(all[row]), $"row {row}");
        }
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void What_is_not_finite_is_not_hidden(float value)
    {
        var inputs = Inputs.Random(10, 20, 200, 1);
        inputs.Hidden[3 * 20] = value;
        using var session = Session(null);
        float[] losses = Run(session, inputs);
        Assert.That(float.IsFinite(losses[3]), Is.False);
        Assert.That(losses.Where(static (_, row) => row != 3).All(float.IsFinite), Is.True);
    }

    [Test]
    public void No_rows_have_no_losses()
    {
        using var session = Session(null);
        Assert.That(Run(session, Inputs.Random(0, 8, 10, 1)), Is.Empty);
    }

    [Test]
    public void Wrong_inputs_are_told_by_name()
    {
        var good = Inputs.Random(2, 4, 10, 1);
        AssertFails(good with { Targets = [3, 10] }, "target 1 is 10; expected 0 to 9");
        AssertFails(good with { Targets = [-1, 0] }, "target 0 is -1; expected 0 to 9");
        AssertFails(good with { Targets = [3] }, "targets is [1]; expected [2], one of each state");
        AssertFails(good with { HeadSize = 5, Head = new float[50] }, "head is [10, 5]; expected [V, 4]");
        AssertFails(good with { Vocabulary = 0, Head = [] }, "head is [0, 4]; expected [V, 4]");
        var error = Assert.Throws<OnnxRuntimeException>(() => Session(64).Dispose())!;
        Assert.That(error.Message, Does.Contain("TokenLoss: vector_bits is 64; expected 128, 256 or 512"));

        static void AssertFails(Inputs inputs, string message)
        {
            using var session = Session(null);
            var error = Assert.Throws<OnnxRuntimeException>(() => Run(session, inputs))!;
            Assert.That(error.Message, Does.Contain($"TokenLoss: {message}"));
        }
    }

    // Scratch of a run that stayed behind would be 60 kB; the runtime's own memory comes and goes by some megabytes.
    [TestCase("runs", 2_000, 1 << 20)]
    [TestCase("sessions", 100, 4 << 20)]
    public void Memory_does_not_grow_with(string what, int count, int limit)
    {
        var inputs = Inputs.Random(13, 64, 200, 1);
        using var session = Session(null);
        Repeat();
        long[] grown = [Repeat(), Repeat(), Repeat()];
        Assert.That(grown.Min(), Is.LessThan(limit), string.Join(", ", grown));

        long Repeat()
        {
            long before = ProcessMemory.Used;
            for (int i = 0; i < count; i++)
            {
                if (what == "runs")
                {
                    Run(session, inputs);
                    continue;
                }

                using var other = Session(null);
                Run(other, inputs);
            }

            return ProcessMemory.Used - before;
        }
    }

    [Test]
    public void Bounded_logits_are_bounded_before_anything_is_made_of_them(
        [Values(7, 97)] int rows, [Values(65, 1000)] int vocabulary, [Values(512, 256, 128)] int bits, [Values(0.5f, 4f, 30f)] float cap)
    {
        var inputs = Inputs.Random(rows, 40, vocabulary, 3);
        using var session = Session(bits, cap);
        AssertIsReference(inputs with { Cap = cap }, Run(session, inputs));
    }

    [TestCase(-1f)]
    [TestCase(float.NaN)]
    public void A_bound_that_is_none_is_refused(float cap)
    {
        var error = Assert.Throws<OnnxRuntimeException>(() => Session(null, cap).Dispose())!;
        Assert.That(error.Message, Does.Contain("TokenLoss: softcap is"));
    }

    private static void AssertIsReference(Inputs inputs, float[] losses)
    {
        Assert.That(losses, Has.Length.EqualTo(inputs.Rows));
        for (int row = 0; row < inputs.Rows; row++)
        {
            var (expected, magnitude) = inputs.Reference(row);

            // A sum of H products is off by at most (H + 2)·2⁻²⁴ of the sum of their magnitudes, about a fourth of it in practice, and so
            // are the target's logit and every one in the log-sum-exp; scaling, powers and their sums add some 2e-7 of a nat and the
            // result's rounding; a bound adds some 2⁻²³ of itself to each logit.
            double tolerance = 2 * (inputs.Size + 2) * Math.Pow(2, -24) * magnitude + 1e-6 + Math.Abs(expected) * 2e-7 + inputs.Cap * 5e-7;
            Assert.That(losses[row], Is.EqualTo(expected).Within(tolerance), $"row {row}");
        }
    }

    private static InferenceSession Session(int? bits, float? cap = null)
    {
        var graph = new GraphBuilder("losses");
        graph.Input("hidden", DataType.Float, "T", "H");
        graph.Input("head", DataType.Float, "V", "W");
        graph.Input("targets", DataType.Int64, "N");
        List<(string, object)> attributes = bits is { } width ? [("vector_bits", width)] : [];
        if (cap is { } bound) attributes.Add(("softcap", bound));
        graph.OwnNode(TokenLoss.Name, "loss", ["hidden", "head", "targets"], [.. attributes]);
        graph.Output("loss", DataType.Float, "L");
        using var options = new SessionOptions { IntraOpNumThreads = 2, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        CustomOperators.AddTo(options);
        return new InferenceSession(graph.ToModel("Token losses.").ToByteArray(), options);
    }

    private static float[] Run(InferenceSession session, Inputs inputs)
    {
        using var hidden = OrtValue.CreateTensorValueFromMemory(inputs.Hidden, [inputs.Rows, inputs.Size]);
        using var head = OrtValue.CreateTensorValueFromMemory(inputs.Head, [inputs.Vocabulary, inputs.HeadSize ?? inputs.Size]);
        using var targets = OrtValue.CreateTensorValueFromMemory(inputs.Targets, [inputs.Targets.Length]);
        using var run = new RunOptions();
        using var outputs = session.Run(run, ["hidden", "head", "targets"], [hidden, head, targets], ["loss"]);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    private sealed record Inputs(int Rows, int Size, int Vocabulary, float[] Hidden, float[] Head, long[] Targets)
    {
        public int? HeadSize { get; init; }

        public float Cap { get; init; }

        public static Inputs Random(int rows, int size, int vocabulary, float magnitude)
        {
            var random = new SeededRandom((ulong)(rows * 31 + size * 7 + vocabulary));
            return new Inputs(
                rows, size, vocabulary, Numbers(rows * size, magnitude), Numbers(vocabulary * size, 1),
                [.. Enumerable.Range(0, rows).Select(_ => (long)random.NextInt32(vocabulary))]);

            float[] Numbers(int count, float scale) => [.. Enumerable.Range(0, count).Select(_ => scale * (float)(2 * random.NextDouble() - 1))];
        }

        public (double Loss, double Magnitude) Reference(int row)
        {
            double[] logits = new double[Vocabulary];
            double magnitude = 0;
            for (int token = 0; token < Vocabulary; token++)
            {
                double sum = 0;
                for (int i = 0; i < Size; i++)
                {
                    double product = (double)Hidden[row * Size + i] * Head[token * Size + i];
                    logits[token] += product;
                    sum += Math.Abs(product);
                }

                magnitude = Math.Max(magnitude, sum);
            }

            if (Cap > 0) logits = Array.ConvertAll(logits, logit => Cap * Math.Tanh(logit / Cap));
            double largest = logits.Max();
            return (largest + Math.Log(logits.Sum(logit => Math.Exp(logit - largest))) - logits[Targets[row]], magnitude);
        }
    }
}
