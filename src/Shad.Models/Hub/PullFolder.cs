using System.Security.Cryptography;
using System.Text;
using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>
/// Where a pull works until it is whole: a folder beside the output, <c>NAME.partial</c>, which a killed pull leaves for the next.
/// </summary>
/// <remarks>
/// <code>
/// NAME.partial/
///   lock              held by the process that works here
///   files/…           files that are whole, as they will lie in the output
///   parts/HASH        a file that is not whole yet, each part at its place
///   parts/HASH.parts  its journal
/// </code>
/// </remarks>
internal sealed class PullFolder : IDisposable
{
    private readonly string _path;
    private readonly FileStream _lock;

    private PullFolder(string path, FileStream lockStream)
    {
        _path = path;
        _lock = lockStream;
    }

    /// <summary>Files that are whole.</summary>
    public string Files => Path.Combine(_path, "files");

    private string Parts => Path.Combine(_path, "parts");

    /// <summary>Opens the folder beside an output, making it where there is none, and locks it.</summary>
    /// <exception cref="ShadException">Another process has it.</exception>
    public static PullFolder Open(string output)
    {
        string path = output + ".partial";
        Directory.CreateDirectory(path);
        FileStream lockStream;
        try
        {
            lockStream = new FileStream(Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (error is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
        {
            throw HubErrors.InUse(output);
        }

        var folder = new PullFolder(path, lockStream);
        Directory.CreateDirectory(folder.Files);
        Directory.CreateDirectory(folder.Parts);
        return folder;
    }

    /// <summary>Where a file lies when it is whole.</summary>
    public string PathOf(string path) => PlaceIn(Files, path);

    /// <summary>Where a file lies while it is not whole. It depends on the bytes it is to have, so that those of another commit are
    /// another file's, unless they are the same.</summary>
    public string PartsOf(HubFile file)
    {
        byte[] place = SHA256.HashData(Encoding.UTF8.GetBytes(file.Path));
        return Path.Combine(Parts, $"{file.Hash}-{Convert.ToHexStringLower(place.AsSpan(0, 4))}");
    }

    /// <summary>A file's place in a folder.</summary>
    public static string PlaceIn(string folder, string path) => Path.Combine([folder, .. path.Split('/')]);

    /// <summary>Removes what an earlier pull left that is not wanted now.</summary>
    public void Keep(IReadOnlyCollection<HubFile> wanted)
    {
        var files = wanted.Select(file => PathOf(file.Path)).ToHashSet(StringComparer.Ordinal);
        var parts = wanted.Select(PartsOf).SelectMany(path => new[] { path, path + ".parts" }).ToHashSet(StringComparer.Ordinal);
        foreach (string file in Directory.EnumerateFiles(Files, "*", SearchOption.AllDirectories))
        {
            if (!files.Contains(file)) File.Delete(file);
        }

        foreach (string file in Directory.EnumerateFiles(Parts))
        {
            if (!parts.Contains(file)) File.Delete(file);
        }
    }

    /// <summary>Bytes that lie here already, whole or not.</summary>
    public long Length() => new DirectoryInfo(_path).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    /// <summary>Puts the files in the output's place, which is empty or not there, and goes.</summary>
    public void MoveTo(string output)
    {
        if (Directory.Exists(output)) Directory.Delete(output);
        Directory.Move(Files, output);
        Delete();
    }

    /// <summary>Puts files into an output that is there, each whole, and goes.</summary>
    public void MoveInto(string output, IEnumerable<HubFile> files)
    {
        foreach (HubFile file in files)
        {
            string place = PlaceIn(output, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            File.Move(PathOf(file.Path), place);
        }

        Delete();
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    private void Delete()
    {
        _lock.Dispose();
        Directory.Delete(_path, recursive: true);
    }
}
