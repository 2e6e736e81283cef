using System.Diagnostics;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Onnx.Protobuf;

namespace BenchScoring.Measurement;

/// <summary>The machine's own peak of float32 matrix products, measured by ONNX Runtime with weights packed beforehand.</summary>
internal static class PeakProduct
{
    private const int Rows = 1024;
    private const int Width = 2048;
    private const int Products = 4;

    /// <summary>Multiplies for some seconds.</summary>
    /// <param name="seconds">For how long.</param>
    /// <param name="threads">Threads; null takes all cores.</param>
    /// <returns>GFLOP/s of the fastest pass, of about 0.2 seconds.</returns>
    public static double Measure(double seconds, int? threads = null)
    {
        using var options = new SessionOptions { IntraOpNumThreads = threads ?? Environment.ProcessorCount };
        using var session = new InferenceSession(Chain().ToByteArray(), options);
        float[] input = new float[Rows * Width], output = new float[Rows * Width];
        Array.Fill(input, 1f);
        using var inputValue = OrtValue.CreateTensorValueFromMemory(input, [Rows, Width]);
        using var outputValue = OrtValue.CreateTensorValueFromMemory(output, [Rows, Width]);
        using var run = new RunOptions();
        double best = double.PositiveInfinity;
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            long start = Stopwatch.GetTimestamp();
            session.Run(run, ["x0"], [inputValue], [$"x{Products}"], [outputValue]);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return 2.0 * Rows * Width * Width * Products / best / 1e9;
    }

    // x1 = x0·w0, x2 = x1·w1 …: weights of 1/Width keep ones ones.
    private static ModelProto Chain()
    {
        float[] weights = new float[Width * Width];
        Array.Fill(weights, 1f / Width);
        var bytes = ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes(weights.AsSpan()));
        var graph = new GraphProto { Name = "peak" };
        for (int i = 0; i < Products; i++)
        {
            graph.Initializer.Add(new TensorProto
            {
                Name = $"w{i}", DataType = (int)TensorProto.Types.DataType.Float, RawData = bytes, Dims = { Width, Width },
            });
            graph.Node.Add(new NodeProto { OpType = "MatMul", Name = $"x{i + 1}", Input = { $"x{i}", $"w{i}" }, Output = { $"x{i + 1}" } });
        }

        graph.Input.Add(Value("x0"));
        graph.Output.Add(Value($"x{Products}"));
        return new ModelProto { IrVersion = 9, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 18 } } };

        static ValueInfoProto Value(string name) => new()
        {
            Name = name,
            Type = new TypeProto
            {
                TensorType = new TypeProto.Types.Tensor
                {
                    ElemType = (int)TensorProto.Types.DataType.Float,
                    Shape = new TensorShapeProto
                    {
                        Dim =
                        {
                            new TensorShapeProto.Types.Dimension { DimValue = Rows },
                            new TensorShapeProto.Types.Dimension { DimValue = Width },
                        },
                    },
                },
            },
        };
    }
}
