using Shad.Sidecar.Native;

namespace Shad.Sidecar.Tests;

/// <summary>
/// Loads libtorch from the sidecar's own output folder, so that these tests need no copy of its 480 MB.
/// </summary>
[SetUpFixture]
public sealed class TorchSetup
{
    /// <summary>artifacts/bin/Shad.Sidecar.Tests/release → artifacts/bin/Shad.Sidecar/release.</summary>
    public static string SidecarFolder
    {
        get
        {
            string own = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
            return Path.GetFullPath(Path.Combine(own, "..", "..", "Shad.Sidecar", Path.GetFileName(own)));
        }
    }

    [OneTimeSetUp]
    public void LoadTorch() => TorchLibraries.Load(SidecarFolder);
}
