namespace Shad.Onnx.Tests.Support;

/// <summary>A folder that is deleted after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("shad-onnx-tests-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
