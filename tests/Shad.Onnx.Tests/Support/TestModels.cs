using Shad.Core.Randomness;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Onnx.Tests.Support;

/// <summary>Small models of every supported kind, with random weights large enough that attention, norms and biases decide
/// the losses: with the 0.02 of a fresh model everything is nearly uniform and a wrong mask would hardly show.</summary>
internal static class TestModels
{
    private static readonly DecoderConfig Base = new()
    {
        ModelType = "llama",
        HiddenSize = 48,
        IntermediateSize = 80,
        LayerCount = 3,
        AttentionHeads = 6,
        KeyValueHeads = 2,
        HeadSize = 8,
        VocabularySize = 97,
        ContextLength = 128,
        NormEpsilon = 1e-5f,
        Rotary = new RotaryEmbedding(10_000),
        TiedHead = false,
        EndOfSequenceIds = [2],
        BeginningOfSequenceId = 1,
    };

    /// <summary>The kinds by name.</summary>
    public static IReadOnlyDictionary<string, DecoderConfig> Kinds { get; } = new Dictionary<string, DecoderConfig>
    {
        ["llama with grouped queries, untied"] = Base,
        ["llama with grouped queries, tied"] = Base with { TiedHead = true },
        ["llama with as many KV heads"] = Base with { KeyValueHeads = 6 },
        ["llama with one KV head"] = Base with { KeyValueHeads = 1 },
        ["llama with 3 heads and 1 KV head"] = Base with { AttentionHeads = 3, KeyValueHeads = 1, HeadSize = 16 },
        ["llama with 5 heads and 5 KV heads"] = Base with { HiddenSize = 40, AttentionHeads = 5, KeyValueHeads = 5, HeadSize = 8 },
        ["llama with 15 heads and 5 KV heads"] = Base with { HiddenSize = 60, AttentionHeads = 15, KeyValueHeads = 5, HeadSize = 4 },
        ["llama with heads of 20"] = Base with { HeadSize = 20 },
        ["llama with heads of 6"] = Base with { HeadSize = 6 },
        ["llama with heads of 32"] = Base with { HeadSize = 32 },
        ["llama with one layer"] = Base with { LayerCount = 1 },
        ["llama with all biases"] = Base with { QueryKeyValueBias = true, OutputBias = true, MlpBias = true },
        ["llama 3 with scaled rotation"] = Base with
        {
            Rotary = new RotaryEmbedding(500_000, new Llama3RotaryScaling(8, 1, 4, 32)),
        },
        ["llama with linear rotation"] = Base with { Rotary = new RotaryEmbedding(10_000, new LinearRotaryScaling(4)) },
        ["mistral with a window"] = Base with { ModelType = "mistral", SlidingWindow = 5 },
        ["mistral with a window of one"] = Base with { ModelType = "mistral", SlidingWindow = 1 },
        ["qwen2"] = Base with { ModelType = "qwen2", QueryKeyValueBias = true, TiedHead = true, NormEpsilon = 1e-6f },
        ["qwen2 with windows in some layers"] = Base with
        {
            ModelType = "qwen2",
            QueryKeyValueBias = true,
            SlidingWindow = 7,
            SlidingWindowLayers = [false, true, true],
        },
        ["qwen3"] = Base with { ModelType = "qwen3", QueryKeyNorm = QueryKeyNorm.EachHead, HeadSize = 16, TiedHead = true },
    };

    /// <summary>Writes a model of a kind and opens it.</summary>
    public static ModelFolder Create(
        TemporaryFolder folder, DecoderConfig config, TensorDtype dtype = TensorDtype.Float32, ulong seed = 1)
    {
        string path = Path.Combine(folder.Path, $"model-{Guid.NewGuid():N}");
        ModelInitializer.Write(path, config, new InitializationOptions
        {
            Seed = seed,
            Dtype = dtype,
            StandardDeviation = 0.25,
            NormDeviation = 0.2,
            BiasDeviation = 0.3,
        });
        return ModelFolder.Open(path);
    }

    /// <summary>
    /// Writes a copy of a model as a short tune of its last layers leaves it: the layers from <paramref name="firstTuned"/> on, the
    /// last norm and an untied head are moved a little, all else has the same values.
    /// </summary>
    /// <param name="folder">Where.</param>
    /// <param name="model">The model.</param>
    /// <param name="firstTuned">First layer tuned; the number of layers tunes the top only, −1 everything.</param>
    /// <param name="dtype">dtype of the copy; must hold the model's values.</param>
    /// <param name="seed">Seed of the movement.</param>
    public static ModelFolder Tuned(
        TemporaryFolder folder, ModelFolder model, int firstTuned, TensorDtype dtype = TensorDtype.Float32, ulong seed = 2)
    {
        string path = Path.Combine(folder.Path, $"tuned-{Guid.NewGuid():N}");
        ModelFolderWriter.Write(path, model.Config, Moved(model, firstTuned, dtype, seed).Select(static tensor => tensor.Tensor), dtype);
        return ModelFolder.Open(path);
    }

    /// <summary>The same model as <see cref="Tuned"/> in float32, stored as what it changes.</summary>
    public static ModelFolder Changed(TemporaryFolder folder, ModelFolder model, int firstTuned, ulong seed = 2)
    {
        string path = Path.Combine(folder.Path, $"changed-{Guid.NewGuid():N}");
        ModelFolderWriter.WriteChanges(
            path, model,
            Moved(model, firstTuned, TensorDtype.Float32, seed).Where(static tensor => tensor.IsTuned).Select(static tensor => tensor.Tensor));
        return ModelFolder.Open(path);
    }

    private static List<(TensorToWrite Tensor, bool IsTuned)> Moved(ModelFolder model, int firstTuned, TensorDtype dtype, ulong seed)
    {
        var random = new SeededRandom(seed);
        return [.. TensorLayout.Expected(model.Config).Select(tensor =>
        {
            float[] values = model.Weights.ReadFloat32(tensor.Name);
            bool isTuned = IsTuned(tensor.Name);
            for (int i = 0; isTuned && i < values.Length; i++) values[i] += (float)(0.02 * random.NextGaussian());
            return (TensorToWrite.FromFloat32(tensor.Name, dtype, tensor.Shape, () => values), isTuned);
        })];

        bool IsTuned(string name) => firstTuned < 0 || name is TensorNames.FinalNorm or TensorNames.Head
            || Enumerable.Range(firstTuned, model.Config.LayerCount - firstTuned)
                .Any(layer => name.StartsWith(TensorNames.Layer(layer).Prefix + ".", StringComparison.Ordinal));
    }
}
