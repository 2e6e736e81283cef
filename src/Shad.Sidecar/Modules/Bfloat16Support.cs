using System.Runtime.Intrinsics.X86;
using Shad.Core.Tuning;
using TorchSharp;

namespace Shad.Sidecar.Modules;

/// <summary>Whether bfloat16 products pay here.</summary>
public static class Bfloat16Support
{
    /// <summary>What a precision comes to on a device.</summary>
    public static TunePrecision Resolve(TunePrecision precision, torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (precision != TunePrecision.Auto) return precision;
        return device.type == DeviceType.CUDA || IsInHardware ? TunePrecision.BFloat16 : TunePrecision.Float32;
    }

    /// <summary>True where the processor multiplies bfloat16 itself: AVX512_BF16 (CPUID 7.1, EAX bit 5) or AMX-BF16 (CPUID 7.0, EDX
    /// bit 22), and the system saves the AVX-512 registers.</summary>
    public static bool IsInHardware
    {
        get
        {
            if (!X86Base.IsSupported || !Avx512F.IsSupported) return false;
            if (X86Base.CpuId(0, 0).Eax < 7) return false;
            var (subleaves, _, _, features) = X86Base.CpuId(7, 0);
            bool amx = (features & (1 << 22)) != 0;
            return amx || (subleaves >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0);
        }
    }
}
