using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Shad.Models;
using Shad.Onnx.Graphs;
using Shad.Onnx.Kernels;
using Shad.Onnx.Protobuf;
using Shad.Onnx.Quantization;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Sessions;

/// <summary>A graph of a decoder loaded into ONNX Runtime: from memory, or from a file that was exported.</summary>
internal static class DecoderSession
{
    private const string ExternalDataFolder = "session.model_external_initializers_file_folder_path";
    private const string SpinningOfThreads = "session.intra_op.allow_spinning";

    /// <summary>Builds a graph in memory and loads it. Nothing is written; the weights are read where they lie.</summary>
    /// <param name="trunk">The models of the graph; the first decides the number format on CUDA.</param>
    /// <param name="settings">How to compute.</param>
    /// <param name="build">Builds the graph, given how to add a model's weights to it, and whether it may have operators of
    /// <see cref="CustomOperators"/>.</param>
    /// <param name="device">The device chosen.</param>
    public static InferenceSession Load(
        SharedTrunk trunk, SessionSettings settings, Func<Func<GraphBuilder, int, DecoderWeights>, bool, ModelProto> build,
        out ChosenDevice device)
    {
        device = ExecutionProvider.Choose(settings);
        using var options = Options(settings, device);
        var files = WeightFiles.Resolve(trunk.Models);
        var computeType = ComputeTypes.Of(settings, device, trunk.Models[0]);
        bool hasOwnOperators = device.Device == ComputeDevice.Cpu && computeType == DataType.Float && HasOwnOperators(options);
        var int8 = settings.Precision == ScoringPrecision.Int8 ? new Int8Weights() : null;
        try
        {
            var graph = build((builder, model) => new DecoderWeights(builder, trunk, model, files.PlaceOf, computeType, int8), hasOwnOperators);
            options.AddSessionConfigEntry(ExternalDataFolder, files.Folder);
            if (int8 is null) return new InferenceSession(graph.ToByteArray(), options);
            foreach (var (name, values) in int8.Values) options.AddInitializer(name, values);
            return new Int8Session(graph.ToByteArray(), options, int8);
        }
        catch (Exception error)
        {
            int8?.Dispose();
            if (error is OnnxRuntimeException) throw OnnxErrors.NotLoaded(string.Join(", ", trunk.Models.Select(static model => model.Path)), error);
            throw;
        }
    }

    /// <summary>Loads a graph from a file.</summary>
    public static InferenceSession LoadFile(string path, SessionSettings settings)
    {
        using var options = Options(settings, ExecutionProvider.Choose(settings));
        try
        {
            return new InferenceSession(path, options);
        }
        catch (OnnxRuntimeException error)
        {
            throw OnnxErrors.NotLoaded(path, error);
        }
    }

    /// <summary>A session with the weights that were lent to it, which must outlive it.</summary>
    private sealed class Int8Session(byte[] model, SessionOptions options, Int8Weights weights) : InferenceSession(model, options)
    {
        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            if (disposing) weights.Dispose();
        }
    }

    // A copy of the runtime older than the operators' interface computes without them.
    private static bool HasOwnOperators(SessionOptions options)
    {
        try
        {
            CustomOperators.AddTo(options);
            return true;
        }
        catch (NotSupportedException)
        {
            return false;
        }
    }

    private static SessionOptions Options(SessionSettings settings, ChosenDevice device)
    {
        var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,

            // Errors are thrown; logged they would only be told twice.
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,

            // Plans are made per input shape and kept for ever; batches hardly ever repeat theirs.
            EnableMemoryPattern = false,
        };
        try
        {
            // Waiting threads sleep: tokenization and annotation share the cores, and one operator takes milliseconds.
            options.AddSessionConfigEntry(SpinningOfThreads, "0");
            if ((settings.Threads ?? PhysicalCores.Count) is { } threads) options.IntraOpNumThreads = threads;
            ExecutionProvider.Append(options, settings, device);
            return options;
        }
        catch
        {
            options.Dispose();
            throw;
        }
    }
}
