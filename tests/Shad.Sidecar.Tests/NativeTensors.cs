using TorchSharp;

namespace Shad.Sidecar.Tests;

/// <summary>The tensors there are.</summary>
internal static class NativeTensors
{
    /// <summary>Their number, without those that earlier tests left to the finalizers: one that runs later would take them off the count.</summary>
    public static long SettledCount()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return torch.Tensor.TotalCount;
    }
}
