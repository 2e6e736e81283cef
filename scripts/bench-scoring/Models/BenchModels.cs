using BenchScoring.Gguf;
using Shad.Core.Randomness;
using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Export;

namespace BenchScoring.Models;

/// <summary>Makes the models of a shape in <c>work/models/SHAPE/</c>: <c>base</c>, <c>probe1</c>, <c>probe2</c> and the GGUF files.</summary>
internal static class BenchModels
{
    /// <summary>
    /// Wide enough that losses differ from token to token by more than a nat and attention looks somewhere: with the 0.02 of a
    /// training's start every loss is near ln V, and contenders that forget a norm or a rotation would agree.
    /// </summary>
    private static readonly InitializationOptions RandomWeights = new()
    {
        Seed = 20_26, Dtype = TensorDtype.Float32, StandardDeviation = 0.06, NormDeviation = 0.1, BiasDeviation = 0.1,
    };

    private const double ProbeDeviation = 0.01;

    public static string Base(string work, BenchShape shape) => Path.Combine(work, "models", shape.Name, "base");

    public static string Probe(string work, BenchShape shape, int number) => Path.Combine(work, "models", shape.Name, $"probe{number}");

    public static string Gguf(string work, BenchShape shape, TensorDtype dtype) =>
        Path.Combine(work, "models", shape.Name, $"base.{dtype.SafetensorsName().ToLowerInvariant()}.gguf");

    /// <summary>Layers a probe changes: the last quarter, at least one.</summary>
    public static int ProbeLayers(int layers) => Math.Max(1, layers / 4);

    /// <summary>Makes what is not there yet.</summary>
    /// <param name="work">The work folder.</param>
    /// <param name="shape">The shape.</param>
    /// <param name="bundled">Folder of the bundled model.</param>
    /// <param name="peers">Also the probes, the ONNX export and the GGUF files.</param>
    public static void Make(string work, BenchShape shape, string bundled, bool peers)
    {
        string folder = Base(work, shape);
        if (!Directory.Exists(folder)) MakeBase(folder, shape, bundled);
        if (!peers) return;
        using var model = ModelFolder.Open(folder);
        for (int number = 1; number <= 2; number++)
        {
            if (!Directory.Exists(Probe(work, shape, number))) MakeProbe(Probe(work, shape, number), model, number);
        }

        if (!File.Exists(Path.Combine(folder, OnnxExport.GenerationFile))) OnnxExport.Write(model);
        foreach (var dtype in (TensorDtype[])[TensorDtype.Float32, TensorDtype.BFloat16])
        {
            string gguf = Gguf(work, shape, dtype);
            if (!File.Exists(gguf)) GgufExport.Write(gguf, model, dtype);
        }
    }

    private static void MakeBase(string folder, BenchShape shape, string bundled)
    {
        if (shape.Config is { } config)
        {
            ModelInitializer.Write(folder, config, RandomWeights);
            return;
        }

        using var stored = ModelFolder.Open(bundled);
        ModelFolderWriter.Write(
            folder, stored.Config with { ContextLength = BenchShape.ContextLength },
            stored.Weights.Tensors.Values.Select(tensor => TensorToWrite.FromFloat32(
                tensor.Name, TensorDtype.Float32, tensor.Shape, () => stored.Weights.ReadFloat32(tensor.Name))),
            TensorDtype.Float32);
    }

    // As a tune in the last layers leaves them: these layers and the last norm are moved, the tied head is not.
    private static void MakeProbe(string folder, ModelFolder model, int number)
    {
        int first = model.Config.LayerCount - ProbeLayers(model.Config.LayerCount);
        string[] moved =
        [
            .. TensorLayout.Expected(model.Config).Select(static tensor => tensor.Name).Where(name => name == TensorNames.FinalNorm
                || Enumerable.Range(first, model.Config.LayerCount - first).Any(
                    layer => name.StartsWith(TensorNames.Layer(layer).Prefix + ".", StringComparison.Ordinal))),
        ];
        ModelFolderWriter.WriteChanges(folder, model, moved.Select((name, i) =>
        {
            var random = new SeededRandom(RandomWeights.Seed).Fork((ulong)(number * 10_000 + i));
            return TensorToWrite.FromFloat32(name, TensorDtype.Float32, model.Weights.Tensors[name].Shape, () =>
            {
                float[] values = model.Weights.ReadFloat32(name);
                for (int k = 0; k < values.Length; k++) values[k] += (float)(ProbeDeviation * random.NextGaussian());
                return values;
            });
        }));
    }
}
