using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Randomness;
using Shad.Onnx.Graphs;
using Shad.Onnx.Quantization;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Products in 8-bit integers.</summary>
[TestFixture]
internal sealed class Int8Tests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test, Combinatorial]
    public void A_product_is_that_of_double_precision_but_for_the_rounding(
        [Values(1, 7, 40)] int rows, [Values(1, 33, 96)] int inputs, [Values(1, 16, 50)] int outputs, [Values] bool inputsFirst, [Values] bool hasBias)
    {
        // Magnitudes of rows and columns lie orders apart, and one row and one column are zero.
        var random = new SeededRandom((ulong)(rows * 1000 + inputs * 10 + outputs));
        float[] x = [.. Enumerable.Range(0, rows * inputs).Select(i => (float)(random.NextGaussian() * Math.Pow(10, i / inputs % 5 - 2)))];
        float[] w = [.. Enumerable.Range(0, inputs * outputs).Select(i => (float)(random.NextGaussian() * Math.Pow(10, i % outputs % 3 - 1)))]; // [in, out]
        float[] bias = [.. Enumerable.Range(0, outputs).Select(_ => (float)random.NextGaussian())];
        if (rows > 1) x.AsSpan(inputs, inputs).Clear();
        if (outputs > 1)
        {
            for (int k = 0; k < inputs; k++) w[k * outputs + 1] = 0;
        }

        float[] actual = Multiply(x, rows, inputsFirst ? w : Transposed(w, inputs, outputs), inputs, outputs, inputsFirst, hasBias ? bias : null);
        for (int r = 0; r < rows; r++)
        {
            double a = Enumerable.Range(0, inputs).Max(k => Math.Abs(x[r * inputs + k]));
            for (int n = 0; n < outputs; n++)
            {
                double s = Enumerable.Range(0, inputs).Max(k => Math.Abs(w[k * outputs + n])) / 127;
                double exact = 0, bound = 0;
                for (int k = 0; k < inputs; k++)
                {
                    double left = x[r * inputs + k], right = w[k * outputs + n];
                    exact += left * right;

                    // Rounded to the nearest, an activation is off by half a step of at most 2/255 of the row's largest, and by another
                    // half where the step is laid so that zero is exact; a weight by half of its column's scale.
                    double offLeft = a * 2 / 255, offRight = s / 2;
                    bound += Math.Abs(left) * offRight + Math.Abs(right) * offLeft + offLeft * offRight;
                }

                double expected = exact + (hasBias ? bias[n] : 0);
                Assert.That(actual[r * outputs + n], Is.EqualTo(expected).Within(bound + 1e-5 * (1 + Math.Abs(expected))), $"row {r}, output {n}");
            }
        }
    }

    /// <summary>A step of a weight is 1/127 of its row's largest, of an activation 1/127 of its token's: of values of a normal distribution
    /// (largest about 3σ) about 1 %, uniform, so 0.7 % of a product's standard deviation each; some 10 products behind one another make
    /// 3 %, of logits of magnitude 10 that is 0.3. A wrong scale or matrix is off by 1 and more in the mean.</summary>
    [TestCase("llama with grouped queries, untied")]
    [TestCase("mistral with a window")]
    [TestCase("qwen2")]
    [TestCase("qwen3")]
    public void A_model_in_int8_has_nearly_the_same_losses(string kind)
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds[kind]);
        using var exact = ScoringSession.Open(model, new ScoringOptions { Device = ComputeDevice.Cpu });
        using var packed = ScoringSession.Open(model, new ScoringOptions { Device = ComputeDevice.Cpu, Precision = ScoringPrecision.Int8 });
        using var padded = ScoringSession.Open(model, new ScoringOptions { Device = ComputeDevice.Cpu, Precision = ScoringPrecision.Int8, Pad = true });
        Assert.That((packed.Precision, padded.Precision), Is.EqualTo(("int8", "int8")));
        List<double> off = [], between = [];
        foreach (var sample in TestSamples.Many(seed: 3, count: 12, maximumLength: 60, model.Config.VocabularySize))
        {
            float[] expected = exact.Score(sample), one = packed.Score(sample), other = padded.Score(sample);
            Assert.That(one.Select(float.IsNaN), Is.EqualTo(expected.Select(float.IsNaN)));
            for (int i = 0; i < expected.Length; i++)
            {
                if (float.IsNaN(expected[i])) continue;
                off.Add(Math.Abs(one[i] - expected[i]));
                between.Add(Math.Abs(one[i] - other[i]));
            }
        }

        TestContext.Out.WriteLine($"{kind}: mean {off.Average():0.0000}, largest {off.Max():0.0000}; layouts differ by {between.Average():0.0000}");
        Assert.That(off.Average(), Is.GreaterThan(1e-4).And.LessThan(0.3), "0 would be float32");
        Assert.That(between.Average(), Is.LessThan(0.3));
    }

    [Test]
    public void Models_that_begin_alike_share_their_layers()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        using var probe = TestModels.Changed(_folder, model, firstTuned: 2);
        var options = new ScoringOptions { Device = ComputeDevice.Cpu, Precision = ScoringPrecision.Int8 };
        using var both = ScoringSession.Open([model, probe], options);
        using var alone = ScoringSession.Open(probe, options);
        var sample = TestSamples.Random(new SeededRandom(8), "one", 40, model.Config.VocabularySize);
        Assert.That(both.SharedLayers, Is.EqualTo(2));
        float[] expected = alone.Score(sample), actual = both.ScoreAll(sample)[1];
        Assert.That(actual.Zip(expected).Where(static pair => !float.IsNaN(pair.Second)).Average(static pair => Math.Abs(pair.First - pair.Second)), Is.LessThan(0.1));
    }

    private static float[] Multiply(float[] x, int rows, float[] w, int inputs, int outputs, bool inputsFirst, float[]? bias)
    {
        var graph = new GraphBuilder("product");
        string left = graph.Input("x", DataType.Float, rows, inputs);
        string? added = bias is null ? null : graph.Input("b", DataType.Float, outputs);
        int width = inputsFirst ? outputs : inputs;
        using var matrix = OutputQuantizedMatrix.Of(inputs, outputs, inputsFirst, (row, values) => w.AsSpan(row * width, width).CopyTo(values));
        string right = graph.Input("w", DataType.Int8, inputs, outputs);
        Int8Product.Add(graph, "y", left, (right, graph.Constant(matrix.Scales)), added);
        graph.Output("y", DataType.Float, rows, outputs);
        using var session = new InferenceSession(graph.ToModel("A product.").ToByteArray());
        using var run = new RunOptions();
        List<string> names = ["x", "w"];
        List<OrtValue> values = [OrtValue.CreateTensorValueFromMemory(x, [rows, inputs]), matrix.Values];
        if (bias is not null)
        {
            names.Add("b");
            values.Add(OrtValue.CreateTensorValueFromMemory(bias, [outputs]));
        }

        using var results = session.Run(run, names, values, ["y"]);
        foreach (var value in values.Where(value => value != matrix.Values)) value.Dispose();
        return results[0].GetTensorDataAsSpan<float>().ToArray();
    }

    private static float[] Transposed(float[] matrix, int rows, int columns)
    {
        float[] transposed = new float[matrix.Length];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++) transposed[c * rows + r] = matrix[r * columns + c];
        }

        return transposed;
    }
}
