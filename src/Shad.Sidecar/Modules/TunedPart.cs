using Shad.Models.Adapters;

namespace Shad.Sidecar.Modules;

/// <summary>Which parameters a tune changes: the model's own, all or those of its last layers, or low-rank adapters beside them.</summary>
public sealed record TunedPart
{
    private readonly int? _lastLayers;

    private TunedPart(int? lastLayers) => _lastLayers = lastLayers;

    /// <summary>Every parameter.</summary>
    public static TunedPart All { get; } = new((int?)null);

    /// <summary>None: the model is only run.</summary>
    public static TunedPart None { get; } = new(0);

    /// <summary>The adapters that are tuned in place of the model's own parameters; null where those are tuned.</summary>
    public AdapterConfig? Adapter { get; private init; }

    /// <summary>True where the embedding is tuned, and with it a tied head.</summary>
    public bool IncludesEmbedding => Adapter is null && _lastLayers is null;

    /// <summary>True where the last norm and an untied head are tuned.</summary>
    public bool IncludesTop => Adapter is null && _lastLayers != 0;

    /// <summary>The last k layers, the last norm and an untied head. The embedding, and with it a tied head, is frozen.</summary>
    /// <param name="count">k, at least 1; null is <see cref="All"/>.</param>
    public static TunedPart Last(int? count)
    {
        if (count is null) return All;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count.Value);
        return new TunedPart(count);
    }

    /// <summary>Adapters of <see cref="AdapterConfig.Targets"/> in <see cref="AdapterConfig.Layers"/>; every parameter of the model itself
    /// is frozen.</summary>
    public static TunedPart Of(AdapterConfig adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        return new TunedPart((int?)null) { Adapter = adapter };
    }

    /// <summary>True where a layer's own parameters are tuned.</summary>
    public bool Includes(int layer, int layerCount) =>
        Adapter is null && (_lastLayers is not { } last || layer >= layerCount - last);

    /// <summary>True where a projection of a layer gets an adapter.</summary>
    /// <param name="layer">The layer, from 0.</param>
    /// <param name="module">The projection by PEFT's name.</param>
    public bool Adapts(int layer, string module) =>
        Adapter is { } adapter && (adapter.Layers is null || adapter.Layers.Contains(layer)) && adapter.Targets.Contains(module);
}
