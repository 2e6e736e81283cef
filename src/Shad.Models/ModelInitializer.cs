using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Models;

/// <summary>How the weights of a new model are drawn.</summary>
public sealed record InitializationOptions
{
    /// <summary>Seed; the same seed and config give the same weights.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>dtype of the weights written.</summary>
    public TensorDtype Dtype { get; init; } = TensorDtype.Float32;

    /// <summary>Standard deviation of the matrices.</summary>
    public double StandardDeviation { get; init; } = 0.02;

    /// <summary>Standard deviation of the norm weights around 1; 0 to start a training.</summary>
    public double NormDeviation { get; init; }

    /// <summary>Standard deviation of the biases around 0; 0 to start a training.</summary>
    public double BiasDeviation { get; init; }
}

/// <summary>Makes models of random weights: the start of a training from nothing, and material for comparing backends.</summary>
/// <remarks>
/// Matrices are normal(0, σ); the projections that write to the residual stream (attention output, MLP down) are scaled by
/// <c>1/√(2L)</c>, so that the stream's variance does not grow with depth (Radford et al., GPT-2). Norms are 1 and biases 0,
/// unless the options say otherwise: comparisons of backends want them random, or a forgotten norm or bias would not show.
/// </remarks>
public static class ModelInitializer
{
    /// <summary>Writes a model folder of random weights.</summary>
    /// <param name="path">The folder; must not exist or be empty.</param>
    /// <param name="config">What the model is.</param>
    /// <param name="options">How its weights are drawn; null takes the defaults.</param>
    /// <param name="companionsFrom">Model folder whose tokenizer and chat template are copied; null for none.</param>
    /// <exception cref="ShadException">See <see cref="ModelFolderWriter.Write"/>.</exception>
    public static void Write(string path, DecoderConfig config, InitializationOptions? options = null, string? companionsFrom = null)
    {
        options ??= new InitializationOptions();
        ModelFolderWriter.Write(path, config, Tensors(config, options), options.Dtype, companionsFrom);
    }

    /// <summary>The random tensors of a config, drawn as they are written.</summary>
    public static IEnumerable<TensorToWrite> Tensors(DecoderConfig config, InitializationOptions options)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(options);
        double residualScale = 1 / Math.Sqrt(2.0 * config.LayerCount);
        IReadOnlyList<TensorSpec> layout = TensorLayout.Expected(config);
        // A generator of its own for each tensor: a tensor's values do not depend on the order of writing.
        for (int i = 0; i < layout.Count; i++)
        {
            TensorSpec tensor = layout[i];
            (double mean, double deviation) = Distribution(config, tensor, options, residualScale);
            SeededRandom random = new SeededRandom(options.Seed).Fork((ulong)i);
            yield return TensorToWrite.FromBlocks(tensor.Name, options.Dtype, tensor.Shape, block =>
            {
                for (int k = 0; k < block.Length; k++)
                    block[k] = (float)(deviation == 0 ? mean : mean + deviation * random.NextGaussian());
            });
        }
    }

    private static (double Mean, double Deviation) Distribution(
        DecoderConfig config, TensorSpec tensor, InitializationOptions options, double residualScale) => tensor.Kind switch
    {
        TensorKind.Bias => (0, options.BiasDeviation),
        TensorKind.Norm => (config.Norm == NormKind.RootMeanSquareOfOnePlus ? 0 : 1, options.NormDeviation),
        TensorKind.ResidualMatrix => (0, options.StandardDeviation * residualScale),
        _ => (0, options.StandardDeviation),
    };
}
