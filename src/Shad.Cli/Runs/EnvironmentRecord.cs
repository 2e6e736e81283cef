using System.Reflection;
using System.Runtime.InteropServices;

namespace Shad.Cli.Runs;

/// <summary>Where and with what a stage was run.</summary>
/// <param name="Shad">Version of this program.</param>
/// <param name="Dotnet">Version of the .NET runtime.</param>
/// <param name="OnnxRuntime">Version of ONNX Runtime.</param>
/// <param name="Machine">The machine's name.</param>
/// <param name="System">Operating system and architecture.</param>
/// <param name="Cores">Logical cores this process may use.</param>
/// <param name="MemoryBytes">Memory this process may use, bytes.</param>
public sealed record EnvironmentRecord(
    string Shad, string Dotnet, string OnnxRuntime, string Machine, string System, int Cores, long MemoryBytes)
{
    /// <summary>The environment of this process.</summary>
    public static EnvironmentRecord Current { get; } = new(
        VersionOf(typeof(EnvironmentRecord).Assembly),
        Environment.Version.ToString(),
        VersionOf(Assembly.Load("Microsoft.ML.OnnxRuntime")),
        Environment.MachineName,
        $"{RuntimeInformation.OSDescription} {RuntimeInformation.ProcessArchitecture}",
        Environment.ProcessorCount,
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    private static string VersionOf(Assembly assembly) =>
        assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]
        ?? assembly.GetName().Version?.ToString() ?? "unknown";
}
