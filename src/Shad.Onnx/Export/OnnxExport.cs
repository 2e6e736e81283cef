using Google.Protobuf;
using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Graphs;
using Shad.Onnx.Protobuf;
using Shad.Onnx.Sessions;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Export;

/// <summary>
/// Writes a model's ONNX graphs into its folder, beside the weights they point into: some kilobytes, whatever the model's
/// size. The folder then loads in ONNX Runtime (scoring) and onnxruntime-genai (generation) as it is.
/// A model stored as changes to a base model gets a copy of the base model's tensors it uses: ONNX Runtime reads the weights of a
/// graph file in the file's folder only.
/// </summary>
public static class OnnxExport
{
    /// <summary>File name of the scoring graph.</summary>
    public const string ScoringFile = "scoring.onnx";

    /// <summary>File name of the generation graph.</summary>
    public const string GenerationFile = "model.onnx";

    /// <summary>File name of onnxruntime-genai's settings.</summary>
    public const string GenAiFile = "genai_config.json";

    /// <summary>File name of the base model's tensors beside a model stored as changes; safetensors inside, but no part of the
    /// model folder.</summary>
    public const string BaseWeightsFile = "onnx_base.weights";

    private static readonly string[] Files = [ScoringFile, GenerationFile, GenAiFile];

    /// <summary>Writes the graphs and settings, all or none. Existing ones are replaced.</summary>
    /// <param name="model">The model folder.</param>
    /// <returns>Full paths of the files written.</returns>
    /// <exception cref="Core.Errors.ShadException">The weights are links to files elsewhere, or the folder cannot be written.</exception>
    public static IReadOnlyList<string> Write(ModelFolder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var places = model.Weights.Base is null ? InPlace(model) : WithBaseWeights(model);
        var trunk = SharedTrunk.Of(model);

        WriteTogether(model.Path,
        [
            (ScoringFile, Bytes(ScoringGraph.BuildPadded(trunk, Weights))),
            (GenerationFile, Bytes(GenerationGraph.Build(trunk, Weights))),
            (GenAiFile, GenAiConfig.Create(model.Config, GenerationFile)),
        ]);
        return [.. Files.Concat(model.Weights.Base is null ? [] : [BaseWeightsFile]).Select(file => Path.Combine(model.Path, file))];

        DecoderWeights Weights(GraphBuilder graph, int index) => new(graph, trunk, index, places, DataType.Float);

        static byte[] Bytes(ModelProto graph) => graph.ToByteArray();
    }

    /// <summary>Checks what was written: names, then shapes, then values. The scoring graph's losses on random sequences are
    /// compared with those from the generation graph's logits, in one pass and with the cache.</summary>
    /// <param name="model">The model folder.</param>
    /// <exception cref="Core.Errors.ShadException">A file is missing, or something differs; the export is then removed.</exception>
    public static void Check(ModelFolder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        foreach (string file in Files)
        {
            if (!File.Exists(Path.Combine(model.Path, file))) throw OnnxErrors.ExportMissing(Path.Combine(model.Path, file));
        }

        try
        {
            ExportCheck.Run(model);
        }
        catch
        {
            Remove(model);
            throw;
        }
    }

    /// <summary>Removes an export from a model folder; what is not there is passed over.</summary>
    /// <param name="model">The model folder.</param>
    public static void Remove(ModelFolder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        foreach (string file in (string[])[.. Files, BaseWeightsFile]) File.Delete(Path.Combine(model.Path, file));
    }

    private static Func<TensorEntry, TensorPlace> InPlace(ModelFolder model)
    {
        var files = WeightFiles.Resolve(model);
        return files.AreIn(model) ? files.PlaceOf : throw OnnxErrors.WeightsElsewhere(model.Path);
    }

    private static Func<TensorEntry, TensorPlace> WithBaseWeights(ModelFolder model)
    {
        string changes = Path.Combine(model.Path, BaseReference.ChangesFileName);
        string path = Path.Combine(model.Path, BaseWeightsFile);
        SafetensorsWriter.Write(
            path,
            TensorLayout.Expected(model.Config).Where(tensor => model.Weights.Tensors[tensor.Name].File != changes)
                .Select(tensor => TensorToWrite.CopyOf(model.Weights, tensor.Name)));
        using var copied = SafetensorsFile.Open(path);
        var offsets = copied.Tensors.Values.ToDictionary(static tensor => tensor.Name, static tensor => tensor.Offset, StringComparer.Ordinal);
        return entry => entry.File == changes
            ? new TensorPlace(BaseReference.ChangesFileName, entry.Offset)
            : new TensorPlace(BaseWeightsFile, offsets[entry.Name]);
    }

    // All under temporary names first, so that a full disk shows before anything is replaced.
    private static void WriteTogether(string folder, (string Name, byte[] Content)[] files)
    {
        string suffix = $".{Guid.NewGuid():N}.tmp";
        try
        {
            foreach (var (name, content) in files) File.WriteAllBytes(Path.Combine(folder, name + suffix), content);
            foreach (var (name, _) in files)
                File.Move(Path.Combine(folder, name + suffix), Path.Combine(folder, name), overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // None rather than some: a graph of this export beside settings of another would be worse than no export.
            foreach (var (name, _) in files)
            {
                DeleteIfThere(Path.Combine(folder, name + suffix));
                DeleteIfThere(Path.Combine(folder, name));
            }

            throw OnnxErrors.NotWritten(folder, error);
        }
    }

    internal static void DeleteIfThere(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here is the one to tell.
        }
    }
}
