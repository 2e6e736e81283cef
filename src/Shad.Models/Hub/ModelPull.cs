using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Models.Hub;

/// <summary>What is to be pulled, and where to.</summary>
/// <param name="Repository">The model and its revision.</param>
/// <param name="Folder">The model folder to be.</param>
public sealed record PullRequest(HubRepository Repository, string Folder)
{
    /// <summary>Files to pull besides those a model needs: names or patterns with <c>*</c> and <c>?</c>.</summary>
    public IReadOnlyList<string> Include { get; init; } = [];
}

/// <summary>What a pull has done.</summary>
/// <param name="Folder">The model folder.</param>
/// <param name="Lock">What it holds.</param>
/// <param name="FetchedBytes">Bytes that came over the network; 0 where all was there already.</param>
/// <param name="FetchedFiles">Files that were not there before.</param>
/// <param name="Problem">Why this program cannot use the model; null where its config can be read.</param>
public sealed record PullResult(string Folder, PullLock Lock, long FetchedBytes, int FetchedFiles, string? Problem)
{
    /// <summary>True where the folder held everything already.</summary>
    public bool Unchanged => FetchedFiles == 0;
}

/// <summary>
/// Fetches a model from a hub into a folder: only what is needed, each file checked by its hash, all of it or nothing. An
/// interrupted pull goes on where it stopped.
/// </summary>
/// <param name="hub">The hub.</param>
public sealed class ModelPull(HubClient hub)
{
    /// <summary>Pulls a model. Files that are there already are checked and never replaced.</summary>
    /// <param name="request">What, and where to.</param>
    /// <param name="observe">Takes the progress; called from several threads, one at a time.</param>
    /// <param name="warn">Is told why this program cannot use the model, before its weights are fetched.</param>
    /// <param name="cancellationToken">Ends the pull; what has come stays for the next one.</param>
    /// <exception cref="ShadException">The hub does not give the model, or the folder holds something else.</exception>
    public async Task<PullResult> RunAsync(
        PullRequest request, Action<PullProgress>? observe, Action<string>? warn, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        string folder = Path.GetFullPath(request.Folder);
        PullLock? before = ReadFolder(folder, request.Repository);
        try
        {
            if (before is not null && request.Repository.Revision == before.Commit && request.Include.Count == 0
                && await IsWholeAsync(folder, before, cancellationToken).ConfigureAwait(false))
            {
                return new PullResult(folder, before, 0, 0, ProblemOf(PullFolder.PlaceIn(folder, DecoderConfigReader.FileName))); // a commit never changes: nothing to ask the hub for
            }

            HubListing listing = await hub.ListAsync(request.Repository, cancellationToken).ConfigureAwait(false);
            if (before is not null && before.Commit != listing.Commit) throw HubErrors.OtherCommit(folder, before.Commit, listing.Commit);
            return await PullAsync(request, folder, before, listing, observe, warn, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw HubErrors.CannotWrite(folder, error);
        }
    }

    private async Task<PullResult> PullAsync(
        PullRequest request, string folder, PullLock? before, HubListing listing, Action<PullProgress>? observe, Action<string>? warn,
        CancellationToken cancellationToken)
    {
        HubRepository repository = request.Repository;
        var paths = listing.Files.Keys.ToHashSet(StringComparer.Ordinal);
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        using PullFolder work = PullFolder.Open(folder);
        var meter = new PullMeter(hub, observe);
        using var download = new FileDownload(hub, repository, listing.Commit, work, meter);

        // Config and index first: they say whether the model can be used and which shards it has.
        List<string> selected = ModelSelection.Of(repository, paths, request.Include);
        List<HubFile> wanted = await DescribeAsync(repository, listing, selected, cancellationToken).ConfigureAwait(false);
        List<HubFile> early = [.. wanted.Where(file => file.Path is DecoderConfigReader.FileName or ModelWeights.IndexFileName)];
        List<HubFile> missing = before is null ? [.. early] : await MissingAsync(folder, early, cancellationToken).ConfigureAwait(false);
        (meter.TotalBytes, meter.TotalFiles) = (missing.Sum(file => file.Size), missing.Count);
        CheckSpace(folder, meter.TotalBytes, 0);
        foreach (HubFile file in missing) await download.FetchAsync(file, cancellationToken).ConfigureAwait(false);
        string? problem = ProblemOf(PlaceOf(DecoderConfigReader.FileName));
        if (problem is not null) warn?.Invoke(problem);
        if (selected.Contains(ModelWeights.IndexFileName))
        {
            IEnumerable<string> shards = ModelSelection.ShardsOf(repository, paths, PlaceOf(ModelWeights.IndexFileName)).Except(selected);
            wanted.AddRange(await DescribeAsync(repository, listing, shards, cancellationToken).ConfigureAwait(false));
        }

        List<HubFile> late = [.. wanted.Except(early)];
        missing.AddRange(before is null ? late : await MissingAsync(folder, late, cancellationToken).ConfigureAwait(false));
        work.Keep(missing);
        (meter.TotalBytes, meter.TotalFiles) = (missing.Sum(file => file.Size), missing.Count);
        CheckSpace(folder, meter.TotalBytes, work.Length());
        await Parallel.ForEachAsync(
            missing.Except(early),
            new ParallelOptions { MaxDegreeOfParallelism = hub.Options.Connections, CancellationToken = cancellationToken },
            async (file, token) => await download.FetchAsync(file, token).ConfigureAwait(false)).ConfigureAwait(false);

        var pulled = before?.Files.ToDictionary(file => file.Path, StringComparer.Ordinal) ?? [];
        foreach (HubFile file in wanted)
        {
            // A file that is there already may still not be in the lock, where an earlier pull was killed between the two.
            if (pulled.ContainsKey(file.Path)) continue;
            string sha256 = file.Sha256 ?? await HubFile.Sha256OfAsync(PlaceOf(file.Path), cancellationToken).ConfigureAwait(false);
            pulled[file.Path] = new PulledFile(file.Path, file.Size, sha256, file.GitSha1);
        }

        var after = new PullLock
        {
            Hub = hub.Options.Endpoint.AbsoluteUri.TrimEnd('/'), Repository = repository.Id, Revision = before?.Revision ?? repository.Revision,
            Commit = listing.Commit, Files = [.. pulled.Values.OrderBy(file => file.Path, StringComparer.Ordinal)],
        };
        if (before is null)
        {
            after.Write(work.Files);
            work.MoveTo(folder);
        }
        else
        {
            work.MoveInto(folder, missing);
            if (pulled.Count > before.Files.Count) after.Write(folder);
        }

        return new PullResult(folder, after, meter.Fetched, missing.Count, problem);

        string PlaceOf(string path) => File.Exists(work.PathOf(path)) ? work.PathOf(path) : PullFolder.PlaceIn(folder, path);
    }

    private static PullLock? ReadFolder(string folder, HubRepository repository)
    {
        if (File.Exists(folder)) throw HubErrors.FolderExists(folder);
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any()) return null;
        PullLock found = PullLock.Read(folder) ?? throw HubErrors.FolderExists(folder);
        return found.Repository == repository.Id ? found : throw HubErrors.OtherModel(folder, found.Repository, repository.Id);
    }

