using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;
using Shad.Onnx.Sessions;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Export;

/// <summary>What an exported variant is like.</summary>
/// <param name="Files">Full paths of the files written.</param>
/// <param name="WeightBytes">Bytes of its weights.</param>
/// <param name="ModelBytes">Bytes of the model's own.</param>
/// <param name="MeanDifference">Mean difference of its losses from the model's in float32, on sequences of random tokens: nats a token.</param>
/// <param name="LargestDifference">The largest of them, without its sign.</param>
public sealed record ExportedVariant(
    IReadOnlyList<string> Files, long WeightBytes, long ModelBytes, double MeanDifference, double LargestDifference);

/// <summary>
/// Writes a model's generation graph with weights of another number format into a folder of its own, which onnxruntime-genai loads as it is:
/// <c>model.onnx</c>, its weights, <c>genai_config.json</c>, and the model's config, tokenizer and chat template.
/// </summary>
public static class VariantExport
{
    /// <summary>File name of the weights.</summary>
    public const string WeightsFile = "model.onnx.data";

    private const int CheckedSequences = 4, CheckedLength = 32;

    /// <summary>Writes a variant, loads it again and compares its losses with the model's.</summary>
    /// <param name="model">The model folder.</param>
    /// <param name="output">The variant's folder: another than the model's. Files of an earlier export in it are replaced.</param>
    /// <param name="options">The number format.</param>
    /// <exception cref="ShadException">An option is out of range, the folder is the model's or cannot be written, a weight is beyond the
    /// format's range, or the variant does not load or gives losses that are not finite; it is then removed.</exception>
    public static ExportedVariant Write(ModelFolder model, string output, VariantOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        output = Path.GetFullPath(output);
        if (Path.TrimEndingDirectorySeparator(output) == Path.TrimEndingDirectorySeparator(model.Path)) throw OnnxErrors.VariantInModel(output);

        string[] names = [WeightsFile, OnnxExport.GenerationFile, OnnxExport.GenAiFile];
        string suffix = $".{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(output);
            var trunk = SharedTrunk.Of(model);
            var graph = GenerationGraph.Build(
                trunk,
                (builder, index) => new DecoderWeights(
                    builder, trunk, index, static entry => new TensorPlace(WeightsFile, entry.Offset), VariantWeights.ComputeTypeOf(options)));
            using (var data = new FileStream(Path.Combine(output, WeightsFile + suffix), FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
                VariantWeights.Rewrite(model, options, graph.Graph, WeightsFile, data);
            File.WriteAllBytes(Path.Combine(output, OnnxExport.GenerationFile + suffix), graph.ToByteArray());
            File.WriteAllBytes(Path.Combine(output, OnnxExport.GenAiFile + suffix), GenAiConfig.Create(model.Config, OnnxExport.GenerationFile));
            foreach (string name in names) File.Move(Path.Combine(output, name + suffix), Path.Combine(output, name), overwrite: true);
            File.Copy(
                Path.Combine(model.Path, DecoderConfigReader.FileName), Path.Combine(output, DecoderConfigReader.FileName), overwrite: true);
            ModelFolder.CopyCompanions(model.Path, output);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ShadException)
        {
            foreach (string name in names)
            {
                OnnxExport.DeleteIfThere(Path.Combine(output, name + suffix));
                OnnxExport.DeleteIfThere(Path.Combine(output, name));
            }

            if (error is ShadException) throw;
            throw OnnxErrors.NotWritten(output, error);
        }

        try
        {
            var (mean, largest) = Differences(model, output);
            return new ExportedVariant(
                [.. names.Select(name => Path.Combine(output, name))], new FileInfo(Path.Combine(output, WeightsFile)).Length,
                model.Weights.Tensors.Values.Sum(static tensor => tensor.ByteLength), mean, largest);
        }
        catch
        {
            foreach (string name in names) OnnxExport.DeleteIfThere(Path.Combine(output, name));
            throw;
        }
    }

    /// <summary>Losses of the tokens of a sequence from its second on, by the graph of a folder, in nats.</summary>
    internal static double[] Losses(InferenceSession session, DecoderConfig config, int[] ids)
    {
        using var run = new RunOptions();
        long[] tokens = [.. ids.Select(static id => (long)id)], mask = [.. ids.Select(static _ => 1L)];
        using var tokensValue = OrtValue.CreateTensorValueFromMemory(tokens, [1, ids.Length]);
        using var maskValue = OrtValue.CreateTensorValueFromMemory(mask, [1, ids.Length]);
        var names = new List<string> { GenerationGraph.InputIds, GenerationGraph.AttentionMask };
        var values = new List<OrtValue> { tokensValue, maskValue };
        try
        {
            for (int layer = 0; layer < config.LayerCount; layer++)
            {
                var cache = GenerationGraph.CacheOf(layer);
                foreach (string name in (string[])[cache.PastKey, cache.PastValue])
                {
                    names.Add(name);
                    values.Add(OrtValue.CreateAllocatedTensorValue(
                        OrtAllocator.DefaultInstance, session.InputMetadata[name].ElementDataType,
                        [1, config.KeyValueHeads, 0, PaddedLayout.CacheHeadSize(config)]));
                }
            }

            using var outputs = session.Run(run, names, values, [GenerationGraph.Logits]);
            var logits = outputs[0].GetTensorDataAsSpan<float>();
            double[] losses = new double[ids.Length - 1];
            for (int i = 0; i < losses.Length; i++)
            {
                var row = logits.Slice(i * config.VocabularySize, config.VocabularySize);
                losses[i] = ExportCheck.LogSumExp(row) - row[ids[i + 1]];
            }

            return losses;
        }
        catch (OnnxRuntimeException error)
        {
            throw OnnxErrors.Incomputable(OnnxExport.GenerationFile, error);
        }
        finally
        {
            foreach (var value in values.Skip(2)) value.Dispose();
        }
    }

    private static (double Mean, double Largest) Differences(ModelFolder model, string output)
    {
        var random = new SeededRandom(1);
        int length = Math.Min(CheckedLength, model.Config.ContextLength);
        int[][] sequences = [.. Enumerable.Range(0, CheckedSequences).Select(_ =>
            Enumerable.Range(0, length).Select(_ => random.NextInt32(model.Config.VocabularySize)).ToArray())];
        var cpu = new SessionSettings { Device = ComputeDevice.Cpu };

        // One after the other: a large model is held once.
        string path = Path.Combine(output, OnnxExport.GenerationFile);
        double[][] actual;
        using (var session = DecoderSession.LoadFile(path, cpu)) actual = [.. sequences.Select(ids => Losses(session, model.Config, ids))];
        var trunk = SharedTrunk.Of(model);
        double[][] expected;
        using (var session = DecoderSession.Load(trunk, cpu, (weightsOf, _) => GenerationGraph.Build(trunk, weightsOf), out _))
            expected = [.. sequences.Select(ids => Losses(session, model.Config, ids))];

        double sum = 0, largest = 0;
        for (int s = 0; s < sequences.Length; s++)
        {
            for (int i = 0; i < actual[s].Length; i++)
            {
                if (!double.IsFinite(actual[s][i]))
                    throw OnnxErrors.ExportMismatch(path, $"Token {i + 1} of a random sequence has a loss of {actual[s][i]} nats", "a finite loss");
                double difference = actual[s][i] - expected[s][i];
                sum += difference;
                largest = Math.Max(largest, Math.Abs(difference));
            }
        }

        return (sum / sequences.Sum(static ids => ids.Length - 1), largest);
    }
}
