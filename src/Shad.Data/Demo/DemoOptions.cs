namespace Shad.Data.Demo;

/// <summary>What a demo corpus holds.</summary>
public sealed record DemoOptions
{
    /// <summary>Number of samples, 1 or more.</summary>
    public int Samples { get; init; } = 3000;

    /// <summary>Number of the first sample, 0 or more. Sample <c>i</c> of a seed is the same in every corpus that holds it, so
    /// held-out samples are those after the last one of the training corpus.</summary>
    public int First { get; init; }

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Formats to use, each as often as the others on average; at least one.</summary>
    public IReadOnlyList<DemoFormat> Formats { get; init; } = DemoFormats.All;
}
