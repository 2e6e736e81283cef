using System.Text.Json.Serialization;
using Shad.Core.Classification;
using Shad.Core.Tuning;
using Shad.Data.Chat;
using Shad.Models.Adapters;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;

namespace Shad.Cli.Recipes;

/// <summary>
/// Everything a run needs to know, with every default filled in: what <c>shad run RECIPE.yaml</c> reads. Keys in YAML are the
/// property names in snake_case.
/// </summary>
public sealed record Recipe
{
    /// <summary>Name of the run and of its folder, <c>runs/NAME</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Seed of every random choice: held-out split, probe sample, derangement, data order.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The base model.</summary>
    public required ModelRecipe Model { get; init; }

    /// <summary>The fine-tuning corpus.</summary>
    public required CorpusRecipe Corpus { get; init; }

    /// <summary>How the probe (shuffled) and its aligned control are tuned.</summary>
    public ProbeRecipe Probe { get; init; } = new();

    /// <summary>How losses are measured.</summary>
    public ScoreRecipe Score { get; init; } = new();

    /// <summary>How a loss difference becomes a role.</summary>
    public RuleRecipe Rule { get; init; } = new();

    /// <summary>How the base model is fine-tuned at the end.</summary>
    public TuneRecipe Tune { get; init; } = new();
}

/// <summary>The base model of a run.</summary>
public sealed record ModelRecipe
{
    /// <summary>Model folder in Hugging Face layout.</summary>
    public required string Path { get; init; }
}

/// <summary>The corpus of a run.</summary>
public sealed record CorpusRecipe
{
    /// <summary>Corpus files; in a recipe also folders and globs (<c>.jsonl</c>, <c>.parquet</c>, also <c>.gz</c> and <c>.zst</c>), read one after the other.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>What turns a conversation into one text: <c>auto</c> (the model's chat template, or <c>plain</c> where it has none),
    /// <c>template</c>, or the name of a layout.</summary>
    public string Layout { get; init; } = RecipeDefaults.Layout;

    /// <summary>Read at most so many samples; null reads all.</summary>
    public int? Limit { get; init; }

    /// <summary>Draw so many rows at random from the whole corpus, before <see cref="Limit"/>; null takes all.</summary>
    public int? Sample { get; init; }

    /// <summary>Seed of <see cref="Sample"/>.</summary>
    public ulong SampleSeed { get; init; } = 1;

    /// <summary>Share of the samples kept from all tuning, on which the result is measured; 0 to 0.5.</summary>
    public double HeldOut { get; init; } = 0.1;

    /// <summary>Bad rows after which the run ends with an error; null accepts any number. They are counted and listed.</summary>
    public int? MaxBadRows { get; init; }

    /// <summary>Longest sequence in tokens; null takes the model's context. Longer samples lose the left of their prompt, or are
    /// skipped and counted where the responses alone do not fit.</summary>
    public int? MaxLength { get; init; }
}

/// <summary>The settings a tune of any kind has.</summary>
public abstract record TuningRecipe
{
    /// <summary>Tune only the last layers: a number, <c>quarter</c>, or <c>all</c> (every parameter).</summary>
    public TunedLayers LastLayers { get; init; }

    /// <summary>Tune low-rank adapters instead of the weights; null tunes the weights.</summary>
    public LoraSettings? Lora { get; init; }

    /// <summary>Optimizer steps; null derives them from <see cref="Epochs"/>.</summary>
    public int? Steps { get; init; }

    /// <summary>Passes over the data where <see cref="Steps"/> is not set.</summary>
    public double Epochs { get; init; }

    /// <summary>Peak learning rate of AdamW.</summary>
    public double LearningRate { get; init; }

    /// <summary>Samples an optimizer step.</summary>
    public int SamplesPerStep { get; init; }

    /// <summary>Most padded tokens in one forward pass; bounds memory, changes no result.</summary>
    public int TokensPerBatch { get; init; } = 4096;

    /// <summary>Threads; null takes all cores.</summary>
    public int? Threads { get; init; }

    /// <summary>Where the tune computes: <c>auto</c>, <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Number format of the matrix products.</summary>
    public TunePrecision Precision { get; init; } = TunePrecision.Float32;

    /// <summary>Keep only the layers' inputs for the backward pass: less memory, about a third more time, the same result.</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>Number format of the written weights: <c>float32</c>, <c>bfloat16</c>, <c>float16</c>; null keeps that of the base model.
    /// Small changes of a short tune are rounded away in 16 bits.</summary>
    public string? SaveDtype { get; init; }

    /// <summary>Optimizer steps between checkpoints; 0 writes none, so that a killed tune starts again.</summary>
    public int CheckpointEvery { get; init; } = 50;
}

/// <summary>How the probe and its aligned control are tuned.</summary>
public sealed record ProbeRecipe : TuningRecipe
{
    /// <summary>Creates the defaults.</summary>
    public ProbeRecipe()
    {
        Epochs = 3;
        LearningRate = 5e-4;
        SamplesPerStep = 8;
        SaveDtype = "float32";
    }

    /// <summary>Share of the training samples that make the probe sample.</summary>
    public double Fraction { get; init; } = 0.01;

    /// <summary>Fewest samples in the probe sample; a smaller corpus gives all it has.</summary>
    public int MinimumSamples { get; init; } = 100;
}

/// <summary>How losses are measured.</summary>
public sealed record ScoreRecipe
{
    /// <summary>Most tokens in one forward pass where nothing is said, on the CPU.</summary>
    public static readonly int DefaultTokensPerBatch = new ScoringOptions().TokensPerBatch;

    /// <summary>Most tokens in one forward pass; bounds memory, changes no loss. Null is <see cref="DefaultTokensPerBatch"/> on the
    /// CPU, and on CUDA what the device's free memory holds.</summary>
    public int? TokensPerBatch { get; init; }

