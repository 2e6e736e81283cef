namespace Shad.Onnx.Sessions;

/// <summary>The device a session computes on, and why it is that one.</summary>
/// <param name="Device"><see cref="ComputeDevice.Cpu"/> or <see cref="ComputeDevice.Cuda"/>, never <see cref="ComputeDevice.Auto"/>.</param>
/// <param name="Index">Number of the CUDA device; 0 on the CPU.</param>
/// <param name="Reason">Why, for people: <c>asked for</c>, <c>libcublasLt.so.13 not found</c>.</param>
public sealed record ChosenDevice(ComputeDevice Device, int Index, string Reason)
{
    /// <summary>The device as it is written for <c>--device</c>: <c>cpu</c>, <c>cuda:0</c>.</summary>
    public string Name => Device == ComputeDevice.Cpu ? "cpu" : $"cuda:{Index}";

    /// <summary>Name and reason.</summary>
    public override string ToString() => $"{Name} ({Reason})";
}
