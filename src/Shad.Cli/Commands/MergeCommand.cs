using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Models;
using Shad.Models.Adapters;
using Shad.Models.Weights;

namespace Shad.Cli.Commands;

/// <summary><c>shad merge</c>: a model with a low-rank adapter worked into its weights.</summary>
internal static class MergeCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model("The model the adapter was made for.");
        Option<string> output = CommonOptions.Output("Model folder to write, with ONNX graphs.", "DIR");
        var adapter = new Option<string>("--adapter")
        {
            Description = "Adapter folder in PEFT's layout: adapter_config.json and adapter_model.safetensors.", HelpName = "DIR", Required = true,
        };
        var dtype = new Option<string?>("--dtype")
        {
            Description = "Number format of the weights written. Default: that of the model.", HelpName = "FORMAT",
        };
        dtype.AcceptOnlyFromAmong([.. RecipeDefaults.Dtypes]);
        var command = new Command(
            "merge",
            """
            Work a low-rank adapter (LoRA), trained here or with PEFT, into the weights of its model, and export the result to ONNX.
            """)
        {
            model, adapter, output, dtype,
        };
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string from = Path.GetFullPath(parse.GetRequiredValue(model)), target = Path.GetFullPath(parse.GetRequiredValue(output));
            string adapterFolder = Path.GetFullPath(parse.GetRequiredValue(adapter));
            int adapted = 0;
            IReadOnlyList<string> files = await terminal.ShowAsync(observe => StageRun.ShowAsync(
                "merge", "Work the adapter into the weights", observe,
                _ => Task.Run(() => Merge(), cancellationToken))).ConfigureAwait(false);
            return new CommandResult(
                new JsonObject { ["model"] = target, ["adapted"] = adapted, ["onnx"] = JsonSerializer.SerializeToNode(files) },
                console => Lines.Write(console, $"{adapted} matrices changed: {target}"));

            IReadOnlyList<string> Merge()
            {
                using (ModelFolder opened = ModelFolder.Open(from))
                using (AdapterFolder lora = AdapterFolder.Open(adapterFolder, opened.Config))
                {
                    TensorDtype format = parse.GetValue(dtype) is { } name ? TensorDtypes.Parse(name) : opened.Weights.MainDtype;
                    ModelFolderWriter.Write(target, opened.Config, AdapterMerge.Tensors(opened, lora, format), format, from);
                    adapted = lora.AdaptedWeights.Count;
                }

                return ExportStage.Export(target);
            }
        });
        return command;
    }
}
