using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Models;
using Shad.Onnx.Export;

namespace Shad.Cli.Commands;

/// <summary><c>shad export</c>: ONNX graphs for a model folder.</summary>
internal static class ExportCommand
{
    private static readonly Dictionary<string, WeightFormat> Formats = new()
    {
        ["float32"] = WeightFormat.Float32, ["float16"] = WeightFormat.Float16, ["int8"] = WeightFormat.Int8, ["int4"] = WeightFormat.Int4,
    };

    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model("Model folder; the graphs are written into it, beside the weights they point into.");
        var format = new Option<string>("--weights")
        {
            Description = "Number format of the weights. float32: the model's own files. Others, which need --out: float16; int8 and int4, where the "
                + "matrices of linear layers and of the LM head are quantized block by block (MatMulNBits).",
            HelpName = "FORMAT", DefaultValueFactory = static _ => "float32",
        };
        format.AcceptOnlyFromAmong([.. Formats.Keys]);
        var blockSize = new Option<int>("--block-size")
        {
            Description = "Weights that share a scale with int8 and int4: 16, 32, 64, 128 or 256.", HelpName = "N",
            DefaultValueFactory = static _ => new VariantOptions().BlockSize,
        };
        var output = new Option<string?>("--out", "-o")
        {
            Description = "Folder for a generation graph with weights of its own. Default: the model folder, with the model's weights.", HelpName = "DIR",
        };
        var withoutCheck = new Option<bool>("--no-check")
        {
            Description = "Write the graphs without loading them: for a large model a second or two instead of a minute. Not with --out.",
        };
        var command = new Command(
            "export",
            """
            Write the ONNX graphs of a model into its folder: one for scoring, and one for generation that onnxruntime-genai loads as
            it is. The weights stay in model.safetensors, so this takes kilobytes; only a model stored as changes gets a copy of its
            base model's weights. The graphs are loaded and checked by values. With --out, write a generation graph with weights of its
            own into another folder instead, smaller with --weights float16, int8 or int4, and tell by how much its losses differ.
            """)
        {
            model, format, blockSize, output, withoutCheck,
        };
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string folder = Path.GetFullPath(parse.GetRequiredValue(model));
            InputCheck.Model(folder);
            string formatName = parse.GetRequiredValue(format);
            bool check = !parse.GetValue(withoutCheck);
            if (parse.GetValue(output) is { } target)
            {
                if (!check) throw CommandErrors.VariantIsChecked();
                var options = new VariantOptions { Format = Formats[formatName], BlockSize = parse.GetValue(blockSize) };
                return await WriteVariantAsync(terminal, folder, Path.GetFullPath(target), formatName, options, cancellationToken).ConfigureAwait(false);
            }

            if (Formats[formatName] != WeightFormat.Float32) throw CommandErrors.WeightsNeedOutput(formatName);
            IReadOnlyList<string> files = await terminal.ShowAsync(observe => StageRun.ShowAsync(
                "export", check ? "Write and check the ONNX graphs" : "Write the ONNX graphs", observe,
                _ => Task.Run(() => ExportStage.Export(folder, check), cancellationToken))).ConfigureAwait(false);
            return new CommandResult(
                new JsonObject { ["model"] = folder, ["checked"] = check, ["files"] = JsonSerializer.SerializeToNode(files) },
                console =>
                {
                    foreach (string file in files) Lines.Write(console, file);
                });
        });
        return command;
    }

    private static async Task<CommandResult> WriteVariantAsync(
        CommandTerminal terminal, string folder, string target, string formatName, VariantOptions options, CancellationToken cancellationToken)
    {
        ExportedVariant variant = await terminal.ShowAsync(observe => StageRun.ShowAsync(
            "export", $"Write and check the {formatName} variant", observe,
            _ => Task.Run(
                () =>
                {
                    using ModelFolder model = ModelFolder.Open(folder);
                    return VariantExport.Write(model, target, options);
                },
                cancellationToken))).ConfigureAwait(false);
        return new CommandResult(
            new JsonObject
            {
                ["model"] = folder, ["out"] = target, ["weights"] = formatName, ["files"] = JsonSerializer.SerializeToNode(variant.Files),
                ["weight_bytes"] = variant.WeightBytes, ["model_weight_bytes"] = variant.ModelBytes,
                ["mean_loss_difference"] = variant.MeanDifference, ["largest_loss_difference"] = variant.LargestDifference,
            },
            console =>
            {
                foreach (string file in variant.Files) Lines.Write(console, file);
                Lines.Write(console, string.Create(
                    CultureInfo.InvariantCulture,
                    $"Weights: {variant.WeightBytes / 1e6:0.0} MB; the model's own: {variant.ModelBytes / 1e6:0.0} MB."));
                Lines.Write(console, string.Create(
                    CultureInfo.InvariantCulture,
                    $"Losses on random tokens differ from float32 by {variant.MeanDifference:0.0000} nats on average, by {variant.LargestDifference:0.0000} at most."));
            });
    }
}
