using Shad.Cli.Recipes;
using Shad.Core.Tuning;

namespace Shad.Cli.Commands;

/// <summary>What the demo runs with: chosen so that it takes under four minutes on two cores.</summary>
internal sealed record DemoSettings
{
    /// <summary>Samples of the demo corpus.</summary>
    public int Samples { get; init; } = 800;

    /// <summary>Seed of the corpus and of the run.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Share of the samples kept from tuning.</summary>
    public double HeldOut { get; init; } = 0.15;

    /// <summary>How probe and control are tuned.</summary>
    public ProbeRecipe Probe { get; init; } = new()
    {
        MinimumSamples = 500, LastLayers = TunedLayers.All, Epochs = 2, LearningRate = 1e-3, SamplesPerStep = 8, Precision = TunePrecision.BFloat16,
        CheckpointEvery = 0,
    };

    /// <summary>The rule in use.</summary>
    public RuleRecipe Rule { get; init; } = new();

    /// <summary>How the base model is fine-tuned.</summary>
    public TuneRecipe Tune { get; init; } = new()
    {
        Epochs = 1, LearningRate = 5e-4, SamplesPerStep = 16, Temperature = 1, CheckpointEvery = 50, SaveDtype = "float32",
        Precision = TunePrecision.BFloat16,
    };

    /// <summary>How losses are measured.</summary>
    public ScoreRecipe Score { get; init; } = new() { Device = "cpu" };

    /// <summary>The recipe of the demo.</summary>
    /// <param name="model">The model folder.</param>
    /// <param name="corpus">The generated corpus.</param>
    public Recipe ToRecipe(string model, string corpus) => new()
    {
        Name = "demo",
        Seed = Seed,
        Model = new ModelRecipe { Path = model },
        Corpus = new CorpusRecipe { Files = [corpus], HeldOut = HeldOut },
        Probe = Probe,
        Score = Score,
        Rule = Rule,
        Tune = Tune,
    };
}
