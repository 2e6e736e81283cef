using System.CommandLine;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Sidecar;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;

namespace Shad.Cli.Commands;

/// <summary><c>shad probe</c>: the probe and its aligned control from a corpus.</summary>
internal static class ProbeCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var defaults = new ProbeRecipe();
        Option<string> model = CommonOptions.Model();
        Option<string> output = CommonOptions.Output("Folder to write to; the models are probe/model and control/model in it.", "DIR");
        Option<ulong?> seed = CommonOptions.Seed();
        Option<double?> fraction = BoundedOption.Of(
            "--fraction", $"Share of the corpus that makes the probe sample. Default: {defaults.Fraction}.", 0.0, 1, minimumExcluded: true);
        Option<int?> minimum = BoundedOption.Of(
            "--minimum-samples", $"Fewest samples in it; a smaller corpus gives all it has. Default: {defaults.MinimumSamples}.", 2, int.MaxValue);
        var command = new Command(
            "probe",
            """
            Make the two models that classification compares: the probe, tuned for a short while on samples with another sample's
            response, and its aligned control, tuned on the same samples as they are. Continues where it was interrupted. Models tuned
            in their last layers only are stored as what they change in the base model, and scored at little more than its cost.
            """)
        {
            model, output,
        };
        var corpus = new CorpusOptionGroup(command);
        command.Add(fraction);
        command.Add(minimum);
        var tuning = new TuningOptionGroup(command, defaults);
        command.Add(seed);
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string folder = Path.GetFullPath(parse.GetRequiredValue(output));
            var recipe = new Recipe
            {
                Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)),
                Seed = parse.GetValue(seed) ?? 1,
                Model = new ModelRecipe { Path = Path.GetFullPath(parse.GetRequiredValue(model)) },
                Corpus = corpus.Read(parse) with { HeldOut = 0 },
                Probe = tuning.Read(parse, defaults) with
                {
                    Fraction = parse.GetValue(fraction) ?? defaults.Fraction,
                    MinimumSamples = parse.GetValue(minimum) ?? defaults.MinimumSamples,
                },
            };
            InputCheck.Model(recipe.Model.Path);
            InputCheck.Files(recipe.Corpus.Files);
            IReadOnlyList<Stage> stages = RunPlan.Probes(recipe, new SidecarProcess(SidecarLocation.Find()));
            using RunFolder run = RunFolder.Open(folder);
            run.WriteRecipe(recipe);
            await terminal.ShowAsync(async observe =>
            {
                await new RunExecutor(run, observe).ExecuteAsync(recipe.Name, recipe.Seed, stages, cancellationToken).ConfigureAwait(false);
                return true;
            }).ConfigureAwait(false);
            string probe = Path.Combine(run.StageFolder(StageNames.Probe), StageNames.ModelFolder);
            string control = Path.Combine(run.StageFolder(StageNames.Control), StageNames.ModelFolder);
            var sample = run.RequireRecord(StageNames.Sample).ResultAs<SampleResult>();
            return new CommandResult(
                new JsonObject
                {
                    ["probe"] = probe,
                    ["control"] = control,
                    ["samples"] = sample.Samples,
                    ["probe_samples"] = sample.ProbeSamples,
                    ["seconds"] = Math.Round(stages.Sum(stage => run.RequireRecord(stage.Name).Seconds), 3),
                },
                console =>
                {
                    Lines.Write(console, $"Probe:   {probe}");
                    Lines.Write(console, $"Control: {control}");
                });
        });
        return command;
    }
}
