using Shad.Core.Errors;

namespace Shad.Cli.Sidecar;

/// <summary>Where the sidecar's executable is.</summary>
public static class SidecarLocation
{
    /// <summary>The environment variable that names it.</summary>
    public const string Variable = "SHAD_SIDECAR";

    /// <summary>
    /// Finds it: where <see cref="Variable"/> says; else <c>sidecar/</c> beside this program; else, in a build tree, the sidecar's
    /// output folder of the same configuration.
    /// </summary>
    /// <exception cref="ShadException">It is nowhere (<c>sidecar.not_found</c>).</exception>
    public static string Find() => Find(Environment.GetEnvironmentVariable(Variable), AppContext.BaseDirectory);

    internal static string Find(string? named, string baseFolder)
    {
        if (!string.IsNullOrEmpty(named))
            return File.Exists(named) ? Path.GetFullPath(named) : throw SidecarErrors.NamedNotFound(named);

        string executable = OperatingSystem.IsWindows() ? "Shad.Sidecar.exe" : "Shad.Sidecar";
        // artifacts/bin/Shad.Cli/release/ → artifacts/bin/Shad.Sidecar/release/
        string baseTrimmed = Path.TrimEndingDirectorySeparator(Path.GetFullPath(baseFolder));
        string configuration = Path.GetFileName(baseTrimmed);
        string[] places =
        [
            Path.Combine(baseTrimmed, "sidecar", executable),
            Path.GetFullPath(Path.Combine(baseTrimmed, "..", "..", "Shad.Sidecar", configuration, executable)),
        ];
        return places.FirstOrDefault(File.Exists) ?? throw SidecarErrors.NotFound(places);
    }
}
