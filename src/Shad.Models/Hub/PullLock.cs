using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>What a pulled folder holds and where it came from: <c>shad.lock.json</c>, for reviews and for pulling the same again.</summary>
public sealed record PullLock
{
    /// <summary>Its name in the model folder.</summary>
    public const string FileName = "shad.lock.json";

    private const int CurrentVersion = 1;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        WriteIndented = true,
    };

    /// <summary>Version of this file's format.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>Address of the hub.</summary>
    public required string Hub { get; init; }

    /// <summary><c>ORG/MODEL</c>.</summary>
    public required string Repository { get; init; }

    /// <summary>The revision that was asked for.</summary>
    public required string Revision { get; init; }

    /// <summary>The commit it meant, 40 hex digits.</summary>
    public required string Commit { get; init; }

    /// <summary>The files, by path.</summary>
    public required IReadOnlyList<PulledFile> Files { get; init; }

    /// <summary>Reads a folder's lock; null where it has none.</summary>
    /// <exception cref="ShadException">There is one, but it cannot be used.</exception>
    public static PullLock? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        PullLock read;
        try
        {
            read = JsonSerializer.Deserialize<PullLock>(File.ReadAllBytes(path), Json) ?? throw HubErrors.BadLock(path, "it is null");
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            throw HubErrors.BadLock(path, error.Message, error);
        }

        if (read.Version != CurrentVersion) throw HubErrors.BadLock(path, $"it is of version {read.Version}, this program knows {CurrentVersion}");
        return read;
    }

    /// <summary>Writes the lock into a folder.</summary>
    internal void Write(string folder)
    {
        byte[] content = [.. JsonSerializer.SerializeToUtf8Bytes(this, Json), (byte)'\n'];
        AtomicFile.Write(Path.Combine(folder, FileName), content.Length, stream => stream.Write(content));
    }
}

/// <summary>A file of a pulled folder.</summary>
/// <param name="Path">Place in the folder, parts divided by <c>/</c>.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">SHA-256 of its bytes, lower-case hex.</param>
/// <param name="GitSha1">Git's name of its bytes, where the hub vouches for it by that.</param>
public sealed record PulledFile(string Path, long Size, string Sha256, string? GitSha1 = null);
