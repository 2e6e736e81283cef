using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Onnx.Graphs;

/// <summary>
/// What models have in common, found by comparing their tensors by value. A probe that was tuned in its last layers computes the
/// same as its base model up to the first layer tuned, so one graph computes that trunk once and branches where they part:
/// <code>
///                         ┌ layer 2 ─ layer 3 ─ norm   base
/// embedding ─ layer 0 ─ layer 1 ┼ layer 2 ─ layer 3 ─ norm   probe      heads that are the same: one product for all
///                         └ layer 2 ─ layer 3 ─ norm   control
/// </code>
/// Models that have nothing in common are branches from the start.
/// </summary>
internal sealed class SharedTrunk
{
    /// <summary>What comes before the layers: the config and the embedding.</summary>
    public const int Start = -1;

    private static readonly IReadOnlyList<int> NoIds = [];

    private readonly Dictionary<string, int>[] _owners;

    private SharedTrunk(IReadOnlyList<ModelFolder> models, Dictionary<string, int>[] owners)
    {
        Models = models;
        _owners = owners;
    }

    /// <summary>The models; their folders must stay open as long as graphs are built from this.</summary>
    public IReadOnlyList<ModelFolder> Models { get; }

    /// <summary>Number of models.</summary>
    public int ModelCount => Models.Count;

    /// <summary>Leading layers that all models share, the embedding with them.</summary>
    public int SharedLayers
    {
        get
        {
            int[] all = [.. Enumerable.Range(0, ModelCount)];
            if (Split(all, Start).Count > 1) return 0;
            return Enumerable.Range(0, ConfigOf(0).LayerCount).TakeWhile(layer => Split(all, layer).Count == 1).Count();
        }
    }

    /// <summary>Compares models.</summary>
    public static SharedTrunk Of(params IReadOnlyList<ModelFolder> models)
    {
        var owners = new Dictionary<string, int>[models.Count];
        for (int i = 0; i < models.Count; i++)
        {
            var model = models[i];
            owners[i] = TensorLayout.Expected(model.Config).ToDictionary(
                static tensor => tensor.Name, tensor => Owner(tensor.Name), StringComparer.Ordinal);

            int Owner(string tensor)
            {
                for (int j = 0; j < i; j++)
                {
                    if (owners[j].TryGetValue(tensor, out int owner) && owner == j
                        && model.Weights.HasSameValues(tensor, models[j].Weights, tensor)) return j;
                }

                return i;
            }
        }

        return new SharedTrunk(models, owners);
    }

    /// <summary>The config of a model.</summary>
    public DecoderConfig ConfigOf(int model) => Models[model].Config;

    /// <summary>The first model that has a tensor with the name and the values of a model's: the model itself where none before
    /// it has.</summary>
    public int OwnerOf(int model, string tensor) => _owners[model][tensor];

    /// <summary>The tensor whose values a model's tensor has, where its owner stores it.</summary>
    public TensorEntry EntryOf(int model, string tensor) => Models[OwnerOf(model, tensor)].Weights.Tensors[tensor];

    /// <summary>
    /// Parts models that have computed the same so far into those that go on computing the same.
    /// </summary>
    /// <param name="models">Models alike up to here, ascending.</param>
    /// <param name="layer">What comes next: <see cref="Start"/>, a layer, or the number of layers for the last norm.</param>
    /// <returns>The parts, each ascending, in the order of their first model.</returns>
    public IReadOnlyList<int[]> Split(int[] models, int layer)
    {
        var parts = new List<List<int>>();
        foreach (int model in models)
        {
            var part = parts.Find(part => layer == Start ? SameStart(part[0], model) : SameTensors(part[0], model, TensorsOf(layer)));
            if (part is null) parts.Add([model]);
            else part.Add(model);
        }

        return [.. parts.Select(static part => part.ToArray())];

        IEnumerable<string> TensorsOf(int next)
        {
            var config = ConfigOf(models[0]);
            if (next == config.LayerCount)
            {
                var norm = NormModule.Final(config);
                return norm.Bias is { } bias ? [norm.Weight, bias] : [norm.Weight];
            }

            string prefix = config.Naming.PrefixOf(next);
            return _owners[models[0]].Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal));
        }
    }

    private bool SameStart(int one, int other) =>
        SameComputation(ConfigOf(one), ConfigOf(other)) && SameTensors(one, other, StartTensors(ConfigOf(one)));

    private static string[] StartTensors(DecoderConfig config) =>
        config.LearnedPositions ? [config.Naming.Embedding, config.Naming.Positions] : [config.Naming.Embedding];

    private bool SameTensors(int one, int other, IEnumerable<string> tensors) =>
        tensors.All(tensor => OwnerOf(one, tensor) == OwnerOf(other, tensor));

    /// <summary>True where the layers of both compute the same from the same tensors.</summary>
    private static bool SameComputation(DecoderConfig one, DecoderConfig other)
    {
        return one.Naming == other.Naming && Plain(one) == Plain(other) && Enumerable.Range(0, one.LayerCount).All(
            layer => one.WindowOf(layer) == other.WindowOf(layer) && one.RotaryOf(layer) == other.RotaryOf(layer));

        // Windows and rotation are compared layer by layer; the head and the ids of special tokens take no part in the layers.
        static DecoderConfig Plain(DecoderConfig config) => config with
        {
            ModelType = "", SlidingWindow = null, SlidingWindowLayers = null, Rotary = RotaryEmbedding.None, WindowRotary = null, RotaryLayers = null,
            TiedHead = false, LogitCap = null, ContextLength = 0,
            BeginningOfSequenceId = null, EndOfSequenceIds = NoIds,
        };
    }
}
