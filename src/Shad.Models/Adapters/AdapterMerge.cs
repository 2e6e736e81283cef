using System.Numerics;
using System.Runtime.InteropServices;
using Shad.Models.Weights;

namespace Shad.Models.Adapters;

/// <summary>The weights of a model with an adapter worked in: <c>W + s·B·A</c>, in float32, rounded once to the dtype written.</summary>
public static class AdapterMerge
{
    /// <summary>Every tensor of the merged model. What the adapter does not change is copied bit for bit where the dtype stays.</summary>
    /// <param name="model">The base model; must be open until the tensors are written.</param>
    /// <param name="adapter">The adapter; must be readable until the tensors are written.</param>
    /// <param name="dtype">dtype of the tensors.</param>
    public static IEnumerable<TensorToWrite> Tensors(ModelFolder model, IAdapter adapter, TensorDtype dtype)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(adapter);
        var adapted = adapter.AdaptedWeights.ToHashSet(StringComparer.Ordinal);
        foreach (TensorSpec spec in TensorLayout.Expected(model.Config))
        {
            if (adapted.Contains(spec.Name))
                yield return TensorToWrite.FromFloat32(spec.Name, dtype, spec.Shape, () => Merged(model, adapter, spec));
            else if (model.Weights.Find(spec.Name).Dtype == dtype)
                yield return TensorToWrite.CopyOf(model.Weights, spec.Name);
            else
                yield return TensorToWrite.FromFloat32(spec.Name, dtype, spec.Shape, () => model.Weights.ReadFloat32(spec.Name));
        }
    }

    private static float[] Merged(ModelFolder model, IAdapter adapter, TensorSpec spec)
    {
        float[] weight = model.Weights.ReadFloat32(spec.Name);
        float[] down = adapter.ReadDown(spec.Name), up = adapter.ReadUp(spec.Name);
        int rank = adapter.Config.Rank, inputs = (int)spec.Shape[1];
        double scale = adapter.Config.Scale;

        // (B·A)ᵀ = Aᵀ·Bᵀ: where the matrix is stored with its inputs first, A and B change places.
        if (model.Config.Naming.InputsFirst)
            (down, up) = (Transposed(up, columns: rank), Transposed(down, columns: down.Length / rank));
        var change = new float[inputs];
        for (int row = 0; row * (long)inputs < weight.Length; row++)
        {
            Array.Clear(change);
            for (int k = 0; k < rank; k++) AddScaled(change, down.AsSpan(k * inputs, inputs), (float)(scale * up[row * rank + k]));
            AddScaled(weight.AsSpan(row * inputs, inputs), change, 1);
        }

        return weight;
    }

    private static float[] Transposed(float[] matrix, int columns)
    {
        int rows = matrix.Length / columns;
        var result = new float[matrix.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column];
        }

        return result;
    }

    /// <summary><c>target += factor · source</c>.</summary>
    private static void AddScaled(Span<float> target, ReadOnlySpan<float> source, float factor)
    {
        var targets = MemoryMarshal.Cast<float, Vector<float>>(target);
        var sources = MemoryMarshal.Cast<float, Vector<float>>(source);
        for (int i = 0; i < targets.Length; i++) targets[i] += sources[i] * factor;
        for (int i = targets.Length * Vector<float>.Count; i < target.Length; i++) target[i] += source[i] * factor;
    }
}