    /// <summary>True where all files of a lock are there; changed ones are an error, since they are someone's.</summary>
    private static async Task<bool> IsWholeAsync(string folder, PullLock held, CancellationToken cancellationToken)
    {
        IEnumerable<HubFile> files = held.Files.Select(file => new HubFile(file.Path, file.Size, file.Sha256, null));
        return (await MissingAsync(folder, files, cancellationToken).ConfigureAwait(false)).Count == 0;
    }

    private static async Task<List<HubFile>> MissingAsync(string folder, IEnumerable<HubFile> files, CancellationToken cancellationToken)
    {
        List<HubFile> missing = [];
        List<string> changed = [];
        foreach (HubFile file in files)
        {
            string path = PullFolder.PlaceIn(folder, file.Path);
            if (!File.Exists(path)) missing.Add(file);
            else if (!await file.MatchesAsync(path, cancellationToken).ConfigureAwait(false)) changed.Add(file.Path);
        }

        return changed.Count == 0 ? missing : throw HubErrors.FilesChanged(folder, changed);
    }

    private async Task<List<HubFile>> DescribeAsync(
        HubRepository repository, HubListing listing, IEnumerable<string> paths, CancellationToken cancellationToken)
    {
        var files = new List<HubFile>();
        foreach (string path in paths)
        {
            files.Add(listing.Files[path]
                ?? await hub.DescribeAsync(repository, listing.Commit, path, cancellationToken).ConfigureAwait(false));
        }

        return files;
    }

    private static void CheckSpace(string folder, long needed, long here)
    {
        long free;
        try
        {
            free = new DriveInfo(Path.GetDirectoryName(folder)!).AvailableFreeSpace;
        }
        catch (ArgumentException)
        {
            return; // a network share, of which the system does not say it
        }

        if (needed - here > free) throw HubErrors.NoSpace(folder, needed - here, free);
    }

    private static string? ProblemOf(string config)
    {
        try
        {
            _ = DecoderConfigReader.ReadAsStated(config);
            return null;
        }
        catch (ShadException error)
        {
            return error.What;
        }
    }
}
