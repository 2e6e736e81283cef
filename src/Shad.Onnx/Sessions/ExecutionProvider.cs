using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Errors;

namespace Shad.Onnx.Sessions;

/// <summary>Chooses the execution provider of a session: the CPU, CUDA as it is built into the runtime, or a plug-in library.</summary>
internal static class ExecutionProvider
{
    private static readonly Lock Registration = new();
    private static readonly HashSet<string> Registered = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, CudaSituation> Situations = new(StringComparer.Ordinal);

    /// <summary>What this machine has for CUDA, looked at once.</summary>
    /// <exception cref="ShadException">The library that was named does not exist.</exception>
    public static CudaSituation Situation(string? providerLibrary)
    {
        string? path = providerLibrary is null ? null : Path.GetFullPath(providerLibrary);
        if (path is not null && !File.Exists(path)) throw OnnxErrors.NoProviderLibrary(path, "there is no such file", null);
        return Situations.GetOrAdd(path ?? "", _ => CudaSituation.Look(path));
    }

    /// <summary>Chooses the device.</summary>
    /// <param name="settings">What was asked for.</param>
    /// <param name="situation">Asked where the CPU is not all that may be chosen; null looks at this machine.</param>
    /// <exception cref="ShadException">CUDA was asked for and cannot be used.</exception>
    public static ChosenDevice Choose(SessionSettings settings, Func<CudaSituation>? situation = null)
    {
        if (settings.Device == ComputeDevice.Cpu) return new ChosenDevice(ComputeDevice.Cpu, 0, settings.DeviceReason ?? "asked for");
        var here = situation is null ? Situation(settings.ProviderLibrary) : situation();
        if (here.Obstacle(settings.DeviceIndex) is { } obstacle)
        {
            if (settings.Device == ComputeDevice.Cuda) throw OnnxErrors.NoCuda(obstacle.Why, obstacle.Mend, null);

            // A plug-in that was named and cannot be used is a mistake to tell, not a machine without a GPU.
            return settings.ProviderLibrary is { } library
                ? throw OnnxErrors.NoProviderLibrary(Path.GetFullPath(library), obstacle.Why, null)
                : new ChosenDevice(ComputeDevice.Cpu, 0, $"no CUDA: {obstacle.Why}");
        }

        string provider = here.IsBuiltIn ? "built-in provider" : $"provider library {here.Library}";
        string reason = here.Devices.ElementAtOrDefault(settings.DeviceIndex) is { Name: { } name } device
            ? string.Create(
                CultureInfo.InvariantCulture, $"{name}, sm_{device.Capability}, {device.TotalMemory / (double)(1L << 30):0.0} GiB, {provider}")
            : provider;
        return new ChosenDevice(ComputeDevice.Cuda, settings.DeviceIndex, reason);
    }

    /// <summary>Adds the provider of a chosen device to the options.</summary>
    /// <exception cref="ShadException">The runtime refuses the device.</exception>
    public static void Append(SessionOptions options, SessionSettings settings, ChosenDevice chosen)
    {
        if (chosen.Device == ComputeDevice.Cpu) return;
        var here = Situation(settings.ProviderLibrary);
        if (!here.IsBuiltIn)
        {
            AppendPlugin(options, here.Library!, chosen.Index);
            return;
        }

        try
        {
            using var cuda = new OrtCUDAProviderOptions();
            cuda.UpdateOptions(new Dictionary<string, string>
            {
                ["device_id"] = chosen.Index.ToString(CultureInfo.InvariantCulture),

                // The arena takes what is asked for: the batches are planned to fill the memory, doubling would not fit.
                ["arena_extend_strategy"] = "kSameAsRequested",

                // The LM head relies on it: 16-bit values are exact in TF32, and its sums are float32.
                ["use_tf32"] = "1",
            });
            options.AppendExecutionProvider_CUDA(cuda);
        }
        catch (OnnxRuntimeException error)
        {
            throw OnnxErrors.NoCuda(error.Message, null, error);
        }
    }

    private static void AppendPlugin(SessionOptions options, string path, int deviceIndex)
    {
        var environment = OrtEnv.Instance();
        string name = "shad:" + path;
        try
        {
            lock (Registration)
            {
                if (!Registered.Contains(name))
                {
                    environment.RegisterExecutionProviderLibrary(name, path);
                    Registered.Add(name);
                }
            }

            // A library names its provider itself; its devices are those the runtime has beyond its own provider's.
            var devices = environment.GetEpDevices().Where(static device => device.EpName != "CPUExecutionProvider").ToList();
            if (deviceIndex < 0 || deviceIndex >= devices.Count)
                throw OnnxErrors.NoProviderLibrary(path, $"it offers {devices.Count} devices and device {deviceIndex} was asked for", null);
            options.AppendExecutionProvider(environment, [devices[deviceIndex]], new Dictionary<string, string>());
        }
        catch (OnnxRuntimeException error)
        {
            throw OnnxErrors.NoProviderLibrary(path, error.Message, error);
        }
    }
}
