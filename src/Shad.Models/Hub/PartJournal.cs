using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Shad.Models.Hub;

/// <summary>
/// Which parts of a file are here, each with the SHA-256 of its bytes: what a killed pull goes on from. A part counts when its bytes
/// on the disk have that hash, so a line that was written before its bytes were, or cut short, does no harm.
/// </summary>
/// <param name="path">The journal: a line a part, its index and hash.</param>
internal sealed class PartJournal(string path)
{
    private readonly Lock _lock = new();

    /// <summary>The parts whose bytes are in the file as they came.</summary>
    /// <param name="data">The file with the parts, each at its place.</param>
    /// <param name="size">Bytes of the whole file.</param>
    /// <param name="partBytes">Length of every part but the last.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<HashSet<long>> ReadAsync(SafeFileHandle data, long size, long partBytes, CancellationToken cancellationToken)
    {
        var here = new HashSet<long>();
        if (!File.Exists(path)) return here;
        byte[] buffer = new byte[Math.Min(partBytes, size)];
        string[] lines = await File.ReadAllLinesAsync(path, cancellationToken).ConfigureAwait(false);
        if (lines.Length == 0 || lines[0] != Header(partBytes)) return here;
        foreach (string line in lines.Skip(1))
        {
            string[] words = line.Split(' ');
            if (words.Length != 2 || !long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out long part)) continue;
            if (part >= (size + partBytes - 1) / partBytes) continue;
            int length = (int)Math.Min(partBytes, size - part * partBytes);
            int read = await ReadFullyAsync(data, buffer.AsMemory(0, length), part * partBytes, cancellationToken).ConfigureAwait(false);
            if (read == length && Convert.ToHexStringLower(SHA256.HashData(buffer.AsSpan(0, length))) == words[1]) here.Add(part);
        }

        return here;
    }

    /// <summary>Begins anew.</summary>
    public void Clear(long partBytes) => File.WriteAllText(path, Header(partBytes) + "\n");

    /// <summary>Adds a part.</summary>
    public void Add(long part, string sha256)
    {
        lock (_lock) File.AppendAllText(path, string.Create(CultureInfo.InvariantCulture, $"{part} {sha256}\n"));
    }

    /// <summary>Removes the journal.</summary>
    public void Delete() => File.Delete(path);

    private static string Header(long partBytes) => string.Create(CultureInfo.InvariantCulture, $"parts of {partBytes} bytes");

    private static async Task<int> ReadFullyAsync(SafeFileHandle file, Memory<byte> buffer, long at, CancellationToken cancellationToken)
    {
        int count = 0;
        while (count < buffer.Length)
        {
            int read = await RandomAccess.ReadAsync(file, buffer[count..], at + count, cancellationToken).ConfigureAwait(false);
            if (read == 0) break;
            count += read;
        }

        return count;
    }
}
