using System.Globalization;
using Shad.Sidecar.Native;
using TorchSharp;

namespace Shad.Sidecar.Modules;

/// <summary>Where tensors live.</summary>
public static class TorchDevice
{
    /// <summary>How a device is written, for messages.</summary>
    public const string Expected = "auto, cpu, cuda or cuda:N";

    /// <summary>The number of a CUDA device, −1 for the CPU, null for <c>auto</c>.</summary>
    /// <exception cref="Core.Errors.ShadException">The text is no device.</exception>
    public static int? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text == "auto") return null;
        if (text == "cpu") return -1;
        if (text == "cuda") return 0;
        const string prefix = "cuda:";
        return text.StartsWith(prefix, StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            ? index
            : throw SidecarErrors.JobValue("device", text, Expected);
    }

    /// <summary>The device that a job asks for.</summary>
    /// <exception cref="Core.Errors.ShadException">It is no device, or CUDA is asked for and not there.</exception>
    public static torch.Device Of(string text)
    {
        int? asked = Parse(text);
        if (asked == -1) return torch.CPU;
        if (NoCuda(asked ?? 0) is { } why) return asked is null ? torch.CPU : throw SidecarErrors.NoCuda(why.Why, why.Mend);
        return new torch.Device(DeviceType.CUDA, asked ?? 0);
    }

    /// <summary>The device as jobs write it: <c>cpu</c>, <c>cuda:0</c>.</summary>
    public static string NameOf(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.type == DeviceType.CUDA ? $"cuda:{Math.Max(0, device.index)}" : "cpu";
    }

    /// <summary>Why a CUDA device cannot be used, and what mends it; null where it can.</summary>
    public static (string Why, string Mend)? NoCuda(int index)
    {
        if (!TorchLibraries.HasCuda)
        {
            return (
                $"this libtorch was built without CUDA ({TorchLibraries.Folder} holds no libtorch_cuda)",
                $"Build with -p:ShadDevice=cuda, set {TorchLibraries.FolderVariable} to the folder 'lib' of a PyTorch with CUDA, or use device cpu");
        }

        if (!torch.cuda.is_available())
            return ("libtorch sees no CUDA device", "Check nvidia-smi, the driver and CUDA_VISIBLE_DEVICES, or use device cpu");
        int count = torch.cuda.device_count();
        return index < count ? null : ($"there is no CUDA device {index}; libtorch sees {count}", $"Use a number below {count}");
    }
}
