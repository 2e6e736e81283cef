using System.Text;
using System.Text.RegularExpressions;
using Shad.Core.Errors;
using Shad.Data.Files;

namespace Shad.Data.Corpora;

/// <summary>The files a corpus consists of: what a user names, with folders and globs taken apart.</summary>
public static class CorpusFiles
{
    private static readonly EnumerationOptions Recursive = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden | FileAttributes.System };

    /// <summary>
    /// The files that a name stands for, by path. A file's own name stands for itself, there or not. A folder stands for every file in it
    /// and in the folders below whose ending is one of a corpus; hidden ones are left out, so are <c>.json</c> files beside files of other
    /// endings or in a model folder, which hold metadata there. In a glob <c>*</c> and <c>?</c> stand for characters
    /// of a name, <c>[a-z]</c> for one of some, and <c>**</c> for any folders.
    /// </summary>
    /// <param name="name">A file, a folder or a glob, relative to the current folder or absolute.</param>
    /// <returns>Absolute paths in ordinal order.</returns>
    /// <exception cref="ShadException">A folder holds no corpus file, or a glob finds none (<c>corpus.no_files</c>).</exception>
    public static IReadOnlyList<string> Of(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        string path = Path.GetFullPath(name);
        if (File.Exists(path)) return [path];
        string[] found;
        if (Directory.Exists(path)) found = InFolder(path);
        else if (path.AsSpan().ContainsAny('*', '?', '[')) found = Matching(path);
        else return [path];
        if (found.Length == 0) throw CorpusErrors.NoFiles(name);
        Array.Sort(found, StringComparer.Ordinal);
        return found;
    }

    private static string[] InFolder(string folder)
    {
        string[] all = [.. Directory.EnumerateFiles(folder, "*", Recursive).Where(InputFile.IsKnown)];
        string[] rows = [.. all.Where(static file => InputFile.FormatOf(file) != InputFormat.JsonArray)];
        return rows.Length > 0 || File.Exists(Path.Combine(folder, "config.json")) ? rows : all;
    }

    private static string[] Matching(string glob)
    {
        string[] parts = glob.Split(Path.DirectorySeparatorChar);
        int wild = Array.FindIndex(parts, static part => part.AsSpan().ContainsAny('*', '?', '['));
        string folder = string.Join(Path.DirectorySeparatorChar, parts[..wild]) + Path.DirectorySeparatorChar;
        if (!Directory.Exists(folder)) return [];
        var pattern = new Regex("^" + PatternOf(glob[folder.Length..]) + "$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        return [.. Directory.EnumerateFiles(folder, "*", Recursive).Where(file => pattern.IsMatch(file[folder.Length..]))];
    }

    private static string PatternOf(string glob)
    {
        const string separator = "[/\\\\]", other = "[^/\\\\]";
        var pattern = new StringBuilder();
        for (int i = 0; i < glob.Length; i++)
        {
            char c = glob[i];
            if (c == '*' && i + 1 < glob.Length && glob[i + 1] == '*')
            {
                i++;
                bool isFolder = i + 1 < glob.Length && glob[i + 1] is '/' or '\\';
                if (isFolder) i++;
                pattern.Append(isFolder ? $"(.*{separator})?" : ".*");
            }
            else if (c == '*') pattern.Append(other).Append('*');
            else if (c == '?') pattern.Append(other);
            else if (c is '/' or '\\') pattern.Append(separator);
            else if (c == '[' && glob.IndexOf(']', i + 2) is var end and > 0)
            {
                string set = glob[(i + 1)..end].Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal);
                pattern.Append('[').Append(set[0] == '!' ? "^" + set[1..] : set).Append(']');
                i = end;
            }
            else pattern.Append(Regex.Escape(c.ToString()));
        }

        return pattern.ToString();
    }
}
