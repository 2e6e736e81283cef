using System.CommandLine;
using Shad.Cli.Recipes;
using Shad.Cli.Sidecar;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;

namespace Shad.Cli.Commands;

/// <summary><c>shad demo</c>: the whole method on a generated corpus with the bundled model.</summary>
internal static class DemoCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var settings = new DemoSettings();
        var model = new Option<string?>("--model", "-m")
        {
            Description = "Model folder. Default: the bundled models/shad-mini.", HelpName = "DIR",
        };
        Option<int?> samples = BoundedOption.Of("--samples", $"Samples of the demo corpus. Default: {settings.Samples}.", 10, 1_000_000);
        Option<int?> steps = BoundedOption.Of("--steps", "Optimizer steps of every tune, for a quick look. Default: as tuned for the demo.", 1, 1_000_000);
        Option<string> runs = RunCommand.RunsFolder();
        var fresh = new Option<bool>("--fresh") { Description = "Forget what an earlier demo left and run every stage again." };
        var command = new Command(
            "demo",
            """
            Watch the method run from a corpus to a re-tuned, re-exported model and a report, in a few minutes on a CPU.
            It generates tool calls whose boilerplate and reasoning are known character by character, finds the roles with the bundled
            model, compares them with the known ones, fine-tunes with and without the weights, and writes runs/demo/report.html.
            """)
        {
            model, samples, steps, runs, fresh,
        };
        command.SetWork(terminal, (parse, cancellationToken) =>
        {
            DemoSettings chosen = settings with { Samples = parse.GetValue(samples) ?? settings.Samples };
            if (parse.GetValue(steps) is { } count)
                chosen = chosen with { Probe = chosen.Probe with { Steps = count }, Tune = chosen.Tune with { Steps = count } };
            string modelFolder = parse.GetValue(model) is { } named ? Path.GetFullPath(named) : BundledModel(AppContext.BaseDirectory);
            string folder = Path.GetFullPath(Path.Combine(parse.GetRequiredValue(runs), "demo"));
            Recipe recipe = chosen.ToRecipe(modelFolder, Path.Combine(folder, StageNames.Demo, DemoCorpusStage.CorpusFile));
            return RunCommand.ExecuteAsync(
                terminal, folder, recipe,
                RunPlan.Whole(
                    recipe, new SidecarProcess(SidecarLocation.Find()), new DemoCorpusStage(chosen.Samples, chosen.Seed)),
                parse.GetValue(fresh), cancellationToken);
        });
        return command;
    }

    /// <summary>The bundled model: in <c>models/</c> beside the program or in a folder above it.</summary>
    /// <exception cref="Shad.Core.Errors.ShadException">It is nowhere.</exception>
    internal static string BundledModel(string baseFolder)
    {
        for (DirectoryInfo? folder = new(baseFolder); folder is not null; folder = folder.Parent)
        {
            string model = Path.Combine(folder.FullName, "models", "shad-mini");
            if (File.Exists(Path.Combine(model, "config.json"))) return model;
        }

        throw CommandErrors.BundledModelMissing(baseFolder);
    }
}
