namespace Shad.Core.Tuning;

/// <summary>The only line of the sidecar's command <c>doctor</c>: what tuning has to work with here.</summary>
public sealed record SidecarDiagnosis : SidecarEvent
{
    /// <summary>Version of libtorch.</summary>
    public required string Torch { get; init; }

    /// <summary>Device of the tensors: <c>cpu</c> or <c>cuda:0</c>.</summary>
    public required string Device { get; init; }

    /// <summary>Why no CUDA device is used; null where one is.</summary>
    public string? NoCuda { get; init; }

    /// <summary>Threads of a tune that names none.</summary>
    public required int Threads { get; init; }

    /// <summary>True where the host's libstdc++ is older than TorchSharp asks for and a repaired copy of its library is used.</summary>
    public required bool LibstdcxxRepaired { get; init; }

    /// <summary>Speed of a bfloat16 matrix product relative to float32, measured; above 1 where bfloat16 pays.</summary>
    public required double Bfloat16Speedup { get; init; }
}
