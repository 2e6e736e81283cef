using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Sessions;

/// <summary>
/// Where a graph finds the weight files. ONNX Runtime opens external data only inside one folder, after resolving links; the
/// Hugging Face cache keeps a model as links into another folder. So the folder is that of the files themselves.
/// </summary>
/// <param name="Folder">A folder that holds all weight files.</param>
/// <param name="Locations">Path of each file of <see cref="TensorEntry.File"/> relative to <paramref name="Folder"/>.</param>
internal sealed record WeightFiles(string Folder, IReadOnlyDictionary<string, string> Locations)
{
    /// <summary>Where the graph finds a tensor.</summary>
    public TensorPlace PlaceOf(TensorEntry entry) => new(Locations[entry.File], entry.Offset);

    /// <summary>The weight files of models with links resolved.</summary>
    /// <exception cref="Core.Errors.ShadException">They share no folder, as files on different drives.</exception>
    public static WeightFiles Resolve(params IReadOnlyList<ModelFolder> models)
    {
        var files = models.SelectMany(static model => model.Weights.Tensors.Values.Select(static entry => entry.File))
            .Distinct(StringComparer.Ordinal).ToDictionary(static file => file, RealPath, StringComparer.Ordinal);
        string folder = CommonFolder([.. files.Values]);
        return new WeightFiles(
            folder,
            files.ToDictionary(
                static pair => pair.Key, pair => Path.GetRelativePath(folder, pair.Value).Replace('\\', '/'), StringComparer.Ordinal));
    }

    /// <summary>The deepest folder that all files lie in, at any depth.</summary>
    internal static string CommonFolder(IReadOnlyList<string> files)
    {
        string? folder = Path.GetDirectoryName(files[0]);
        while (!string.IsNullOrEmpty(folder) && files.Any(file => !file.StartsWith(WithSeparator(folder), StringComparison.Ordinal)))
            folder = Path.GetDirectoryName(folder);
        return string.IsNullOrEmpty(folder) ? throw OnnxErrors.NoCommonFolder(files) : folder;
    }

    /// <summary>True where every file lies in the model's folder itself, so that a graph written there finds it.</summary>
    public bool AreIn(ModelFolder model) =>
        Folder == RealPath(Path.GetFullPath(model.Path)) && Locations.Values.All(static location => !location.Contains('/'));

    private static string WithSeparator(string folder) =>
        folder.EndsWith(Path.DirectorySeparatorChar) ? folder : folder + Path.DirectorySeparatorChar;

    // Links may stand anywhere in the path: each part is resolved in turn.
    private static string RealPath(string path)
    {
        string full = Path.GetFullPath(path);
        string? parent = Path.GetDirectoryName(full);
        if (parent is null) return full;
        string here = Path.Combine(RealPath(parent), Path.GetFileName(full));
        FileSystemInfo info = Directory.Exists(here) ? new DirectoryInfo(here) : new FileInfo(here);
        return info.ResolveLinkTarget(returnFinalTarget: true) is { } target ? RealPath(target.FullName) : here;
    }
}
