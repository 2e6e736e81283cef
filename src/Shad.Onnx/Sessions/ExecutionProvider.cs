using Microsoft.ML.OnnxRuntime;

namespace Shad.Onnx.Sessions;

/// <summary>Chooses the execution provider of a session: the CPU, CUDA as it is built into the runtime, or a plug-in library.</summary>
internal static class ExecutionProvider
{
    private const string CudaName = "CUDAExecutionProvider";
    private static readonly Lock Registration = new();
    private static readonly HashSet<string> Registered = new(StringComparer.Ordinal);

    /// <summary>True where this build of the runtime holds the CUDA provider. Whether a device answers is seen when it is used.</summary>
    public static bool HasCuda => OrtEnv.Instance().GetAvailableProviders().Contains(CudaName);

    /// <summary>Adds the provider to the options.</summary>
    /// <returns>The device chosen: never <see cref="ComputeDevice.Auto"/>.</returns>
    public static ComputeDevice Append(SessionOptions options, SessionSettings settings)
    {
        if (settings.Device == ComputeDevice.Cpu) return ComputeDevice.Cpu;
        if (settings.ProviderLibrary is { } library)
        {
            AppendPlugin(options, library, settings.DeviceIndex);
            return ComputeDevice.Cuda;
        }

        if (!HasCuda)
        {
            return settings.Device == ComputeDevice.Auto
                ? ComputeDevice.Cpu
                : throw OnnxErrors.NoCuda("this build of Shad.Onnx holds the CPU runtime only", null);
        }

        try
        {
            options.AppendExecutionProvider_CUDA(settings.DeviceIndex);
            return ComputeDevice.Cuda;
        }
        catch (OnnxRuntimeException error) when (settings.Device == ComputeDevice.Auto)
        {
            // A CUDA build on a machine without a device or driver: Auto means the CPU there.
            _ = error;
            return ComputeDevice.Cpu;
        }
        catch (OnnxRuntimeException error)
        {
            throw OnnxErrors.NoCuda(error.Message, error);
        }
    }

    private static void AppendPlugin(SessionOptions options, string library, int deviceIndex)
    {
        string path = Path.GetFullPath(library);
        if (!File.Exists(path)) throw OnnxErrors.NoProviderLibrary(path, "there is no such file", null);
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
