using Shad.Cli.Recipes;

namespace Shad.Cli.Stages;

/// <summary>Names of the stages and of the files they hand on to each other.</summary>
public static class StageNames
{
    /// <summary>Generates the demo corpus.</summary>
    public const string Demo = "corpus";

    /// <summary>Reads the corpus, splits it, picks and shuffles the probe sample.</summary>
    public const string Sample = "sample";

    /// <summary>Tunes the probe.</summary>
    public const string Probe = "probe";

    /// <summary>Tunes the aligned control.</summary>
    public const string Control = "control";

    /// <summary>Scores the corpus.</summary>
    public const string Score = "score";

    /// <summary>Finds the roles.</summary>
    public const string Annotate = "annotate";

    /// <summary>Exports the tuned models to ONNX.</summary>
    public const string Export = "export";

    /// <summary>Measures the models on the held-out samples.</summary>
    public const string Eval = "eval";

    /// <summary>Writes the report.</summary>
    public const string Report = "report";

    /// <summary>Name of a tuned model's folder within a stage's folder.</summary>
    public const string ModelFolder = "model";

    /// <summary>Fine-tunes one arm.</summary>
    public static string Tune(TuneArm arm) => $"tune-{NameOf(arm)}";

    /// <summary><c>sft</c> or <c>rft</c>.</summary>
    public static string NameOf(TuneArm arm) => arm == TuneArm.Sft ? "sft" : "rft";
}
