using System.IO.Compression;
using Shad.Core.Errors;
using ZstdSharp;

namespace Shad.Data.Files;

/// <summary>The format of an input file, told by its ending.</summary>
internal enum InputFormat
{
    /// <summary>One JSON object a line: <c>.jsonl</c>, <c>.ndjson</c>.</summary>
    JsonLines,

    /// <summary>One JSON array of objects: <c>.json</c>.</summary>
    JsonArray,

    /// <summary>Apache Parquet: <c>.parquet</c>.</summary>
    Parquet,
}

/// <summary>Opens input files by their ending, decompressing <c>.gz</c> and <c>.zst</c> on the way.</summary>
internal static class InputFile
{
    internal const string KnownEndings = ".jsonl, .ndjson or .json, each also with .gz or .zst, or .parquet";

    /// <exception cref="ShadException">The ending says no known format.</exception>
    internal static InputFormat FormatOf(string path) => FindFormat(path) ?? throw FileErrors.UnknownEnding(path, KnownEndings);

    /// <summary>True where the ending says a known format.</summary>
    internal static bool IsKnown(string path) => FindFormat(path) is not null;

    /// <summary>Throws where the file is not there.</summary>
    /// <exception cref="ShadException">There is no such file, or it is a folder.</exception>
    internal static void CheckExists(string path)
    {
        if (File.Exists(path)) return;
        throw Directory.Exists(path) ? FileErrors.IsFolder(path) : FileErrors.Missing(path);
    }

    /// <summary>The decompressed bytes of a file.</summary>
    /// <exception cref="ShadException">The file is missing or cannot be opened.</exception>
    internal static Stream OpenDecompressed(string path)
    {
        CheckExists(path);
        FileStream file;
        try
        {
            file = new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileErrors.Unreadable(path, e);
        }

        if (IsGzip(path))
        {
            // Without this switch a GZipStream that is cut short just ends, and the rows behind the cut would be lost unseen.
            AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);
            return new GZipStream(file, CompressionMode.Decompress);
        }

        if (IsZstandard(path)) return new DecompressionStream(file, leaveOpen: false);
        return file;
    }

    /// <summary>The error that an exception of reading a stream of <see cref="OpenDecompressed"/> stands for; null for others.</summary>
    internal static ShadException? ErrorOf(Exception exception, string path, string where) => exception switch
    {
        InvalidDataException or ZstdException or EndOfStreamException => FileErrors.Damaged(where, exception),
        IOException or UnauthorizedAccessException => FileErrors.Unreadable(path, exception),
        _ => null,
    };

    private static InputFormat? FindFormat(string path)
    {
        bool compressed = IsGzip(path) || IsZstandard(path);
        string name = compressed ? Path.GetFileNameWithoutExtension(path) : path;
        return Path.GetExtension(name).ToUpperInvariant() switch
        {
            ".JSONL" or ".NDJSON" => InputFormat.JsonLines,
            ".JSON" => InputFormat.JsonArray,
            ".PARQUET" when !compressed => InputFormat.Parquet,
            _ => null,
        };
    }

    private static bool IsGzip(string path) => path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    private static bool IsZstandard(string path) => path.EndsWith(".zst", StringComparison.OrdinalIgnoreCase);
}
