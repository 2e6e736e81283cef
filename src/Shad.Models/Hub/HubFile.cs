using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Shad.Models.Hub;

/// <summary>A file of a model as the hub describes it: enough to tell its bytes from any others.</summary>
/// <param name="Path">Place in the repository, parts divided by <c>/</c>.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">SHA-256 of its bytes, lower-case hex: large files (Git LFS). Null where the hub names the other hash.</param>
/// <param name="GitSha1">Git's name of its bytes, lower-case hex: small files. Null where the hub names the other hash.</param>
public sealed record HubFile(string Path, long Size, string? Sha256, string? GitSha1)
{
    private const int BufferBytes = 1 << 20;

    /// <summary>The hash the hub names.</summary>
    internal string Hash => Sha256 ?? GitSha1 ?? throw new InvalidOperationException($"'{Path}' has no hash.");

    /// <summary>True where a file's bytes are this file's.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    internal async Task<bool> MatchesAsync(string path, CancellationToken cancellationToken)
    {
        if (new FileInfo(path) is not { Exists: true } info || info.Length != Size) return false;
        string hash = Sha256 is not null
            ? await Sha256OfAsync(path, cancellationToken).ConfigureAwait(false)
            : await GitSha1OfAsync(path, cancellationToken).ConfigureAwait(false);
        return hash == Hash;
    }

    /// <summary>SHA-256 of a file, lower-case hex.</summary>
    internal static Task<string> Sha256OfAsync(string path, CancellationToken cancellationToken) =>
        HashOfAsync(path, HashAlgorithmName.SHA256, [], cancellationToken);

    // Git hashes a blob with a header before its bytes: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    private static Task<string> GitSha1OfAsync(string path, CancellationToken cancellationToken)
    {
        long length = new FileInfo(path).Length;
        byte[] header = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {length}\0"));
        return HashOfAsync(path, HashAlgorithmName.SHA1, header, cancellationToken);
    }

    private static async Task<string> HashOfAsync(
        string path, HashAlgorithmName algorithm, byte[] header, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(algorithm);
        hash.AppendData(header);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(
                path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.SequentialScan);
            for (long at = 0; ;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int read = await RandomAccess.ReadAsync(file, buffer.AsMemory(0, BufferBytes), at, cancellationToken).ConfigureAwait(false);
                if (read == 0) return Convert.ToHexStringLower(hash.GetHashAndReset());
                hash.AppendData(buffer, 0, read);
                at += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
