namespace Shad.Onnx.Sessions;

/// <summary>How ONNX Runtime computes a graph.</summary>
public record SessionSettings
{
    /// <summary>Where to compute.</summary>
    public ComputeDevice Device { get; init; } = ComputeDevice.Auto;

    /// <summary>CUDA device number.</summary>
    public int DeviceIndex { get; init; }

    /// <summary>Threads of one operator; null takes one per physical core.</summary>
    public int? Threads { get; init; }

    /// <summary>Path of an execution provider that comes as a library of its own (a plug-in), instead of the one built in;
    /// null for none. Read where <see cref="Device"/> is not <see cref="ComputeDevice.Cpu"/>.</summary>
    public string? ProviderLibrary { get; init; }

    /// <summary>Number format of the activations.</summary>
    public ScoringPrecision Precision { get; init; }

    /// <summary>Why the device is the one it is, where another was tried before; null where it is what was asked for.</summary>
    internal string? DeviceReason { get; init; }

    internal virtual void Validate()
    {
        if (Threads is < 1) throw OnnxErrors.BadOption("threads", Threads, "at least 1");
        if (DeviceIndex < 0) throw OnnxErrors.BadOption("device index", DeviceIndex, "at least 0");
    }
}
