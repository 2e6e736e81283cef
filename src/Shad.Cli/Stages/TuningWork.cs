using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;
using Shad.Core.Tuning;
using Shad.Models;

namespace Shad.Cli.Stages;

/// <summary>
/// One tune in a stage's folder: the job goes to the sidecar, its events become progress and <c>curve.jsonl</c>. Continues from the
/// sidecar's checkpoint where a killed run left one.
/// </summary>
/// <param name="context">The stage.</param>
/// <param name="sidecar">The sidecar.</param>
internal sealed class TuningWork(StageContext context, SidecarProcess sidecar)
{
    /// <summary>Name of the file with the tune's events.</summary>
    public const string CurveFile = "curve.jsonl";

    private const string CheckpointFolder = "checkpoints", TensorBoardFolder = "tensorboard";

    /// <summary>The job that a recipe's settings make.</summary>
    public static TuneJob JobOf(TuningRecipe recipe, string model, string data, ulong seed) => new()
    {
        Model = model,
        Output = "",
        Data = data,
        LastLayers = LayersOf(recipe, model),
        Lora = recipe.Lora,
        GradientCheckpointing = recipe.GradientCheckpointing,
        Steps = recipe.Steps,
        Epochs = recipe.Epochs,
        LearningRate = recipe.LearningRate,
        SamplesPerStep = recipe.SamplesPerStep,
        TokensPerBatch = recipe.TokensPerBatch,
        Device = recipe.Device,
        Precision = recipe.Precision,
        Threads = recipe.Threads,
        SaveDtype = recipe.SaveDtype,
        CheckpointEvery = recipe.CheckpointEvery,
        Seed = seed,
    };

    /// <summary>How many of the last layers of a model a recipe tunes; null for all parameters.</summary>
    /// <exception cref="Shad.Core.Errors.ShadException">The model cannot be read.</exception>
    private static int? LayersOf(TuningRecipe recipe, string modelFolder) => recipe.LastLayers.CountOf(() =>
    {
        using ModelFolder model = ModelFolder.Open(modelFolder);
        return model.Config.LayerCount;
    });

    /// <summary>Runs the tune; the model is written to <c>model</c> in the stage's folder.</summary>
    public async Task<StageOutcome> RunAsync(TuneJob job, CancellationToken cancellationToken)
    {
        string checkpoints = context.PathOf(CheckpointFolder);
        job = job with
        {
            Output = context.PathOf(StageNames.ModelFolder), CheckpointFolder = checkpoints, TensorBoard = context.PathOf(TensorBoardFolder),
        };
        string jobFile = context.PathOf("job.json");
        AtomicText.Write(jobFile, JsonSerializer.Serialize(job, SidecarJson.Default.TuneJob));

        TuneStarted? started = null;
        TuneDone done;
        var curve = new StreamWriter(context.PathOf(CurveFile), append: true) { AutoFlush = true };
        await using (curve.ConfigureAwait(false))
        {
            done = await sidecar.RunAsync("tune", jobFile, context.PathOf("sidecar.log"), Keep, cancellationToken).ConfigureAwait(false);
        }

        if (Directory.Exists(checkpoints)) Directory.Delete(checkpoints, recursive: true);
        // It names the folder of a stage that is not done; the stage's record holds the settings.
        File.Delete(jobFile);
        return new StageOutcome
        {
            Summary = string.Create(
                CultureInfo.InvariantCulture,
                $"{done.Steps} steps on {started?.Samples ?? 0} samples{(done.Loss is { } loss ? $", last loss {loss:0.000}" : "")}"),
            Tokens = done.Tokens,
            Result = new JsonObject
            {
                ["steps"] = done.Steps,
                ["samples"] = started?.Samples,
                ["tuned_parameters"] = started?.TunedParameters,
                ["parameters"] = started?.Parameters,
                ["last_layers"] = job.LastLayers,
                ["loss"] = done.Loss,
                ["torch"] = started?.Torch,
                ["device"] = started?.Device,
                ["precision"] = started is null ? null : JsonSerializer.SerializeToNode(started.Precision),
                ["best_step"] = done.BestStep,
            },
        };

        void Keep(SidecarEvent item)
        {
            if (item is TuneStarted begin) started = begin;
            if (item is TuneProgress or HeldOutMeasured) curve.WriteLine(JsonSerializer.Serialize(item, SidecarJson.Default.SidecarEvent));
            Show(item, context);
        }
    }

    /// <summary>Passes an event of the sidecar on as progress or warning.</summary>
    public static void Show(SidecarEvent item, WorkContext context)
    {
        if (item is TuneProgress progress)
            context.Progress(progress.Step, progress.Steps, "steps", progress.TokensPerSecond, progress.SecondsLeft, Detail(progress));
        if (item is MemoryPlanned plan) context.Progress(0, null, "steps", detail: plan.Summary);
        if (item is SidecarWarning warning) context.Warn(warning.Code, warning.Message);
    }

    /// <summary>The events of a tune that is done, each step once: a tune that was killed repeats the steps after its checkpoint.</summary>
    public static (IReadOnlyList<TuneProgress> Progress, IReadOnlyList<HeldOutMeasured> HeldOut) ReadCurve(string stageFolder)
    {
        var progress = new SortedDictionary<int, TuneProgress>();
        var heldOut = new SortedDictionary<int, HeldOutMeasured>();
        string path = Path.Combine(stageFolder, CurveFile);
        if (!File.Exists(path)) return ([], []);
        foreach (string line in File.ReadLines(path))
        {
            SidecarEvent? item;
            try
            {
                item = JsonSerializer.Deserialize(line, SidecarJson.Default.SidecarEvent);
            }
            catch (JsonException)
            {
                // The line that was being written when the run was killed.
                continue;
            }

            if (item is TuneProgress step) progress[step.Step] = step;
            if (item is HeldOutMeasured measured) heldOut[measured.Step] = measured;
        }

        return ([.. progress.Values], [.. heldOut.Values]);
    }

    private static string Detail(TuneProgress progress)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"loss {progress.Loss:0.000}");
        if (progress.BoilerplateLoss is { } boilerplate && progress.ReasoningLoss is { } reasoning)
            text += string.Create(CultureInfo.InvariantCulture, $" (boilerplate {boilerplate:0.000}, reasoning {reasoning:0.000})");
        return text;
    }
}
