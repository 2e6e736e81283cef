namespace Shad.Sidecar.Tests;

/// <summary>The folder of real data and models beside the project; tests that need it are ignored where it is absent.</summary>
internal static class SharedFolder
{
    public static string Find(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) continue;
            string found = Path.GetFullPath(Path.Combine(folder.FullName, "..", "shared", path));
            if (!Path.Exists(found)) Assert.Ignore($"{found} is not there.");
            return found;
        }

        Assert.Ignore("The project's root is not above the tests.");
        return "";
    }
}
