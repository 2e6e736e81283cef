using Shad.Cli.Recipes;
using Shad.Core.Evaluation;
using Shad.Core.Samples;
using Shad.Data.Reports;
using Shad.Models;
using Shad.Onnx.Scoring;

namespace Shad.Cli.Scoring;

/// <summary>Mean losses of a model by role, through ONNX Runtime.</summary>
public static class RoleLosses
{
    /// <summary>Measures a model.</summary>
    /// <param name="recipe">How to score.</param>
    /// <param name="name">Name of the model in the result.</param>
    /// <param name="modelFolder">The model.</param>
    /// <param name="samples">The samples, with the roles to measure by where there are any.</param>
    /// <param name="progress">Told the tokens that passed through the model since the last call.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    /// <exception cref="Shad.Core.Errors.ShadException">The model cannot be loaded, or a sample does not fit it.</exception>
    public static async Task<ModelLosses> MeasureAsync(
        ScoreRecipe recipe, string name, string modelFolder, IAsyncEnumerable<TokenizedSample> samples, Action<long>? progress,
        CancellationToken cancellationToken)
    {
        using ModelFolder model = ModelFolder.Open(modelFolder);
        using ScoringGroup session = ScoringGroup.Open([model], CorpusScorer.DeviceOf(recipe), CorpusScorer.OptionsOf(recipe));
        var losses = new LossByRole();
        await foreach (ScoredSample<TokenizedSample> scored in session
            .ScoreAsync(samples, static sample => sample, cancellationToken: cancellationToken).ConfigureAwait(false))
        {
            losses.Add(scored.Losses, scored.Item.Roles ?? []);
            progress?.Invoke(scored.Item.Length);
        }

        return new ModelLosses(name, losses.Loss ?? double.NaN, losses.BoilerplateLoss, losses.ReasoningLoss, losses.Tokens);
    }
}
