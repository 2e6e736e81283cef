using System.CommandLine;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;

namespace Shad.Cli.Commands;

/// <summary><c>shad report</c>: the report of a run again.</summary>
internal static class ReportCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var folder = new Argument<string>("run") { Description = "Run folder, for example runs/demo.", HelpName = "RUN" };
        var command = new Command("report", "Write report.html of a run again from what the run folder holds.") { folder };
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            using RunFolder run = RunFolder.OpenExisting(parse.GetRequiredValue(folder));
            Recipe recipe = RecipeReader.Read(run.PathOf(RunFolder.RecipeFile), filesMustExist: false);
            // The report alone: what it shows is what the other stages have left.
            ReportStage report = RunPlan.Report(recipe, run);
            File.Delete(run.Report);
            await terminal.ShowAsync(async observe =>
            {
                await new RunExecutor(run, observe).ExecuteAsync(recipe.Name, recipe.Seed, [report], cancellationToken).ConfigureAwait(false);
                return true;
            }).ConfigureAwait(false);
            return new CommandResult(new JsonObject { ["report"] = run.Report }, console => Lines.Write(console, run.Report));
        });
        return command;
    }
}
