using System.Text.Json;
using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>What a hub says a revision of a model holds.</summary>
/// <param name="Commit">The commit the revision means, 40 hex digits.</param>
/// <param name="Files">The files by path; null where the listing names no size and hash of one.</param>
internal sealed record HubListing(string Commit, IReadOnlyDictionary<string, HubFile?> Files)
{
    /// <summary>Reads the answer of <c>/api/models/ORG/MODEL/revision/REVISION?blobs=true</c>.</summary>
    /// <exception cref="ShadException">It is not such an answer, or names a file outside the folder.</exception>
    public static HubListing Parse(JsonElement root, HubRepository repository, Uri uri)
    {
        if (root.ValueKind != JsonValueKind.Object) throw HubErrors.BadAnswer(uri, "it is no JSON object");
        if (Text(root, "sha") is not { } commit || !HubRepository.IsCommit(commit)) throw HubErrors.BadAnswer(uri, "the field 'sha' is no commit");
        if (!root.TryGetProperty("siblings", out JsonElement siblings) || siblings.ValueKind != JsonValueKind.Array)
            throw HubErrors.BadAnswer(uri, "the field 'siblings' is no array");

        var files = new SortedDictionary<string, HubFile?>(StringComparer.Ordinal);
        foreach (JsonElement sibling in siblings.EnumerateArray())
        {
            if (Text(sibling, "rfilename") is not { Length: > 0 } path) throw HubErrors.BadAnswer(uri, "a file has no 'rfilename'");
            if (!IsInside(path)) throw HubErrors.UnsafeName(repository.Id, path);
            files[path] = FileOf(sibling, path);
        }

        return new HubListing(commit, files);
    }

    // Both separators and drives are refused on every system, so that a model is as safe on one as on another.
    private static bool IsInside(string path) =>
        !path.Any(c => char.IsControl(c) || c is '\\' or ':')
        && path.Split('/').All(part => part is not ("" or "." or "..") && !part.EndsWith(' ') && !part.EndsWith('.'));

    private static HubFile? FileOf(JsonElement sibling, string path)
    {
        bool isLarge = sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object;
        string? hash = isLarge ? Text(lfs, "sha256") ?? Text(lfs, "oid") : Text(sibling, "blobId");
        long? size = Number(isLarge ? lfs : sibling, "size");
        if (size is null or < 0 || hash is null || hash.Length != (isLarge ? 64 : 40) || !hash.All(char.IsAsciiHexDigitLower)) return null;
        return isLarge ? new HubFile(path, size.Value, hash, null) : new HubFile(path, size.Value, null, hash);
    }

    private static string? Text(JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out JsonElement value) || value.ValueKind != JsonValueKind.String)
            return null;
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null; // an unpaired surrogate
        }
    }

    private static long? Number(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : null;
}
