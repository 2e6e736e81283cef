using System.Text;
using Shad.Core.Errors;

namespace Shad.Cli.Runs;

/// <summary>Small text files that are either there whole or not there.</summary>
internal static class AtomicText
{
    /// <summary>Writes a file under a temporary name, flushes it to the disk and renames it.</summary>
    /// <exception cref="ShadException">It cannot be written, as on a full disk; nothing of it remains.</exception>
    public static void Write(string path, string text)
    {
        string temporary = path + ".partial";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                stream.Write(Encoding.UTF8.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            File.Delete(temporary);
            throw RunErrors.CannotWrite(path, e);
        }
    }
}
