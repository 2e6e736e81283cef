using Shad.Models.Adapters;
using TorchSharp;

namespace Shad.Sidecar.Modules;

/// <summary>The adapter that a tune changes, as it stands.</summary>
/// <param name="parameters">Parameters with adapters.</param>
/// <param name="config">What the adapter is, for its file.</param>
public sealed class TunedAdapter(DecoderParameters parameters, AdapterConfig config) : IAdapter
{
    /// <inheritdoc/>
    public AdapterConfig Config => config;

    /// <inheritdoc/>
    public IReadOnlyList<string> AdaptedWeights { get; } =
    [
        .. parameters.Layers.SelectMany(static layer => layer.Projections)
            .SelectMany(static block => block.Parts.Where((_, i) => block.Adapter?.Up[i] is not null))
            .Select(static part => part.Name),
    ];

    /// <inheritdoc/>
    public float[] ReadDown(string weight) => Read(AdapterModules.Down(weight));

    /// <inheritdoc/>
    public float[] ReadUp(string weight) => Read(AdapterModules.Up(weight));

    private float[] Read(string name)
    {
        using var scope = torch.NewDisposeScope();
        return parameters[name].reshape(-1).cpu().data<float>().ToArray();
    }
}
