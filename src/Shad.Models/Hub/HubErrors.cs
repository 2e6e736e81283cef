using System.Globalization;
using System.Net;
using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>Every error of fetching a model from a hub, in one place.</summary>
internal static class HubErrors
{
    private const int MostListed = 10;
    private const int LongestQuote = 200;

    // What the user says

    public static ShadException BadRepository(string id) => new(
        "pull.bad_name", $"'{Quote(id)}' is no name of a model", null, "ORG/MODEL as the hub shows it, letters, digits, '-', '_' and '.'",
        "Copy the name from the model's page");

    public static ShadException BadRevision(string revision) => new(
        "pull.bad_revision", $"'{Quote(revision)}' is no revision", null, "a branch, a tag or a commit");

    public static ShadException BadEndpoint(string endpoint) => new(
        "pull.bad_endpoint", $"'{Quote(endpoint)}' is no address of a hub", "--endpoint or HF_ENDPOINT", "an http or https address without query");

    public static ShadException BadToken() => new(
        "pull.bad_token", "The token cannot be one", "HF_TOKEN", "ASCII characters without spaces and line breaks", "Copy it again");

    public static ShadException NothingIncluded(string pattern, string repository) => new(
        "pull.nothing_included", $"No file of {repository} matches '{Quote(pattern)}'", "--include", "a file name, or a pattern with * and ?",
        "Look the names up on the model's page");

    // The place on this machine

    public static ShadException FolderExists(string folder) => new(
        "pull.folder_exists", $"The output exists and no pull has written it ({PullLock.FileName} is not in it)", folder,
        "a folder that does not exist yet, or one of an earlier pull", "Choose another --out, or remove it");

    public static ShadException OtherModel(string folder, string found, string wanted) => new(
        "pull.other_model", $"The folder holds {found}, not {wanted}", folder, null, "Choose another --out, or remove the folder");

    public static ShadException OtherCommit(string folder, string found, string wanted) => new(
        "pull.other_commit", $"The folder holds commit {found}; asked for is {wanted}", folder, null,
        "Choose another --out for the new one, or remove the folder; what is there is never replaced");

    public static ShadException FilesChanged(string folder, IReadOnlyList<string> paths) => new(
        "pull.files_changed", $"Not as the hub has them: {Listed(paths)}", folder, null,
        "Remove them to have them fetched again, or choose another --out; what is there is never replaced");

    public static ShadException InUse(string folder) => new(
        "pull.in_use", "Another process pulls into this folder", folder, null, "Wait for it to end, or choose another --out");

    public static ShadException BadLock(string path, string what, Exception? inner = null) => new(
        "pull.bad_lock", $"The lock file cannot be used: {what}", path, "a lock file as 'shad pull' writes it",
        "Remove the folder and pull again", inner);

    public static ShadException NoSpace(string folder, long needed, long free) => new(
        "pull.no_space", $"{Bytes(needed)} are to be fetched, {Bytes(free)} are free", folder, null,
        "Free space, or choose an --out on another disk");

    public static ShadException CannotWrite(string folder, Exception inner) => new(
        "pull.cannot_write", $"The files cannot be written ({inner.Message})", folder, null,
        "Check free space and permissions; the same command goes on where this one stopped", inner);

    // The hub's answers

    public static ShadException Unreachable(Uri uri, Exception inner) => new(
        "hub.unreachable", $"The hub does not answer ({(inner.InnerException ?? inner).Message})", Place(uri), null,
        "Check the network and the address; the same command goes on where this one stopped", inner);

    public static ShadException Stalled(Uri uri, TimeSpan timeout) => new(
        "hub.stalled", string.Create(CultureInfo.InvariantCulture, $"Nothing came for {timeout.TotalSeconds:0.###} s"), Place(uri), null,
        "Check the network; the same command goes on where this one stopped");

    public static ShadException Cut(Uri uri, long missing, Exception? inner) => new(
        "hub.cut", $"The connection ended {Bytes(missing)} early, again and again", Place(uri), null,
        "Check the network; the same command goes on where this one stopped", inner);

    public static ShadException Unauthorized(Uri uri, bool hadToken, string? said) => new(
        "hub.unauthorized",
        hadToken ? $"The hub does not accept the token{Said(said)}" : $"The hub wants a token, or has no such model{Said(said)}",
        Place(uri), null,
        hadToken
            ? "Check HF_TOKEN and the model's name; the token must be allowed to read the model"
            : "Check the model's name; for a private or gated model set HF_TOKEN");

