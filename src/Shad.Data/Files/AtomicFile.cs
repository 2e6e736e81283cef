using Shad.Core.Errors;

namespace Shad.Data.Files;

/// <summary>
/// A file that appears under its name only when it is whole: written beside it as <c>NAME.partial</c>, flushed to the disk and
/// renamed by <see cref="Complete"/>. Disposed before that, it is removed, and a file that had the name before stays as it was.
/// </summary>
/// <remarks>The temporary name is fixed, so that what a killed process left is overwritten by the next run.</remarks>
public sealed class AtomicFile : IDisposable
{
    private readonly FileStream _stream;
    private bool _closed;

    private AtomicFile(string path, string temporaryPath, FileStream stream)
    {
        Path = path;
        TemporaryPath = temporaryPath;
        _stream = stream;
    }

    /// <summary>The file's name once whole.</summary>
    public string Path { get; }

    /// <summary>The name it is written under.</summary>
    public string TemporaryPath { get; }

    /// <summary>Where to write. Exceptions of its methods are wrapped by <see cref="CannotWrite"/>.</summary>
    public Stream Stream => _stream;

    /// <summary>Opens the temporary file; missing parent folders are made.</summary>
    /// <exception cref="ShadException">The file cannot be created (<c>file.cannot_write</c>).</exception>
    public static AtomicFile Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = System.IO.Path.GetFullPath(path);
        if (Directory.Exists(full)) throw FileErrors.IsFolder(path);
        string temporary = full + ".partial";
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(full)!);
            // The writers buffer by themselves.
            var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            return new AtomicFile(full, temporary, stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileErrors.CannotWrite(path, e);
        }
    }

    /// <summary>Flushes to the disk and gives the file its name, replacing one that has it.</summary>
    /// <exception cref="ShadException">That failed, as on a full disk; the temporary file is removed.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        try
        {
            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(TemporaryPath, Path, overwrite: true);
            _closed = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Dispose();
            throw FileErrors.CannotWrite(Path, e);
        }
    }

    /// <summary>The error for a write to <see cref="Stream"/> that failed: the temporary file is removed and the message says so.</summary>
    public ShadException CannotWrite(Exception inner)
    {
        Dispose();
        return FileErrors.CannotWrite(Path, inner);
    }

    /// <summary>Removes the temporary file unless <see cref="Complete"/> succeeded.</summary>
    public void Dispose()
    {
        if (_closed) return;
        _closed = true;
        try
        {
            _stream.Dispose();
        }
        catch (IOException)
        {
            // The file is given up; what could not be flushed is not missed.
        }

        try
        {
            File.Delete(TemporaryPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next run overwrites it.
        }
    }
}
