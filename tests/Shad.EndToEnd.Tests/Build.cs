namespace Shad.EndToEnd.Tests;

/// <summary>Where the build has put the programs.</summary>
internal static class Build
{
    private static readonly string Configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));

    /// <summary>The executable <c>shad</c>.</summary>
    public static string Shad => Executable("Shad.Cli", "shad");

    /// <summary>The sidecar's executable.</summary>
    public static string Sidecar => Executable("Shad.Sidecar", "Shad.Sidecar");

    /// <summary>The GPU lab's program.</summary>
    public static string GpuLab => Executable("GpuLab", "gpu-lab");

    /// <summary>The bundled model's folder.</summary>
    public static string BundledModel => Path.Combine(Root, "models", "shad-mini");

    /// <summary>The project's root.</summary>
    public static string Root
    {
        get
        {
            DirectoryInfo? folder = new(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) folder = folder.Parent;
            return folder?.FullName ?? throw new InvalidOperationException("The tests do not lie in the project's tree.");
        }
    }

    // artifacts/bin/Shad.EndToEnd.Tests/release/ → artifacts/bin/PROJECT/release/
    private static string Executable(string project, string name) => Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", project, Configuration, OperatingSystem.IsWindows() ? name + ".exe" : name));
}
