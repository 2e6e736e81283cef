namespace Shad.Sidecar.Modules;

/// <summary>Which parameters a tune changes.</summary>
public sealed record TunedPart
{
    private readonly int? _lastLayers;

    private TunedPart(int? lastLayers) => _lastLayers = lastLayers;

    /// <summary>Every parameter.</summary>
    public static TunedPart All { get; } = new((int?)null);

    /// <summary>None: the model is only run.</summary>
    public static TunedPart None { get; } = new(0);

    /// <summary>True where the embedding is tuned, and with it a tied head.</summary>
    public bool IncludesEmbedding => _lastLayers is null;

    /// <summary>True where the last norm and an untied head are tuned.</summary>
    public bool IncludesTop => _lastLayers != 0;

    /// <summary>The last k layers, the last norm and an untied head. The embedding, and with it a tied head, is frozen.</summary>
    /// <param name="count">k, at least 1; null is <see cref="All"/>.</param>
    public static TunedPart Last(int? count)
    {
        if (count is null) return All;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count.Value);
        return new TunedPart(count);
    }

    /// <summary>True where a layer is tuned.</summary>
    public bool Includes(int layer, int layerCount) => _lastLayers is not { } last || layer >= layerCount - last;
}
