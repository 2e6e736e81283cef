using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>What a tensor is for.</summary>
public enum TensorKind
{
    /// <summary>Token embedding, learned positions or LM head.</summary>
    Table,

    /// <summary>Scale of a norm.</summary>
    Norm,

    /// <summary>Matrix of a projection.</summary>
    Matrix,

    /// <summary>Matrix of a projection whose results are added to the residual stream.</summary>
    ResidualMatrix,

    /// <summary>Bias of a norm or projection.</summary>
    Bias,
}

/// <summary>A tensor a model must hold.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape, outermost dimension first.</param>
/// <param name="Kind">What it is for.</param>
public sealed record TensorSpec(string Name, long[] Shape, TensorKind Kind);

/// <summary>Which tensors, of which shapes, make up a model.</summary>
public static class TensorLayout
{
    /// <summary>Every tensor a model of a config must hold, in the order of the forward pass.</summary>
    public static IReadOnlyList<TensorSpec> Expected(DecoderConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var naming = config.Naming;
        var tensors = new List<TensorSpec> { new(naming.Embedding, [config.VocabularySize, config.HiddenSize], TensorKind.Table) };
        if (config.LearnedPositions) tensors.Add(new(naming.Positions, [config.ContextLength, config.HiddenSize], TensorKind.Table));
        for (int i = 0; i < config.LayerCount; i++)
        {
            LayerModules layer = LayerModules.Of(config, i);
            AddNorm(layer.AttentionNorm);
            foreach (LinearModule module in layer.Attention) AddLinear(module, TensorKind.Matrix);
            AddLinear(layer.OutputModule, TensorKind.ResidualMatrix);
            AddNorm(layer.QueryNorm);
            AddNorm(layer.KeyNorm);
            AddNorm(layer.AfterAttentionNorm);
            AddNorm(layer.MlpNorm);
            foreach (LinearModule module in layer.Mlp) AddLinear(module, TensorKind.Matrix);
            AddLinear(layer.DownModule, TensorKind.ResidualMatrix);
            AddNorm(layer.AfterMlpNorm);
        }

        AddNorm(NormModule.Final(config));
        if (!config.TiedHead) tensors.Add(new(naming.Head, [config.VocabularySize, config.HiddenSize], TensorKind.Table));
        return tensors;

        void AddNorm(NormModule? norm)
        {
            if (norm is null) return;
            tensors.Add(new(norm.Weight, [norm.Width], TensorKind.Norm));
            if (norm.Bias is { } bias) tensors.Add(new(bias, [norm.Width], TensorKind.Bias));
        }

        void AddLinear(LinearModule module, TensorKind kind)
        {
            tensors.Add(new(module.Weight, module.Shape, kind));
            if (module.Bias is { } bias) tensors.Add(new(bias, [module.Outputs], TensorKind.Bias));
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

        IReadOnlyList<string> buffers = config.Naming.Buffers;
        List<string> unexpected =
        [
            .. present.Keys.Where(name => !buffers.Any(end => name.EndsWith(end, StringComparison.Ordinal))).Order(StringComparer.Ordinal),
        ];
        if (missing.Count + wrongShape.Count + unexpected.Count > 0)
            throw ModelErrors.LayoutMismatch(where, missing, wrongShape, unexpected);
    }
}
