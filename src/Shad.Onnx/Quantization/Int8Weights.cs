using Microsoft.ML.OnnxRuntime;
using Shad.Models.Weights;

namespace Shad.Onnx.Quantization;

/// <summary>Projections of models in 8-bit integers, kept for a session that reads them where they lie.</summary>
internal sealed class Int8Weights : IDisposable
{
    private readonly Dictionary<string, OutputQuantizedMatrix> _matrices = new(StringComparer.Ordinal);

    /// <summary>The integers of all matrices by the name they have in the graph.</summary>
    public IEnumerable<KeyValuePair<string, OrtValue>> Values =>
        _matrices.Select(static pair => KeyValuePair.Create(pair.Key, pair.Value.Values));

    /// <summary>A projection; made where it is not there yet.</summary>
    /// <param name="name">Its name in the graph.</param>
    /// <param name="weights">Where its matrix is.</param>
    /// <param name="projection">The projection.</param>
    public OutputQuantizedMatrix Get(string name, ModelWeights weights, Projection projection)
    {
        if (_matrices.TryGetValue(name, out var matrix)) return matrix;
        var module = projection.Module;

        // Of a matrix that several projections share, one has some rows, or some columns of each.
        long stored = module.InputsFirst ? module.Outputs : module.Inputs;
        long firstRow = module.InputsFirst ? 0 : projection.First, firstColumn = module.InputsFirst ? projection.First : 0;
        matrix = OutputQuantizedMatrix.Of(
            checked((int)module.Inputs), checked((int)projection.Width), module.InputsFirst,
            (row, values) => weights.CopyFloat32(module.Weight, (firstRow + row) * stored + firstColumn, values));
        _matrices.Add(name, matrix);
        return matrix;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var matrix in _matrices.Values) matrix.Dispose();
    }
}
