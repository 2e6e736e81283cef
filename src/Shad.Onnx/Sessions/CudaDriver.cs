using System.Runtime.InteropServices;
using System.Text;

namespace Shad.Onnx.Sessions;

/// <summary>A CUDA device as the driver tells it.</summary>
/// <param name="Name">Its name: <c>NVIDIA H100 80GB HBM3</c>.</param>
/// <param name="Capability">Compute capability, major · 10 + minor: 90 is sm_90.</param>
/// <param name="TotalMemory">Its memory, in bytes.</param>
internal readonly record struct CudaDeviceInfo(string Name, int Capability, long TotalMemory);

/// <summary>
/// What NVIDIA's driver library says of the devices (CUDA Driver API), loaded where it is there. It numbers the devices as the
/// runtime does, <c>CUDA_VISIBLE_DEVICES</c> included, which NVML and nvidia-smi do not.
/// </summary>
internal static unsafe class CudaDriver
{
    private const int CapabilityMajor = 75;
    private const int CapabilityMinor = 76;

    private static readonly Lazy<nint> Library = new(static () =>
    {
        string name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(name, out nint library)) return 0;
        var initialize = (delegate* unmanaged<uint, int>)Function("cuInit", library);
        return initialize != null && initialize(0) == 0 ? library : 0;
    });

    /// <summary>Version of CUDA that the driver answers for: 13000 is 13.0; null where no driver answers.</summary>
    public static int? Version
    {
        get
        {
            int version = 0;
            var ask = (delegate* unmanaged<int*, int>)Function("cuDriverGetVersion");
            return ask != null && ask(&version) == 0 ? version : null;
        }
    }

    /// <summary>The devices; none where no driver answers.</summary>
    public static IReadOnlyList<CudaDeviceInfo> Devices
    {
        get
        {
            int count = 0;
            var ask = (delegate* unmanaged<int*, int>)Function("cuDeviceGetCount");
            if (ask == null || ask(&count) != 0) return [];
            return [.. Enumerable.Range(0, count).Select(Describe)];
        }
    }

    /// <summary>Free memory of a device in bytes; null where the driver does not say.</summary>
    public static long? FreeMemory(int index)
    {
        var retain = (delegate* unmanaged<nint*, int, int>)Function("cuDevicePrimaryCtxRetain");
        var release = (delegate* unmanaged<int, int>)Function("cuDevicePrimaryCtxRelease_v2");
        var push = (delegate* unmanaged<nint, int>)Function("cuCtxPushCurrent_v2");
        var pop = (delegate* unmanaged<nint*, int>)Function("cuCtxPopCurrent_v2");
        var ask = (delegate* unmanaged<nuint*, nuint*, int>)Function("cuMemGetInfo_v2");
        if (retain == null || release == null || push == null || pop == null || ask == null || !TryGetDevice(index, out int device)) return null;

        // The primary context is the one the runtime takes too: it is made once, and what it needs is already counted.
        nint context = 0;
        if (retain(&context, device) != 0) return null;
        try
        {
            if (push(context) != 0) return null;
            nuint free = 0, total = 0;
            bool told = ask(&free, &total) == 0;
            pop(&context);
            return told ? (long)free : null;
        }
        finally
        {
            _ = release(device);
        }
    }

    private static CudaDeviceInfo Describe(int index)
    {
        if (!TryGetDevice(index, out int device)) return new CudaDeviceInfo("unknown", 0, 0);
        var nameOf = (delegate* unmanaged<byte*, int, int, int>)Function("cuDeviceGetName");
        var attribute = (delegate* unmanaged<int*, int, int, int>)Function("cuDeviceGetAttribute");
        var memory = (delegate* unmanaged<nuint*, int, int>)Function("cuDeviceTotalMem_v2");
        Span<byte> name = stackalloc byte[256];
        name.Clear();
        int major = 0, minor = 0;
        nuint total = 0;
        fixed (byte* start = name)
        {
            if (nameOf != null) _ = nameOf(start, name.Length, device);
        }

        if (attribute != null)
        {
            _ = attribute(&major, CapabilityMajor, device);
            _ = attribute(&minor, CapabilityMinor, device);
        }

        if (memory != null) _ = memory(&total, device);
        int end = name.IndexOf((byte)0);
        return new CudaDeviceInfo(Encoding.UTF8.GetString(end < 0 ? name : name[..end]), major * 10 + minor, (long)total);
    }

    private static bool TryGetDevice(int index, out int device)
    {
        int found = 0;
        var get = (delegate* unmanaged<int*, int, int>)Function("cuDeviceGet");
        bool told = get != null && get(&found, index) == 0;
        device = found;
        return told;
    }

    private static nint Function(string name) => Library.Value == 0 ? 0 : Function(name, Library.Value);

    private static nint Function(string name, nint library) => NativeLibrary.TryGetExport(library, name, out nint address) ? address : 0;
}
