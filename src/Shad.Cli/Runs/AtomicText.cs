using System.Text;
using Shad.Core.Errors;
using Shad.Data.Files;

namespace Shad.Cli.Runs;

/// <summary>Small text files that are either there whole or not there.</summary>
internal static class AtomicText
{
    /// <summary>Writes a file under a temporary name, flushes it to the disk and renames it.</summary>
    /// <exception cref="ShadException">It cannot be written, as on a full disk; nothing of it remains.</exception>
    public static void Write(string path, string text)
    {
        using AtomicFile file = AtomicFile.Create(path);
        try
        {
            file.Stream.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (IOException e)
        {
            throw file.CannotWrite(e);
        }

        file.Complete();
    }
}
