using System.CommandLine;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;

namespace Shad.Cli.Commands;

/// <summary><c>shad run RECIPE.yaml</c>: the whole method on a corpus.</summary>
internal static class RunCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var recipeFile = new Argument<string>("recipe") { Description = "Recipe in YAML; scripts/recipes holds examples.", HelpName = "RECIPE.yaml" };
        var set = new Option<string[]>("--set")
        {
            Description = "Replace a value of the recipe, for example --set tune.steps=100. May be given several times.",
            HelpName = "KEY.PATH=VALUE",
        };
        Option<string> runs = RunsFolder();
        var fresh = new Option<bool>("--fresh") { Description = "Forget what the run folder holds and run every stage again." };
        var validate = new Option<bool>("--validate") { Description = "Only check the recipe." };
        var command = new Command(
            "run",
            """
            Run the whole method as a recipe says: sample, probe, control, score, annotate, tune, export, eval, report.
            Everything goes to a folder, runs/NAME. Run again, it continues where it stopped: a stage whose inputs have not changed is
            not run again.
            """)
        {
            recipeFile, set, runs, fresh, validate,
        };
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            Recipe recipe = RecipeReader.Read(parse.GetRequiredValue(recipeFile), parse.GetValue(set));
            string folder = Path.Combine(parse.GetRequiredValue(runs), recipe.Name);
            if (parse.GetValue(validate))
            {
                return new CommandResult(
                    new() { ["valid"] = true, ["name"] = recipe.Name, ["folder"] = Path.GetFullPath(folder) },
                    console => Lines.Write(console, "The recipe is valid."));
            }

            return await ExecuteAsync(
                terminal, folder, recipe, RunPlan.Whole(recipe, new SidecarProcess(SidecarLocation.Find())), parse.GetValue(fresh),
                cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    /// <summary>The option that says where run folders are.</summary>
    public static Option<string> RunsFolder() => new("--runs")
    {
        Description = "Folder of the run folders.", HelpName = "DIR", DefaultValueFactory = _ => "runs",
    };

    /// <summary>Runs a plan and hands back what it has found.</summary>
    public static async Task<CommandResult> ExecuteAsync(
        CommandTerminal terminal, string folder, Recipe recipe, IReadOnlyList<Stage> stages, bool fresh,
        CancellationToken cancellationToken)
    {
        using RunFolder run = RunFolder.Open(folder);
        if (fresh) run.Clear();
        run.WriteRecipe(recipe);
        await terminal.ShowAsync(async observe =>
        {
            await new RunExecutor(run, observe).ExecuteAsync(recipe.Name, recipe.Seed, stages, cancellationToken).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
        return RunResult.Of(run, recipe, stages);
    }
}
