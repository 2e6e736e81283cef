using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Shad.Cli.Corpora;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Scoring;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Data.Annotations;
using Shad.Data.Corpora;
using Shad.Models;

namespace Shad.Cli.Commands;

/// <summary><c>shad score</c>: the loss of every response token.</summary>
internal static class ScoreCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model("Model folder; its losses become base_loss.");
        var probes = new Option<string[]>("--probe", "-p")
        {
            Description = "Probe folder; its losses become probe_loss. A second --probe is the aligned control: control_loss.",
            HelpName = "DIR",
        };
        Option<string> output = CommonOptions.Output("Annotations to write, as .parquet or .jsonl.", "FILE");
        var command = new Command(
            "score",
            """
            Score every response token of a corpus: its loss in nats, given all tokens before it. Streams: memory does not grow with
            the corpus. The output is an annotation file, one row a sample, lists aligned with input_ids, null where a token is no
            response token. All models are scored in one pass, which computes once the layers that the probes have in common with the
            model.
            """)
        {
            model, probes, output,
        };
        var corpus = new CorpusOptionGroup(command);
        var score = new ScoreOptionGroup(command);
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string[] probeFolders = parse.GetValue(probes) ?? [];
            if (probeFolders.Length > 2) throw CommandErrors.TooManyProbes(probeFolders.Length);
            string modelFolder = Path.GetFullPath(parse.GetRequiredValue(model));
            foreach (string folder in probeFolders.Prepend(modelFolder)) InputCheck.Model(folder);
            CorpusRecipe corpusRecipe = corpus.Read(parse);
            InputCheck.Files(corpusRecipe.Files);
            string file = Path.GetFullPath(parse.GetRequiredValue(output));
            if (corpusRecipe.Files.Contains(file)) throw CommandErrors.OutputIsInput(file);

            AnnotationColumns columns = AnnotationColumns.KnownRole | AnnotationColumns.Weight;
            if (probeFolders.Length > 0) columns |= AnnotationColumns.ProbeLoss;
            if (probeFolders.Length > 1) columns |= AnnotationColumns.ControlLoss;
            ScoreRecipe recipe = score.Read(parse);
            using AnnotationWriter writer = AnnotationWriter.Create(file, columns);
            return await terminal.ShowAsync(observe => StageRun.ShowAsync("score", $"Score with {1 + probeFolders.Length} models", observe, async context =>
            {
                long started = Stopwatch.GetTimestamp();
                var report = new CorpusReport();
                long samples = 0, tokens = 0, targets = 0;
                using ModelFolder folder = ModelFolder.Open(modelFolder);
                using CorpusScorer scorer = CorpusScorer.Open(
                    recipe, modelFolder, probeFolders.ElementAtOrDefault(0), probeFolders.ElementAtOrDefault(1));
                context.Progress(0, corpusRecipe.Limit, "samples", detail: scorer.Setting);
                IAsyncEnumerable<(EncodedSample Sample, AnnotationRow Row)> scored = scorer.ScoreAsync(
                    CorpusEncoding.ReadAsync(corpusRecipe, folder, report, cancellationToken), AnnotationRowOf,
                    state => context.Progress(state.Samples, corpusRecipe.Limit, "samples", state.TokensPerSecond), cancellationToken);
                await foreach ((_, AnnotationRow row) in scored.ConfigureAwait(false))
                {
                    writer.Write(row);
                    samples++;
                    tokens += row.InputIds.Length;

                    // The reading runs ahead of the scoring: what it has counted may lie beyond the limit.
                    targets += row.BaseLoss!.Count(static loss => !float.IsNaN(loss));
                }

                CorpusEncoding.Warn(report, context);
                scorer.Warn(context);
                if (samples == 0) throw CommandErrors.NothingEncoded(corpusRecipe.Files);
                writer.Complete();
                double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
                return new CommandResult(
                    new JsonObject
                    {
                        ["out"] = file,
                        ["samples"] = samples,
                        ["tokens"] = tokens,
                        ["response_tokens"] = targets,
                        ["bad_rows"] = report.BadRows,
                        ["skipped"] = report.Skipped,
                        ["truncated"] = report.Truncated,
                        ["seconds"] = Math.Round(seconds, 3),
                        ["tokens_per_second"] = Math.Round(tokens / seconds, 1),
                        ["device"] = scorer.Device,
                        ["device_reason"] = scorer.DeviceReason,
                        ["precision"] = scorer.Precision,
                        ["models"] = scorer.ModelCount,
                        ["shared_layers"] = scorer.SharedLayers,
                        ["padding"] = Math.Round(scorer.Progress.Padding, 4),
                        ["shared_prefixes"] = Math.Round(scorer.Progress.Shared, 4),
                        ["split_batches"] = scorer.Progress.Splits,
                    },
                    console => Lines.Write(
                        console,
                        $"{samples:N0} samples, {tokens:N0} tokens scored on {scorer.Setting} at {tokens / seconds:N0} tokens/s, {scorer.Progress.Shared:P1} of them in shared prefixes, {scorer.Progress.Padding:P1} padding: {file}"));
            })).ConfigureAwait(false);

            static AnnotationRow AnnotationRowOf(EncodedSample sample) => AnnotationRow.Of(sample);
        });
        return command;
    }
}
