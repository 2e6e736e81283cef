using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;
using Shad.Models.Weights;

namespace Shad.Models.Adapters;

/// <summary>
/// A low-rank adapter in the layout of Hugging Face PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>, whose
/// tensors are named <c>base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight</c> and so on.
/// </summary>
public sealed class AdapterFolder : IAdapter, IDisposable
{
    /// <summary>Name of the weights file.</summary>
    public const string WeightsFileName = "adapter_model.safetensors";

    private readonly SafetensorsFile _file;

    private AdapterFolder(string path, AdapterConfig config, IReadOnlyList<string> weights, SafetensorsFile file)
    {
        Path = path;
        Config = config;
        AdaptedWeights = weights;
        _file = file;
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public AdapterConfig Config { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> AdaptedWeights { get; }

    /// <summary>Opens an adapter and checks it against the model it is to change.</summary>
    /// <param name="path">Its folder.</param>
    /// <param name="model">The model.</param>
    /// <exception cref="ShadException">A file is missing or damaged, the adapter uses what is not known here, or does not fit the
    /// model.</exception>
    public static AdapterFolder Open(string path, DecoderConfig model)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(model);
        path = System.IO.Path.GetFullPath(path);
        if (!Directory.Exists(path)) throw ModelErrors.AdapterFolderMissing(path);
        AdapterConfig config = AdapterConfig.Read(System.IO.Path.Combine(path, AdapterConfig.FileName), model.Naming.InputsFirst);
        SafetensorsFile file = SafetensorsFile.Open(System.IO.Path.Combine(path, WeightsFileName));
        try
        {
            var left = new Dictionary<string, TensorEntry>(file.Tensors, StringComparer.Ordinal);
            var weights = new List<string>();
            var layers = new SortedSet<int>();
            var names = new HashSet<string>(StringComparer.Ordinal);
            for (int i = 0; i < model.LayerCount; i++)
            {
                foreach (LinearModule module in LayerModules.Of(model, i).Linears)
                {
                    string weight = module.Weight, down = AdapterModules.Down(weight), up = AdapterModules.Up(weight);
                    bool hasDown = left.Remove(down, out TensorEntry? a), hasUp = left.Remove(up, out TensorEntry? b);
                    if (!hasDown && !hasUp) continue;
                    if (!hasDown || !hasUp) throw ModelErrors.AdapterTensorMissing(file.Path, hasDown ? up : down);
                    Require(a!, [config.Rank, module.Inputs]);
                    Require(b!, [module.Outputs, config.Rank]);
                    weights.Add(weight);
                    layers.Add(i);
                    names.Add(module.Name);
                }
            }

            if (left.Count > 0) throw ModelErrors.AdapterTensorUnknown(file.Path, left.Keys.Order(StringComparer.Ordinal).First());
            if (weights.Count == 0) throw ModelErrors.AdapterEmpty(file.Path);
            config = config with
            {
                Targets = [.. AdapterModules.NamesOf(model).Where(names.Contains)],
                Layers = layers.Count == model.LayerCount ? null : [.. layers],
            };
            return new AdapterFolder(path, config, weights, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        void Require(TensorEntry found, long[] shape)
        {
            if (!found.Shape.AsSpan().SequenceEqual(shape))
                throw ModelErrors.AdapterShape(file.Path, found.Name, ModelErrors.Shape(found.Shape), ModelErrors.Shape(shape));
        }
    }

    /// <inheritdoc/>
    public float[] ReadDown(string weight) => _file.ReadFloat32(AdapterModules.Down(weight));

    /// <inheritdoc/>
    public float[] ReadUp(string weight) => _file.ReadFloat32(AdapterModules.Up(weight));

    /// <summary>Writes an adapter, in float32; PEFT's <c>PeftModel.from_pretrained</c> loads the folder.</summary>
    /// <param name="path">The folder; made where it does not exist.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="model">The model it changes.</param>
    /// <exception cref="ShadException">The disk refuses.</exception>
    public static void Write(string path, IAdapter adapter, DecoderConfig model)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(adapter);
        var modules = Enumerable.Range(0, model.LayerCount).SelectMany(layer => LayerModules.Of(model, layer).Linears)
            .ToDictionary(static module => module.Weight, StringComparer.Ordinal);
        long rank = adapter.Config.Rank;
        SafetensorsWriter.Write(System.IO.Path.Combine(path, WeightsFileName), adapter.AdaptedWeights.SelectMany(weight => (TensorToWrite[])[
            TensorToWrite.FromFloat32(
                AdapterModules.Down(weight), TensorDtype.Float32, [rank, modules[weight].Inputs], () => adapter.ReadDown(weight)),
            TensorToWrite.FromFloat32(
                AdapterModules.Up(weight), TensorDtype.Float32, [modules[weight].Outputs, rank], () => adapter.ReadUp(weight)),
        ]));
        adapter.Config.Write(System.IO.Path.Combine(path, AdapterConfig.FileName), model.Naming.InputsFirst);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
