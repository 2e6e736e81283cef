using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>A tensor a model must hold.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape, outermost dimension first.</param>
public sealed record TensorSpec(string Name, long[] Shape);

/// <summary>Which tensors, of which shapes, make up a model.</summary>
public static class TensorLayout
{
    /// <summary>Every tensor a model of a config must hold, in the order of the forward pass.</summary>
    public static IReadOnlyList<TensorSpec> Expected(DecoderConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        long hidden = config.HiddenSize;
        long intermediate = config.IntermediateSize;
        long queryWidth = (long)config.AttentionHeads * config.HeadSize;
        long keyWidth = (long)config.KeyValueHeads * config.HeadSize;

        var tensors = new List<TensorSpec> { new(TensorNames.Embedding, [config.VocabularySize, hidden]) };
        for (int i = 0; i < config.LayerCount; i++)
        {
            LayerTensorNames layer = TensorNames.Layer(i);
            tensors.Add(new(layer.InputNorm, [hidden]));
            AddLinear(layer.Query, queryWidth, hidden, config.QueryKeyValueBias);
            AddLinear(layer.Key, keyWidth, hidden, config.QueryKeyValueBias);
            AddLinear(layer.Value, keyWidth, hidden, config.QueryKeyValueBias);
            AddLinear(layer.Output, hidden, queryWidth, config.OutputBias);
            if (config.QueryKeyNorm)
            {
                tensors.Add(new(layer.QueryNorm, [config.HeadSize]));
                tensors.Add(new(layer.KeyNorm, [config.HeadSize]));
            }

            tensors.Add(new(layer.PostAttentionNorm, [hidden]));
            AddLinear(layer.Gate, intermediate, hidden, config.MlpBias);
            AddLinear(layer.Up, intermediate, hidden, config.MlpBias);
            AddLinear(layer.Down, hidden, intermediate, config.MlpBias);
        }

        tensors.Add(new(TensorNames.FinalNorm, [hidden]));
        if (!config.TiedHead) tensors.Add(new(TensorNames.Head, [config.VocabularySize, hidden]));
        return tensors;

        void AddLinear(LinearTensorNames names, long outputs, long inputs, bool bias)
        {
            tensors.Add(new(names.Weight, [outputs, inputs]));
            if (bias) tensors.Add(new(names.Bias, [outputs]));
        }
    }

    /// <summary>Checks the tensors present against a config; all differences are told at once.</summary>
    /// <param name="config">The config.</param>
    /// <param name="tensors">The tensors present.</param>
    /// <param name="where">File or folder, for the error.</param>
    /// <exception cref="ShadException">Tensors are missing, of another shape, or unknown to the architecture: a tensor that would
    /// silently take no part in the computation is an error too.</exception>
    public static void Check(DecoderConfig config, IReadOnlyDictionary<string, TensorEntry> tensors, string where)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        Check(config, tensors.Values.Select(static tensor => (tensor.Name, tensor.Shape)), where);
    }

    internal static void Check(DecoderConfig config, IEnumerable<(string Name, long[] Shape)> tensors, string where)
    {
        var present = new Dictionary<string, long[]>(StringComparer.Ordinal);
        foreach ((string name, long[] shape) in tensors) present[name] = shape;

        List<string> missing = [], wrongShape = [];
        foreach (TensorSpec spec in Expected(config))
        {
            if (!present.Remove(spec.Name, out long[]? shape)) missing.Add(spec.Name);
            else if (!shape.AsSpan().SequenceEqual(spec.Shape))
                wrongShape.Add($"{spec.Name} {ModelErrors.Shape(shape)} instead of {ModelErrors.Shape(spec.Shape)}");
        }

        List<string> unexpected = [.. present.Keys.Where(static name => !TensorNames.IsComputedBuffer(name)).Order(StringComparer.Ordinal)];
        if (missing.Count + wrongShape.Count + unexpected.Count > 0)
            throw ModelErrors.LayoutMismatch(where, missing, wrongShape, unexpected);
    }
}
