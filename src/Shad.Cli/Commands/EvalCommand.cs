using System.CommandLine;
using System.Text.Json.Nodes;
using Shad.Cli.Generation;
using Shad.Cli.Corpora;
using Shad.Cli.Recipes;
using Shad.Cli.Scoring;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Data.Reports;
using Shad.Models;
using Spectre.Console;

namespace Shad.Cli.Commands;

/// <summary><c>shad eval</c>: mean losses of models on a corpus, by role, and what they answer to its prompts.</summary>
internal static class EvalCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var models = new Option<string[]>("--model", "-m")
        {
            Description = "Model folder. May be given several times, to compare.", HelpName = "DIR", Required = true,
        };
        var command = new Command(
            "eval",
            """
            Measure the mean loss of models on the responses of a corpus, in nats per token, by role: known roles where the corpus has
            them, else those that the structure of JSON responses suggests, else no roles. With --generate, let them answer every prompt
            as well, and count the answers and tool calls that are the corpus's own.
            """)
        {
            models,
        };
        var corpus = new CorpusOptionGroup(command);
        var score = new ScoreOptionGroup(command);
        var generation = new GenerationOptionGroup(command);
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string[] folders = [.. parse.GetRequiredValue(models).Select(Path.GetFullPath)];
            foreach (string folder in folders) InputCheck.Model(folder);
            CorpusRecipe corpusRecipe = corpus.Read(parse);
            InputCheck.Files(corpusRecipe.Files);
            ScoreRecipe recipe = score.Read(parse);
            GenerationChoice? generate = generation.Read(parse);
            if (generate?.Output is { } file && corpusRecipe.Files.Contains(file)) throw CommandErrors.OutputIsInput(file);
            var losses = new List<ModelLosses>();
            string? roles = null;
            await terminal.ShowAsync(observe => StageRun.ShowAsync("eval", $"Measure {folders.Length} models", observe, async context =>
            {
                var meter = new TokenMeter(context, null);
                foreach (string folder in folders)
                {
                    using ModelFolder model = ModelFolder.Open(folder);
                    var report = new CorpusReport();
                    IAsyncEnumerable<TokenizedSample> samples = CorpusEncoding
                        .ReadAsync(corpusRecipe, model, report, cancellationToken).Select(WithRoles);
                    losses.Add(await RoleLosses.MeasureAsync(
                        recipe, NameOf(folder, folders), folder, samples, meter.Add, cancellationToken).ConfigureAwait(false));
                    if (folder == folders[0]) CorpusEncoding.Warn(report, context);
                }

                return true;

                TokenizedSample WithRoles(EncodedSample sample)
                {
                    if (sample.KnownRoles is { } known)
                    {
                        roles = roles is null or "known" ? "known" : "known and structural";
                        return sample.Tokens with { Roles = known };
                    }

                    if (StructuralRoles.Of(sample) is not { } structural) return sample.Tokens with { Roles = null };
                    roles = roles is null or "structural" ? "structural" : "known and structural";
                    return sample.Tokens with { Roles = structural };
                }
            })).ConfigureAwait(false);
            var json = new JsonObject { ["loss_roles"] = roles, ["losses"] = RunResult.LossesJson(losses) };
            if (generate is null) return new CommandResult(json, DrawLosses);
            IReadOnlyList<GeneratedResponses> generated = await GenerateAsync(
                [.. folders.Select(folder => (NameOf(folder, folders), folder))], corpusRecipe, generate, terminal, cancellationToken).ConfigureAwait(false);
            json["generation"] = GenerationResult.SummaryJson(generated);
            if (generate.Output is { } output)
            {
                GenerationResult.Write(output, generated);
                json["out"] = output;
            }

            return new CommandResult(json, console =>
            {
                DrawLosses(console);
                GenerationResult.Draw(console, generated);
                if (generate.Output is not null) Lines.Write(console, $"All responses: {generate.Output}");
            });

            void DrawLosses(IAnsiConsole console) => RunResult.DrawLosses(console, losses, "", $"{roles} roles");
        });
        return command;
    }

    private static Task<IReadOnlyList<GeneratedResponses>> GenerateAsync(
        IReadOnlyList<(string Name, string Folder)> models, CorpusRecipe corpus, GenerationChoice choice, CommandTerminal terminal,
        CancellationToken cancellationToken) =>
        terminal.ShowAsync(observe => StageRun.ShowAsync("generate", $"Answer the prompts with {models.Count} models", observe, async context =>
        {
            var generated = new List<GeneratedResponses>();
            foreach ((string name, string folder) in models)
            {
                generated.Add(await ResponseGenerator.GenerateAsync(
                    name, folder, corpus, choice.MaximumNewTokens, null, new CorpusReport(),
                    (done, total, rate) => context.Progress(done, total, "responses", detail: name), cancellationToken, choice.Generator).ConfigureAwait(false));
            }

            return (IReadOnlyList<GeneratedResponses>)generated;
        }));

    /// <summary>The folder's name, or its path where two have the same.</summary>
    private static string NameOf(string folder, string[] all)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
        return all.Count(other => Path.GetFileName(Path.TrimEndingDirectorySeparator(other)) == name) == 1 ? name : folder;
    }
}
