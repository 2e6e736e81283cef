using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Shad.Onnx.Quantization;

/// <summary>Reads a row of a matrix as it is stored.</summary>
/// <param name="row">The row.</param>
/// <param name="values">Receives it whole.</param>
internal delegate void MatrixRowReader(int row, Span<float> values);

/// <summary>
/// A weight matrix <c>[in, out]</c> in 8-bit integers with a scale for every output, as the operator
/// <c>com.microsoft.DynamicQuantizeMatMul</c> takes it: <c>Wₖₙ ≈ sₙ · vₖₙ</c> with <c>sₙ = maxₖ|Wₖₙ|/127</c> and
/// <c>vₖₙ = round(Wₖₙ/sₙ)</c>.
/// </summary>
/// <remarks>The runtime takes weights that lie in memory without a copy where it does not own that memory.</remarks>
internal sealed unsafe class OutputQuantizedMatrix : IDisposable
{
    private const float LargestValue = 127;

    // The smallest normal number.
    private const float LeastScale = 1.17549435e-38f;

    // Outputs that are turned from rows to columns together: a cache line of bytes.
    private const int OutputsPerBlock = 64;

    private const int Alignment = 64;

    private void* _memory;

    private OutputQuantizedMatrix(int inputs, int outputs)
    {
        long bytes = (long)inputs * outputs;
        _memory = NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
        Values = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Int8, [inputs, outputs], (nint)_memory, bytes);
        Scales = new float[outputs];
    }

    /// <summary>The integers, <c>[in, out]</c>.</summary>
    public OrtValue Values { get; }

    /// <summary>The scale of each output, <c>[out]</c>.</summary>
    public float[] Scales { get; }

    /// <summary>Quantizes a matrix.</summary>
    /// <param name="inputs">Number of inputs.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="inputsFirst">Whether a row is an input, and not an output.</param>
    /// <param name="read">Reads a row; called from several threads at once, and twice where a row is an input.</param>
    public static OutputQuantizedMatrix Of(int inputs, int outputs, bool inputsFirst, MatrixRowReader read)
    {
        var matrix = new OutputQuantizedMatrix(inputs, outputs);
        try
        {
            if (inputsFirst) matrix.QuantizeInputRows(inputs, read);
            else matrix.QuantizeOutputRows(inputs, read);
            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Values.Dispose();
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    private void QuantizeOutputRows(int inputs, MatrixRowReader read)
    {
        int outputs = Scales.Length;
        Parallel.For(
            0, (outputs + OutputsPerBlock - 1) / OutputsPerBlock,
            () => (Row: new float[inputs], Block: new sbyte[inputs * OutputsPerBlock]),
            (block, _, scratch) =>
            {
                int first = block * OutputsPerBlock, count = Math.Min(OutputsPerBlock, outputs - first);
                for (int n = 0; n < count; n++)
                {
                    read(first + n, scratch.Row);
                    float largest = 0;
                    foreach (float weight in scratch.Row) largest = MathF.Max(largest, MathF.Abs(weight));
                    float scale = Scales[first + n] = ScaleOf(largest);
                    for (int k = 0; k < inputs; k++) scratch.Block[k * OutputsPerBlock + n] = (sbyte)MathF.Round(scratch.Row[k] / scale);
                }

                var values = Values.GetTensorMutableDataAsSpan<sbyte>();
                for (int k = 0; k < inputs; k++)
                    scratch.Block.AsSpan(k * OutputsPerBlock, count).CopyTo(values.Slice(k * outputs + first, count));
                return scratch;
            },
            static _ => { });
    }

    private void QuantizeInputRows(int inputs, MatrixRowReader read)
    {
        int outputs = Scales.Length;
        float[] weights = new float[outputs];
        for (int k = 0; k < inputs; k++)
        {
            read(k, weights);
            for (int n = 0; n < outputs; n++) Scales[n] = MathF.Max(Scales[n], MathF.Abs(weights[n]));
        }

        for (int n = 0; n < outputs; n++) Scales[n] = ScaleOf(Scales[n]);
        Parallel.For(
            0, inputs, () => new float[outputs],
            (k, _, row) =>
            {
                read(k, row);
                var values = Values.GetTensorMutableDataAsSpan<sbyte>().Slice(k * outputs, outputs);
                for (int n = 0; n < outputs; n++) values[n] = (sbyte)MathF.Round(row[n] / Scales[n]);
                return row;
            },
            static _ => { });
    }

    // Of an output of zeros, or of next to nothing, any scale gives zeros.
    private static float ScaleOf(float largest) => MathF.Max(largest / LargestValue, LeastScale);
}
