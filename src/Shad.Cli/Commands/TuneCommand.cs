using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Corpora;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Models;

namespace Shad.Cli.Commands;

/// <summary><c>shad tune</c>: fine-tunes a model and exports it.</summary>
internal static class TuneCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var defaults = new TuneRecipe();
        Option<string> model = CommonOptions.Model();
        Option<string> output = CommonOptions.Output("Model folder to write, with ONNX graphs.", "DIR");
        var objective = new Option<string>("--objective")
        {
            Description = "sft: every response token alike. rft: weight to the harder role group (needs roles). weighted: the data's own weights. mask: reasoning tokens only (needs roles).",
            HelpName = "NAME",
            DefaultValueFactory = _ => "rft",
        };
        objective.AcceptOnlyFromAmong("sft", "rft", "weighted", "mask");
        Option<double?> temperature = BoundedOption.Of(
            "--temperature", $"τ of the rft objective, in nats. Default: {defaults.Temperature}.", 0.0, 1000, minimumExcluded: true);
        var weightBySize = new Option<bool>("--weight-by-size")
        {
            Description = "With rft: let a group's weight follow its number of tokens, too, so that equal losses weigh every token alike.",
        };
        Option<double?> annealFrom = BoundedOption.Of(
            "--anneal-from",
            $"With rft: share of the steps after which the weights go over to those of sft, little by little to the last step; 1 is never. Default: {defaults.AnnealFrom}.",
            0.0, 1);
        Option<double?> boilerplateFloor = BoundedOption.Of(
            "--boilerplate-floor", "With rft: the least weight of a boilerplate token, as a share of its weight with sft. Default: 0.", 0.0, 1);
        var heldOut = new Option<string?>("--held-out")
        {
            Description = "Samples whose loss is measured before and after, in any format of --data.", HelpName = "FILE",
        };
        Option<int?> evaluateEvery = BoundedOption.Of(
            "--evaluate-every", "Steps between measurements on --held-out. Default: before and after only.", 0, int.MaxValue);
        Option<int?> patience = BoundedOption.Of(
            "--patience", "Stop after so many measurements without improvement, and keep the best weights.", 1, int.MaxValue);
        Option<double?> minimumImprovement = BoundedOption.Of(
            "--minimum-improvement", "Nats by which the held-out loss must fall to count for --patience. Default: 0.", 0.0, 1000);
        var tensorBoard = new Option<string?>("--tensorboard") { Description = "Folder for TensorBoard's event files.", HelpName = "DIR" };
        Option<int?> checkpointEvery = BoundedOption.Of(
            "--checkpoint-every", $"Steps between checkpoints; 0 for none. Default: {defaults.CheckpointEvery}.", 0, int.MaxValue);
        Option<ulong?> seed = CommonOptions.Seed();
        var command = new Command(
            "tune",
            """
            Fine-tune a model on annotated samples (what 'shad annotate' wrote) or, with sft, on any corpus, and export it to ONNX.
            Interrupted or killed, the same command continues from its last checkpoint.
            """)
        {
            model, output, objective,
        };
        var data = new CorpusOptionGroup(command, "--data", "Annotations with roles or weights, or a corpus: .jsonl, .json or .parquet, also .gz and .zst.");
        command.Add(heldOut);
        command.Add(temperature);
        command.Add(weightBySize);
        command.Add(boilerplateFloor);
        command.Add(annealFrom);
        var tuning = new TuningOptionGroup(command, defaults);
        foreach (Option option in (Option[])[evaluateEvery, patience, minimumImprovement, tensorBoard, checkpointEvery]) command.Add(option);
        command.Add(seed);
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string modelFolder = Path.GetFullPath(parse.GetRequiredValue(model));
            string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(parse.GetRequiredValue(output)));
            InputCheck.Model(modelFolder);
            if (target == Path.TrimEndingDirectorySeparator(modelFolder)) throw CommandErrors.OutputIsInput(target);
            CorpusRecipe corpus = data.Read(parse);
            InputCheck.Files(corpus.Files);
            string? held = parse.GetValue(heldOut);
            if (held is not null) InputCheck.Files([held]);
            TuneObjective chosen = Enum.Parse<TuneObjective>(parse.GetRequiredValue(objective), ignoreCase: true);
            TuneRecipe recipe = tuning.Read(parse, defaults);
            var sidecar = new SidecarProcess(SidecarLocation.Find());

            // Encoded data and checkpoints lie beside the output; the checkpoints stay after an interrupt, to go on from.
            string work = target + ".work";
            Directory.CreateDirectory(work);
            return await terminal.ShowAsync(observe => StageRun.ShowAsync("tune", $"Tune with {parse.GetRequiredValue(objective)}", observe, async context =>
            {
                TuneDone done;
                try
                {
                    string train = await EncodeAsync(corpus, modelFolder, Path.Combine(work, "train.jsonl"), chosen, context, cancellationToken)
                        .ConfigureAwait(false);
                    string? measured = held is null ? null : await EncodeAsync(
                        corpus with { Files = [Path.GetFullPath(held)], Limit = null }, modelFolder, Path.Combine(work, "held_out.jsonl"),
                        TuneObjective.Sft, context, cancellationToken).ConfigureAwait(false);
                    TuneJob job = TuningWork.JobOf(recipe, modelFolder, train, parse.GetValue(seed) ?? 1) with
                    {
                        Output = target,
                        Objective = chosen,
                        Temperature = parse.GetValue(temperature) ?? defaults.Temperature,
                        WeightBySize = parse.GetValue(weightBySize),
                        BoilerplateFloor = parse.GetValue(boilerplateFloor) ?? 0,
                        AnnealFrom = parse.GetValue(annealFrom) ?? defaults.AnnealFrom,
                        HeldOut = measured,
                        EvaluateEvery = parse.GetValue(evaluateEvery) ?? 0,
                        EarlyStopping = parse.GetValue(patience) is { } most
                            ? new EarlyStoppingSettings { Patience = most, MinimumImprovement = parse.GetValue(minimumImprovement) ?? 0 }
                            : null,
                        TensorBoard = parse.GetValue(tensorBoard) is { } board ? Path.GetFullPath(board) : null,
                        MaximumLength = corpus.MaxLength,
                        CheckpointEvery = parse.GetValue(checkpointEvery) ?? defaults.CheckpointEvery,
                        CheckpointFolder = Path.Combine(work, "checkpoints"),
                    };
                    string jobFile = Path.Combine(work, "job.json");
                    AtomicText.Write(jobFile, JsonSerializer.Serialize(job, SidecarJson.Default.TuneJob));
                    done = await sidecar.RunAsync(
                        "tune", jobFile, Path.Combine(work, "sidecar.log"), item => TuningWork.Show(item, context), cancellationToken)
                        .ConfigureAwait(false);
                }
                finally
                {
                    File.Delete(Path.Combine(work, "train.jsonl"));
                    File.Delete(Path.Combine(work, "held_out.jsonl"));
                }

                IReadOnlyList<string> files = await Task.Run(() => ExportStage.Export(target), cancellationToken).ConfigureAwait(false);
                Directory.Delete(work, recursive: true);
                return new CommandResult(
                    new JsonObject
                    {
                        ["model"] = target,
                        ["onnx"] = JsonSerializer.SerializeToNode(files),
                        ["objective"] = parse.GetRequiredValue(objective),
                        ["steps"] = done.Steps,
                        ["best_step"] = done.BestStep,
                        ["loss"] = done.Loss,
                        ["seconds"] = Math.Round(done.Seconds, 3),
                    },
                    console => Lines.Write(console, $"{done.Steps:N0} steps in {done.Seconds:N1} s: {target}"));
            })).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<string> EncodeAsync(
        CorpusRecipe corpus, string modelFolder, string path, TuneObjective objective, WorkContext context,
        CancellationToken cancellationToken)
    {
        using ModelFolder model = ModelFolder.Open(modelFolder);
        var report = new CorpusReport();
        using TokenizedSampleWriter writer = TokenizedSampleWriter.Create(path);
        await foreach (EncodedSample sample in CorpusEncoding.ReadAsync(corpus, model, report, cancellationToken).ConfigureAwait(false))
        {
            TokenizedSample tokens = sample.Tokens.Roles is null && sample.KnownRoles is { } known
                ? sample.Tokens with { Roles = known }
                : sample.Tokens;
            if (objective is TuneObjective.Rft or TuneObjective.Mask && tokens.Roles is null) throw CommandErrors.RolesMissing(tokens.Id);
            writer.Write(tokens);
        }

        CorpusEncoding.Warn(report, context);
        if (writer.Count == 0) throw CommandErrors.NothingEncoded(corpus.Files);
        writer.Complete();
        return path;
    }
}