    public static ShadException Forbidden(Uri uri, string? said) => new(
        "hub.forbidden", $"The hub refuses access{Said(said)}", Place(uri), null,
        "Accept the model's terms on its page with the account of HF_TOKEN, and check that the token may read gated models");

    public static ShadException NotFound(Uri uri, string? said) => new(
        "hub.not_found", $"The hub has no such model, revision or file{Said(said)}", Place(uri), null, "Check the name, --revision and the hub's address");

    public static ShadException TooManyRequests(Uri uri) => new(
        "hub.too_many_requests", "The hub keeps refusing: too many requests", Place(uri), null,
        "Try again later, with HF_TOKEN or fewer --connections");

    public static ShadException Unavailable(Uri uri, HttpStatusCode status, string? said) => new(
        "hub.unavailable", $"The hub keeps failing with status {(int)status}{Said(said)}", Place(uri), null,
        "Try again later; the same command goes on where this one stopped");

    public static ShadException UnexpectedStatus(Uri uri, HttpStatusCode status, string? said) => new(
        "hub.unexpected_status", $"The hub answers with status {(int)status}{Said(said)}", Place(uri), "200, or 206 for a part of a file",
        "Check that the address is a hub's");

    public static ShadException BadRedirect(Uri uri, string what) => new(
        "hub.bad_redirect", $"The hub sends us on {what}", Place(uri), "an https address, or an http one from http", "Check the hub's address");

    public static ShadException BadAnswer(Uri uri, string what, Exception? inner = null) => new(
        "hub.bad_answer", $"The hub's answer makes no sense: {what}", Place(uri), "the answers of Hugging Face's API",
        "Check that the address is a hub's", inner);

    public static ShadException BadRange(Uri uri, string found, string expected) => new(
        "hub.bad_range", $"The hub sends another part than the one asked for: {Quote(found)}", Place(uri), expected);

    public static ShadException SizeDiffers(Uri uri, long found, long expected) => new(
        "hub.size_differs", $"The file has {Bytes(found)}; the hub's listing says {Bytes(expected)}", Place(uri), null,
        "Try again; if it stays so, the hub or something between it and you is broken");

    // What the repository holds

    public static ShadException UnsafeName(string repository, string path) => new(
        "pull.unsafe_name", $"The repository names a file '{Quote(path)}'", repository, "names that stay inside the folder",
        "Do not use this model: its hub tries to write elsewhere");

    public static ShadException NoHash(Uri uri) => new(
        "pull.no_hash", "The hub names no hash of the file, so that what comes cannot be checked", Place(uri),
        "X-Linked-ETag or ETag with a SHA-256 or a Git hash", "Use another hub");

    public static ShadException NoWeights(string repository, IReadOnlyList<string> found) => new(
        "pull.no_weights",
        found.Count == 0 ? "The repository holds no weights" : $"The repository holds no safetensors, but {Listed(found)}", repository,
        "model.safetensors, or model.safetensors.index.json and its shards", "Use a model that is published as safetensors");

    public static ShadException NoConfig(string repository) => new(
        "pull.no_config", "The repository holds no config.json", repository, "a model in Hugging Face layout");

    public static ShadException ShardNotListed(string repository, string shard) => new(
        "pull.shard_missing", $"The index names '{Quote(shard)}', which the repository does not hold", repository, null,
        "Try another revision: this one is not whole");

    public static ShadException HashDiffers(string repository, HubFile file, int attempts) => new(
        "pull.hash_differs",
        $"'{file.Path}' came {attempts} times, never with the bytes the hub names ({(file.Sha256 is null ? "Git SHA-1" : "SHA-256")} {file.Hash})",
        repository, null, "Try again later; something between the hub and you changes the bytes");

    // The address without its query, which may hold a signature.
    private static string Place(Uri uri) => uri.GetLeftPart(UriPartial.Path);

    private static string Said(string? said) => said is null ? "" : $" (it says: {Quote(said).TrimEnd('.')})";

    private static string Bytes(long count) => string.Create(CultureInfo.InvariantCulture, $"{count:N0} bytes");

    // A stranger's text goes to a terminal: no control characters, and not at any length.
    private static string Quote(string text)
    {
        string visible = string.Concat(text.Select(c => char.IsControl(c) ? '\uFFFD' : c));
        return visible.Length <= LongestQuote ? visible : visible[..(LongestQuote - 1)] + "…";
    }

    private static string Listed(IReadOnlyList<string> items)
    {
        string more = items.Count > MostListed ? $", and {items.Count - MostListed} more" : "";
        return string.Join(", ", items.Take(MostListed).Select(Quote)) + more;
    }
}
