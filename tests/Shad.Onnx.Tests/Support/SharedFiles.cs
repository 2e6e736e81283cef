namespace Shad.Onnx.Tests.Support;

/// <summary>Real models that lie beside the project's folder.</summary>
internal static class SharedFiles
{
    /// <summary>The folder of a model; the test is ignored where it is absent.</summary>
    public static string Model(string name)
    {
        var folder = new DirectoryInfo(TestContext.CurrentContext.TestDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) folder = folder.Parent;
        if (folder is not null)
        {
            string path = Path.GetFullPath(Path.Combine(folder.FullName, "..", "shared", "models", name));
            if (Directory.Exists(path)) return path;
        }

        Assert.Ignore($"The model '{name}' is not here: ../shared/models/{name} beside the project's folder.");
        throw new InvalidOperationException();
    }
}
