using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Shad.Models.Weights;

namespace Shad.Cli.Runs;

/// <summary>
/// SHA-256 of files and model folders. Hashes are remembered by path, size and time of last change, in memory and in a file, so
/// that gigabytes of weights are read once and not on every start.
/// </summary>
public sealed class ContentHashes
{
    private readonly string? _cacheFile;
    private readonly ConcurrentDictionary<string, Entry> _known = new(StringComparer.Ordinal);

    /// <summary>Creates an empty memory, or reads what an earlier process remembered.</summary>
    /// <param name="cacheFile">Where to remember; null for this process only. A damaged file is as good as none.</param>
    public ContentHashes(string? cacheFile = null)
    {
        _cacheFile = cacheFile;
        if (cacheFile is null || !File.Exists(cacheFile)) return;
        try
        {
            var entries = JsonSerializer.Deserialize<Dictionary<string, Entry>>(File.ReadAllText(cacheFile), RunJson.Line);
            foreach ((string path, Entry entry) in entries ?? []) _known[path] = entry;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            _known.Clear();
        }
    }

    /// <summary>Hash of a file's content, or of a model folder's: its config, tokenizer, chat template and weights, whatever else lies there.</summary>
    /// <returns>64 hexadecimal digits.</returns>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public async Task<string> OfAsync(string path, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(path)) return await OfFileAsync(path, cancellationToken).ConfigureAwait(false);
        var content = new StringBuilder();
        foreach (string file in ModelFilesOf(path))
        {
            content.Append(Path.GetFileName(file)).Append('\n')
                .Append(await OfFileAsync(file, cancellationToken).ConfigureAwait(false)).Append('\n');
        }

        // What is stored as changes to a base model is decided by that model's content, not by where it lies.
        if (BaseReference.In(path) is { } reference) content.Append("base\n").Append(reference.Sha256).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content.ToString())));
    }

    /// <summary>Remembers that a folder was renamed, so that what lies in it is not read again.</summary>
    public void Renamed(string from, string to)
    {
        string prefix = Path.GetFullPath(from) + Path.DirectorySeparatorChar;
        foreach ((string path, Entry entry) in _known)
        {
            if (!path.StartsWith(prefix, StringComparison.Ordinal) || !_known.TryRemove(path, out _)) continue;
            _known[Path.Combine(Path.GetFullPath(to), path[prefix.Length..])] = entry;
        }
    }

    /// <summary>Writes what is remembered.</summary>
    public void Save()
    {
        if (_cacheFile is null) return;
        AtomicText.Write(_cacheFile, JsonSerializer.Serialize(new SortedDictionary<string, Entry>(_known, StringComparer.Ordinal), RunJson.Line));
    }

    /// <summary>The files of a model folder that decide what the model computes, by name.</summary>
    public static IReadOnlyList<string> ModelFilesOf(string folder) => Directory.EnumerateFiles(folder)
        .Where(file => Path.GetFileName(file) is var name
            && (name is "config.json" or "model.safetensors.index.json"
                || name.StartsWith("tokenizer", StringComparison.Ordinal)
                || name.StartsWith("chat_template", StringComparison.Ordinal)
                || name.EndsWith(".safetensors", StringComparison.Ordinal)))
        .Order(StringComparer.Ordinal).ToList();

    private async Task<string> OfFileAsync(string path, CancellationToken cancellationToken)
    {
        var info = new FileInfo(path);
        string full = info.FullName;
        long length = info.Length, changed = info.LastWriteTimeUtc.Ticks;
        if (_known.TryGetValue(full, out Entry? entry) && entry.Length == length && entry.Changed == changed) return entry.Sha256;
        FileStream stream = info.Open(new FileStreamOptions
        {
            Options = FileOptions.SequentialScan | FileOptions.Asynchronous, BufferSize = 0, Share = FileShare.ReadWrite | FileShare.Delete,
        });
        await using (stream.ConfigureAwait(false))
        {
            string hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));
            _known[full] = new Entry(length, changed, hash);
            return hash;
        }
    }

    private sealed record Entry(long Length, long Changed, string Sha256);
}
