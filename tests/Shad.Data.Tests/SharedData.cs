namespace Shad.Data.Tests;

/// <summary>The real files beside the project; tests that need one are ignored, with the reason, where it is absent.</summary>
internal static class SharedData
{
    internal static string PathOf(params string[] parts)
    {
        var folder = new DirectoryInfo(TestContext.CurrentContext.TestDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) folder = folder.Parent;
        string path = Path.GetFullPath(Path.Combine([folder?.FullName ?? ".", "..", "shared", .. parts]));
        if (!Path.Exists(path)) Assert.Ignore($"{Path.Combine(["../shared", .. parts])} is not there.");
        return path;
    }
}
