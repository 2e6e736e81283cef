using System.CommandLine;
using System.Text.Json.Nodes;
using Shad.Cli.Corpora;
using Shad.Cli.Recipes;
using Shad.Cli.Scoring;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Data.Reports;
using Shad.Models;

namespace Shad.Cli.Commands;

/// <summary><c>shad eval</c>: mean losses of models on a corpus, by role.</summary>
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
            them, else those that the structure of JSON responses suggests, else no roles.
            """)
        {
            models,
        };
        var corpus = new CorpusOptionGroup(command);
        var score = new ScoreOptionGroup(command);
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string[] folders = [.. parse.GetRequiredValue(models).Select(Path.GetFullPath)];
            foreach (string folder in folders) InputCheck.Model(folder);
            CorpusRecipe corpusRecipe = corpus.Read(parse);
            InputCheck.Files(corpusRecipe.Files);
            ScoreRecipe recipe = score.Read(parse);
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
            return new CommandResult(
                new JsonObject { ["loss_roles"] = roles, ["losses"] = RunResult.LossesJson(losses) },
                console => RunResult.DrawLosses(console, losses, "", $"{roles} roles"));
        });
        return command;
    }

    /// <summary>The folder's name, or its path where two have the same.</summary>
    private static string NameOf(string folder, string[] all)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
        return all.Count(other => Path.GetFileName(Path.TrimEndingDirectorySeparator(other)) == name) == 1 ? name : folder;
    }
}
