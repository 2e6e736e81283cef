using Microsoft.ML.OnnxRuntime;

namespace Shad.Onnx.Sessions;

/// <summary>What this machine and this build have for CUDA, and what they lack.</summary>
internal sealed record CudaSituation
{
    private const string ProviderFile = "libonnxruntime_providers_cuda.so";
    private const string CudaName = "CUDAExecutionProvider";

    /// <summary>True where the runtime itself holds the CUDA provider; otherwise a library of its own must.</summary>
    public required bool IsBuiltIn { get; init; }

    /// <summary>The provider's library: that of the runtime, or the plug-in; null where there is none.</summary>
    public string? Library { get; init; }

    /// <summary>Libraries the provider needs and the system does not find, by name.</summary>
    public IReadOnlyList<string> Missing { get; init; } = [];

    /// <summary>Major version of the CUDA libraries the provider needs, from their names; null where not known.</summary>
    public int? NeededCuda { get; init; }

    /// <summary>Version of CUDA that the driver answers for: 13000 is 13.0; null where no driver answers.</summary>
    public int? DriverCuda { get; init; }

    /// <summary>The devices that the driver shows.</summary>
    public IReadOnlyList<CudaDeviceInfo> Devices { get; init; } = [];

    /// <summary>Looks at this machine.</summary>
    /// <param name="providerLibrary">Path of a plug-in provider that was named; null takes the runtime's own provider, or one beside the
    /// executable.</param>
    public static CudaSituation Look(string? providerLibrary)
    {
        bool builtIn = providerLibrary is null && OrtEnv.Instance().GetAvailableProviders().Contains(CudaName);
        string? library = providerLibrary ?? Find();
        if (library is null) return new CudaSituation { IsBuiltIn = builtIn, DriverCuda = CudaDriver.Version, Devices = CudaDriver.Devices };
        var needed = NeededLibraries.Of(library);
        return new CudaSituation
        {
            IsBuiltIn = builtIn, Library = library, Missing = NeededLibraries.Missing(library), NeededCuda = MajorOf(needed),
            DriverCuda = CudaDriver.Version, Devices = CudaDriver.Devices,
        };
    }

    /// <summary>Why a device cannot be used here, and what mends it; null where nothing is known against it.</summary>
    public (string Why, string Mend)? Obstacle(int index)
    {
        if (!IsBuiltIn && Library is null)
        {
            return (
                "this build of Shad.Onnx holds the CPU runtime only",
                "Build with -p:ShadDevice=cuda, name a plug-in provider with --provider-library or put it beside the executable, or use device cpu or auto");
        }

        if (Missing.Count > 0) return ($"{string.Join(", ", Missing)} not found", MendOf(Missing, NeededCuda));

        // A plug-in for other devices than NVIDIA's says itself what it lacks.
        if (!IsBuiltIn && NeededCuda is null) return null;
        if (DriverCuda is not { } driver) return ("no NVIDIA driver answers", "Install the NVIDIA driver, or use device cpu");
        if (NeededCuda is { } needed && driver < needed * 1000)
        {
            return (
                $"the NVIDIA driver answers for CUDA {driver / 1000}.{driver % 1000 / 10}, and the provider needs CUDA {needed}",
                $"Update the NVIDIA driver to one for CUDA {needed}, or use device cpu");
        }

        if (Devices.Count == 0) return ("the driver shows no CUDA device", "Check nvidia-smi and CUDA_VISIBLE_DEVICES, or use device cpu");
        if (index < Devices.Count) return null;
        return (
            $"there is no CUDA device {index}; the driver shows {Devices.Count}: {string.Join(", ", Devices.Select(static (device, i) => $"{i} {device.Name}"))}",
            $"Use cuda:0{(Devices.Count > 1 ? $" to cuda:{Devices.Count - 1}" : "")}");
    }

    private static string MendOf(IReadOnlyList<string> missing, int? cuda)
    {
        var ways = new List<string>();
        if (missing.Any(static name => name.StartsWith("libcuda.so", StringComparison.Ordinal))) ways.Add("install the NVIDIA driver");
        if (missing.Any(IsOfToolkit))
        {
            ways.Add(
                $"install CUDA {cuda?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "of the version in those names"}"
                + " (or Python's nvidia-cublas, nvidia-cuda-runtime and nvidia-curand) and put the folder of its libraries into LD_LIBRARY_PATH");
        }

        if (missing.Any(static name => name.StartsWith("libcudnn", StringComparison.Ordinal))) ways.Add("install cuDNN");
        if (ways.Count == 0) ways.Add("install them");
        string text = string.Join("; ", ways) + "; or use device cpu";
        return char.ToUpperInvariant(text[0]) + text[1..];
    }

    private static bool IsOfToolkit(string name) =>
        name.StartsWith("libcublas", StringComparison.Ordinal) || name.StartsWith("libcudart", StringComparison.Ordinal)
        || name.StartsWith("libcurand", StringComparison.Ordinal) || name.StartsWith("libcufft", StringComparison.Ordinal)
        || name.StartsWith("libnvrtc", StringComparison.Ordinal);

    // libcudart.so.13 → 13. cuBLAS and cuDNN have numbers of their own.
    private static int? MajorOf(IReadOnlyList<string> needed)
    {
        const string runtime = "libcudart.so.";
        string? name = needed.FirstOrDefault(static name => name.StartsWith(runtime, StringComparison.Ordinal));
        return name is not null && int.TryParse(name.AsSpan(runtime.Length), out int major) ? major : null;
    }

    private static string? Find()
    {
        if (!OperatingSystem.IsLinux()) return null;
        string native = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native");
        return new[] { AppContext.BaseDirectory, native }.Select(static folder => Path.Combine(folder, ProviderFile)).FirstOrDefault(File.Exists);
    }
}
