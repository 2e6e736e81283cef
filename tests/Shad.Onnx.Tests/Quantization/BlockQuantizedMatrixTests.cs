using CsCheck;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Onnx.Graphs;
using Shad.Onnx.Protobuf;
using Shad.Onnx.Quantization;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Quantization;

[TestFixture]
internal sealed class BlockQuantizedMatrixTests
{
    private static readonly Gen<(int Rows, int Columns, int Bits, int BlockSize, int Seed)> Shapes = Gen.Select(
        Gen.Int[1, 40], Gen.Int[1, 200], Gen.OneOf(Gen.Const(4), Gen.Const(8)), Gen.Int[4, 7].Select(static power => 1 << power), Gen.Int[0, int.MaxValue]);

    [Test]
    public void A_weight_is_within_half_a_step_or_beyond_the_highest_code_within_a_step() => Shapes.Sample(shape =>
    {
        float[] weights = Numbers(shape.Rows * shape.Columns, shape.Seed);
        var matrix = BlockQuantizedMatrix.Of(weights, shape.Rows, shape.Columns, shape.Bits, shape.BlockSize);
        float[] back = matrix.Dequantize();
        int highest = (1 << (shape.Bits - 1)) - 1;
        for (int i = 0; i < weights.Length; i++)
        {
            int row = i / shape.Columns, block = i % shape.Columns / shape.BlockSize;
            double scale = matrix.Scales[row * matrix.BlocksPerRow + block];
            bool beyond = scale != 0 && weights[i] / scale > highest;

            // Scale, its inverse and the product are each rounded to float32: 4 · 2⁻²⁴ of the largest weight, −scale · 2^(bits−1).
            double rounding = Math.Abs(scale) * (highest + 1) * Math.Pow(2, -22);
            Assert.That(
                Math.Abs(weights[i] - (double)back[i]), Is.LessThanOrEqualTo(Math.Abs(scale) * (beyond ? 1 : 0.5) + rounding),
                $"weight {i} of {shape}");
        }
    });

    [Test]
    public void Weights_of_whole_steps_come_back_as_they_were([Values(4, 8)] int bits)
    {
        // −2^(bits−1) … 2^(bits−1) − 1 times a power of 2: the lowest is there in every block and sets the scale.
        int zero = 1 << (bits - 1);
        float[] weights = [.. Enumerable.Range(0, 3 * 64).Select(i => i % 16 == 0 ? -zero * 0.25f : (i * 7 % (2 * zero) - zero) * 0.25f)];
        Assert.That(BlockQuantizedMatrix.Of(weights, 3, 64, bits, 16).Dequantize(), Is.EqualTo(weights));
    }

    [TestCase(0f)]
    [TestCase(1e-45f)]
    public void A_block_of_next_to_nothing_is_zero(float value)
    {
        float[] weights = new float[40];
        Array.Fill(weights, value, 0, 20);
        weights[35] = 1;
        float[] back = BlockQuantizedMatrix.Of(weights, 1, 40, 4).Dequantize();
        Assert.That(back.AsSpan(0, 32).ToArray(), Is.All.EqualTo(0f));
        Assert.That(back[35], Is.EqualTo(1f));
    }

    [Test]
    public void The_layout_is_the_operators([Values] bool wholeNumbers) => Shapes.Sample(
        shape =>
        {
            const int activationRows = 3;
            float[] weights = Numbers(shape.Rows * shape.Columns, shape.Seed);
            float[] activations = Numbers(activationRows * shape.Columns, shape.Seed ^ 1);
            var matrix = BlockQuantizedMatrix.Of(weights, shape.Rows, shape.Columns, shape.Bits, shape.BlockSize);
            float[] back = matrix.Dequantize();
            float[] product = Multiply(matrix, activations, wholeNumbers);
            for (int m = 0; m < activationRows; m++)
            {
                for (int n = 0; n < shape.Rows; n++)
                {
                    double expected = 0, magnitude = 0, rounding = 0;
                    for (int first = 0; first < shape.Columns; first += shape.BlockSize)
                    {
                        double largest = 0, absolute = 0;
                        for (int k = first; k < Math.Min(shape.Columns, first + shape.BlockSize); k++)
                        {
                            double activation = activations[m * shape.Columns + k], weight = back[n * shape.Columns + k];
                            expected += activation * weight;
                            magnitude += Math.Abs(activation * weight);
                            largest = Math.Max(largest, Math.Abs(activation));
                            absolute += Math.Abs(weight);
                        }

                        // Half a step of the activations of a block, whose largest is 127 steps.
                        rounding += largest / 254 * absolute;
                    }

                    // K + 3 roundings of float32 at the most: the dequantized weight's, the product's, and those of the sums. Beside the
                    // rounding of the activations that is next to nothing.
                    double float32 = (shape.Columns + 3) * Math.Pow(2, -24) * magnitude + 1e-7;
                    double tolerance = wholeNumbers ? 1.01 * rounding + 10 * float32 : float32;
                    Assert.That(
                        product[m * shape.Rows + n], Is.EqualTo(expected).Within(tolerance), $"[{m},{n}] of {shape}");
                }
            }
        }, iter: 200);

    [Test]
    public void Sizes_that_cannot_be_are_refused()
    {
        float[] weights = new float[64];
        Assert.Multiple(() =>
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => BlockQuantizedMatrix.Of(weights, 0, 64, 4));
            Assert.Throws<ArgumentOutOfRangeException>(() => BlockQuantizedMatrix.Of(weights, 1, 64, 5));
            Assert.Throws<ArgumentOutOfRangeException>(() => BlockQuantizedMatrix.Of(weights, 1, 64, 4, blockSize: 8));
            Assert.Throws<ArgumentOutOfRangeException>(() => BlockQuantizedMatrix.Of(weights, 1, 64, 4, blockSize: 48));
            Assert.Throws<ArgumentException>(() => BlockQuantizedMatrix.Of(weights, 2, 64, 4));
        });
    }

    private static float[] Numbers(int count, int seed)
    {
        var random = new Core.Randomness.SeededRandom((ulong)(uint)seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)random.NextGaussian())];
    }

    private static float[] Multiply(BlockQuantizedMatrix matrix, float[] activations, bool wholeNumbers)
    {
        var graph = new GraphBuilder("product");
        graph.Input("a", DataType.Float, "M", matrix.Columns);
        graph.MicrosoftNode(BlockQuantizedMatrix.Operator, "y", ["a", "codes", "scales"], matrix.Attributes(wholeNumbers));
        graph.Output("y", DataType.Float, "M", matrix.Rows);
        var model = graph.ToModel("A product.");
        model.Graph.Initializer.Add(Tensor("codes", DataType.Uint8, matrix.CodesShape, matrix.Codes));
        model.Graph.Initializer.Add(Tensor(
            "scales", DataType.Float, matrix.ScalesShape, System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(matrix.Scales)));

        using var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        using var session = new InferenceSession(model.ToByteArray(), options);
        using var run = new RunOptions();
        using var input = OrtValue.CreateTensorValueFromMemory(activations, [activations.Length / matrix.Columns, matrix.Columns]);
        using var outputs = session.Run(run, ["a"], [input], ["y"]);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    private static TensorProto Tensor(string name, DataType type, long[] shape, ReadOnlySpan<byte> bytes)
    {
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.Add(shape);
        return tensor;
    }
}
