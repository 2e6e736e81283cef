using Shad.Core.Errors;
using Shad.Models.Errors;

namespace Shad.Models;

/// <summary>Writes a file whole or not at all: to a temporary name beside it, flushed to the disk, then renamed over it.</summary>
internal static class AtomicFile
{
    /// <param name="path">The file; replaced where it exists.</param>
    /// <param name="length">Its length in bytes, reserved at the start so that a full disk shows before the work; 0 if unknown.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="ShadException">The file cannot be written.</exception>
    public static void Write(string path, long length, Action<Stream> write)
    {
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using (var stream = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.None,
                BufferSize = 1 << 16,
                PreallocationSize = length,
            }))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception error)
        {
            DeleteIfThere(temporary);
            if (error is IOException or UnauthorizedAccessException || IsTooLarge(error)) throw ModelErrors.CannotWrite(path, error);
            throw;
        }
    }

    // So the runtime reports a write beyond the largest file that the file system, or a limit of the user, allows.
    private static bool IsTooLarge(Exception error) => error is ArgumentOutOfRangeException { ParamName: "value" };

    private static void DeleteIfThere(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here is the one to tell.
        }
    }
}
