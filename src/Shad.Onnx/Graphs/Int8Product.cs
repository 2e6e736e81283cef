using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Graphs;

/// <summary>
/// Matrix products in 8-bit integers, for processors that multiply those several times as fast as floats (VNNI). Of a product
/// <c>y = x·W</c> each column of <c>W</c> and each row of <c>x</c> has a scale of its own:
/// <c>yᵣₙ ≈ aᵣ·sₙ·Σₖ round(xᵣₖ/(aᵣ·t))·round(Wₖₙ/sₙ)·t</c> with <c>sₙ = maxₖ|Wₖₙ|/127</c>, <c>aᵣ = maxₖ|xᵣₖ|</c>.
/// </summary>
/// <remarks>
/// <c>DynamicQuantizeMatMul</c> takes one step <c>t</c> for all of its input. One row of large activations, as models have at
/// the first token, would leave nothing of the others: so rows are divided by their largest magnitude before and multiplied by it
/// after. <c>t</c> is then the range of values in [−1, 1] over 255, at most 2/255, and still hangs a little on which rows are
/// computed together.
/// </remarks>
internal static class Int8Product
{
    // Below the smallest normal float32, so that a row of zeros stays one and no other row is changed.
    private const float LeastMagnitude = 1e-38f;

    /// <summary>Adds a product.</summary>
    /// <param name="at">The graph.</param>
    /// <param name="path">Path of the result, <c>[N,out]</c>.</param>
    /// <param name="rows">Float32, <c>[N,in]</c>.</param>
    /// <param name="weights">Of <see cref="DecoderWeights.Int8Matrix"/>.</param>
    /// <param name="bias">Float32, <c>[out]</c>; null for none.</param>
    public static string Add(GraphBuilder at, string path, string rows, (string Values, string Scales) weights, string? bias)
    {
        string magnitudes = at.Node("Abs", $"{path}/magnitudes", [rows]);
        string largest = at.Node("ReduceMax", $"{path}/largest", [magnitudes, at.Constant(-1L)], ("keepdims", 1));
        string scale = at.Node("Max", $"{path}/scale", [largest, at.Scalar(LeastMagnitude)]);
        string units = at.Node("Div", $"{path}/units", [rows, scale]);
        string of = bias is null ? path : $"{path}/without_bias";
        string product = at.MicrosoftNode("DynamicQuantizeMatMul", $"{path}/product", [units, weights.Values, weights.Scales]);
        string scaled = at.Node("Mul", of, [product, scale]);
        return bias is null ? scaled : at.Node("Add", path, [scaled, bias]);
    }
}
