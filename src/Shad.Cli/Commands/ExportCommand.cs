using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;

namespace Shad.Cli.Commands;

/// <summary><c>shad export</c>: ONNX graphs for a model folder.</summary>
internal static class ExportCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model("Model folder; the graphs are written into it, beside the weights they point into.");
        var command = new Command(
            "export",
            """
            Write the ONNX graphs of a model into its folder: one for scoring, and one for generation that onnxruntime-genai loads as
            it is. The weights stay in model.safetensors, so this takes kilobytes; only a model stored as changes gets a copy of its
            base model's weights. The graphs are loaded and checked by values.
            """)
        {
            model,
        };
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string folder = Path.GetFullPath(parse.GetRequiredValue(model));
            InputCheck.Model(folder);
            IReadOnlyList<string> files = await terminal.ShowAsync(observe => StageRun.ShowAsync(
                "export", "Write and check the ONNX graphs", observe,
                _ => Task.Run(() => ExportStage.Export(folder), cancellationToken))).ConfigureAwait(false);
            return new CommandResult(
                new JsonObject { ["model"] = folder, ["files"] = JsonSerializer.SerializeToNode(files) },
                console =>
                {
                    foreach (string file in files) Lines.Write(console, file);
                });
        });
        return command;
    }
}
