namespace Shad.Models.Tests.Support;

/// <summary>Real models kept beside the project's root; tests that need one are ignored where it is absent.</summary>
internal static class SharedData
{
    public static string Stories260K => Require("models", "stories260k");

    private static string Require(params string[] parts)
    {
        for (DirectoryInfo? folder = new(TestContext.CurrentContext.TestDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) continue;
            string path = Path.GetFullPath(Path.Combine([folder.FullName, "..", "shared", .. parts]));
            if (!Directory.Exists(path)) Assert.Ignore($"'{path}' is absent; it holds the real data this test reads.");
            return path;
        }

        Assert.Ignore("Shad.Onnx.sln is not above the test assembly, so that the shared data cannot be found.");
        throw new InvalidOperationException();
    }
}
