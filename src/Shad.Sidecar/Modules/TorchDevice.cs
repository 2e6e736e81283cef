using TorchSharp;

namespace Shad.Sidecar.Modules;

/// <summary>Where tensors live.</summary>
public static class TorchDevice
{
    /// <summary>CUDA where this build has it and the machine a device, else the CPU.</summary>
    public static torch.Device Best() => torch.cuda.is_available() ? torch.CUDA : torch.CPU;
}
