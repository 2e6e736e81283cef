namespace Shad.Onnx.Sessions;

/// <summary>Where a graph is computed.</summary>
public enum ComputeDevice
{
    /// <summary>CUDA where this build and this machine have it, the CPU elsewhere.</summary>
    Auto,

    /// <summary>The CPU.</summary>
    Cpu,

    /// <summary>A CUDA device; an error where there is none.</summary>
    Cuda,
}