    /// <summary>Memory a forward pass may take beside the weights, in MB (2^20 bytes); null takes 384, and on CUDA what is free
    /// on the device.</summary>
    public int? MemoryMb { get; init; }

    /// <summary>Where ONNX Runtime computes: <c>auto</c>, <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, or several devices: <c>cuda:0,1</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Number format of the activations: <c>auto</c>, <c>float32</c>, <c>float16</c>, <c>bfloat16</c> or <c>int8</c>.</summary>
    public string Precision { get; init; } = "auto";

    /// <summary>A plug-in execution provider of ONNX Runtime to compute with; null for the built-in one, or one beside the executable.</summary>
    public string? ProviderLibrary { get; init; }

    /// <summary>Samples written at a time; a killed run repeats at most one such shard.</summary>
    public int SamplesPerShard { get; init; } = 1024;
}

/// <summary>Which rule decides the roles that are tuned with. The other one is computed and reported as well.</summary>
public enum RuleKind
{
    /// <summary>Probe less aligned control, against a margin.</summary>
    Control,

    /// <summary>Probe less base, against 0 (arXiv:2412.14780).</summary>
    Paper,
}

/// <summary>How a loss difference becomes a role.</summary>
public sealed record RuleRecipe
{
    /// <summary>The rule.</summary>
    public RuleKind Kind { get; init; } = RuleKind.Control;

    /// <summary>Dead zone of the control rule, in nats: boilerplate where the difference is at most this.</summary>
    public double Margin { get; init; } = AlignedControlRule.DefaultMargin;

    /// <summary>Takes the least margin for which an estimated share of at most this among the reasoning tokens is boilerplate
    /// (<see cref="MarginEstimate"/>), above 0 and below 1; null takes <see cref="Margin"/>.</summary>
    public double? FalseShare { get; init; }

    /// <summary>The probe's loss above which the control rule calls a token reasoning whatever the difference says, in nats; infinite
    /// where the difference alone decides.</summary>
    [JsonConverter(typeof(SurpriseNotation))]
    public double Surprise { get; init; } = AlignedControlRule.DefaultSurprise;

    /// <summary>Whether the control rule decides on words or on single tokens. The paper's rule decides on tokens.</summary>
    public EvidenceUnit Unit { get; init; } = EvidenceUnit.Word;
}

/// <summary>One way of fine-tuning the base model on the whole corpus.</summary>
public enum TuneArm
{
    /// <summary>Every response token alike.</summary>
    Sft,

    /// <summary>Weight moved to the group of roles with the larger loss.</summary>
    Rft,
}

/// <summary>How the base model is fine-tuned at the end.</summary>
public sealed record TuneRecipe : TuningRecipe
{
    /// <summary>Creates the defaults.</summary>
    public TuneRecipe()
    {
        Epochs = 1;
        LearningRate = 2e-4;
        SamplesPerStep = 16;
        Precision = TunePrecision.Auto;
    }

    /// <summary>What is trained; empty stops the run after classification.</summary>
    public IReadOnlyList<TuneArm> Arms { get; init; } = [TuneArm.Sft, TuneArm.Rft];

    /// <summary>Optimizer steps between measurements on the held-out samples; 0 measures only before and after.</summary>
    public int EvaluateEvery { get; init; }

    /// <summary>Stop where the held-out loss no longer improves, and keep the best weights; null runs to the end.</summary>
    public EarlyStoppingSettings? EarlyStopping { get; init; }

    /// <summary>τ of the RFT loss, in nats.</summary>
    public double Temperature { get; init; } = 1.0;

    /// <summary>Let the weight of a role group in the RFT loss follow its number of tokens, too: losses that are alike then weigh every
    /// token alike.</summary>
    public bool WeightBySize { get; init; }

    /// <summary>Least weight of a boilerplate token in the RFT loss, as a share of its weight with SFT; 0 to 1.</summary>
    public double BoilerplateFloor { get; init; }

    /// <summary>Share of the steps after which the weights of the RFT loss go over to those of SFT; 0 to 1, which is never.</summary>
    public double AnnealFrom { get; init; } = 0.5;
}

/// <summary>Defaults that more than one place needs.</summary>
public static class RecipeDefaults
{
    /// <summary>The model's own chat template, or <c>plain</c> where it has none.</summary>
    public const string Layout = "auto";

    /// <summary>The model's own chat template; an error where it has none.</summary>
    public const string TemplateLayout = "template";

    /// <summary>Every name of a way to write conversations.</summary>
    public static readonly IReadOnlyList<string> Layouts = [Layout, TemplateLayout, .. ChatLayout.Names];

    /// <summary>Least memory of a forward pass, in MB.</summary>
    public const int LeastMemoryMb = (int)(ScoringOptions.LeastMemory >> 20);

    /// <summary>Number formats of weights.</summary>
    public static readonly IReadOnlyList<string> Dtypes = ["float32", "bfloat16", "float16"];

    /// <summary>What adapters can be put on: the projections by PEFT's names, or all of them.</summary>
    public static readonly IReadOnlyList<string> LoraTargets = [LoraSettings.AllLinear, .. AdapterModules.Names];

    /// <summary>Number formats that scoring can compute in.</summary>
    public static readonly IReadOnlyList<string> ScorePrecisions = ["auto", "float32", "float16", "bfloat16", "int8"];

    /// <summary>How the device of a tune is written, for messages.</summary>
    public const string TuneDeviceExpected = "auto, cpu, cuda or cuda:N";

    /// <summary>True for a device that a tune can run on: one, unlike in scoring.</summary>
    public static bool IsTuneDevice(string text) => DeviceChoice.Parse(text) is { Indices.Count: 1 };
}
