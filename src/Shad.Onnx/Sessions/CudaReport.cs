using System.Globalization;

namespace Shad.Onnx.Sessions;

/// <summary>What this machine and this build have for CUDA, for people.</summary>
public sealed record CudaReport
{
    /// <summary>True where nothing is known against the first device.</summary>
    public bool IsUsable => Obstacle is null;

    /// <summary>Why CUDA cannot be used; null where it can.</summary>
    public string? Obstacle { get; private init; }

    /// <summary>How to mend it; null where there is nothing to mend.</summary>
    public string? Mend { get; private init; }

    /// <summary>Where the provider is: <c>built in</c>, the path of a plug-in, or null for nowhere.</summary>
    public string? Provider { get; private init; }

    /// <summary>Libraries that the provider needs and the system does not find.</summary>
    public required IReadOnlyList<string> MissingLibraries { get; init; }

    /// <summary>The devices: <c>cuda:0 NVIDIA H100, sm_90, 79.6 GiB</c>.</summary>
    public required IReadOnlyList<string> Devices { get; init; }

    /// <summary>Version of CUDA that the driver answers for, <c>13.0</c>; null where no driver answers.</summary>
    public string? DriverCuda { get; private init; }

    /// <summary>Looks at this machine.</summary>
    /// <param name="providerLibrary">A plug-in provider; null takes the built-in one, or one beside the executable.</param>
    /// <exception cref="Core.Errors.ShadException">The library that was named does not exist.</exception>
    public static CudaReport Look(string? providerLibrary = null) => Of(ExecutionProvider.Situation(providerLibrary));

    internal static CudaReport Of(CudaSituation here)
    {
        var obstacle = here.Obstacle(0);
        return new CudaReport
        {
            Obstacle = obstacle?.Why,
            Mend = obstacle?.Mend,
            Provider = here.IsBuiltIn ? "built in" : here.Library,
            MissingLibraries = here.Missing,
            Devices =
            [
                .. here.Devices.Select(static (device, index) => string.Create(
                    CultureInfo.InvariantCulture,
                    $"cuda:{index} {device.Name}, sm_{device.Capability}, {device.TotalMemory / (double)(1L << 30):0.0} GiB")),
            ],
            DriverCuda = here.DriverCuda is { } version
                ? string.Create(CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}")
                : null,
        };
    }
}
