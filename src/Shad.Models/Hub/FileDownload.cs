using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>Fetches a file in parts, several at once, and checks the whole by its hash before it gets its name.</summary>
/// <param name="hub">The hub.</param>
/// <param name="repository">The model.</param>
/// <param name="commit">Its commit.</param>
/// <param name="folder">Where the pull works.</param>
/// <param name="meter">Counts what comes.</param>
internal sealed class FileDownload(HubClient hub, HubRepository repository, string commit, PullFolder folder, PullMeter meter) : IDisposable
{
    // A file whose bytes were not the hub's is fetched again so often; then something changes them for good.
    private const int MostAttempts = 3;

    private readonly SemaphoreSlim _connections = new(hub.Options.Connections);

    /// <summary>Fetches a file, or what is missing of it.</summary>
    /// <exception cref="ShadException">It does not come, or never with the right bytes.</exception>
    public async Task FetchAsync(HubFile file, CancellationToken cancellationToken)
    {
        string path = folder.PathOf(file.Path);
        if (File.Exists(path))
        {
            if (await file.MatchesAsync(path, cancellationToken).ConfigureAwait(false))
            {
                meter.Found(file.Size);
                meter.FileDone();
                return;
            }

            File.Delete(path);
        }

        string data = folder.PartsOf(file);
        var journal = new PartJournal(data + ".parts");
        for (int attempt = 1; ; attempt++)
        {
            await FillAsync(file, data, journal, cancellationToken).ConfigureAwait(false);
            if (await file.MatchesAsync(data, cancellationToken).ConfigureAwait(false)) break;
            journal.Delete();
            File.Delete(data);
            meter.Lost(file.Size);
            if (attempt == MostAttempts) throw HubErrors.HashDiffers(repository.Id, file, attempt);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Move(data, path);
        journal.Delete();
        meter.FileDone();
    }

    /// <inheritdoc/>
    public void Dispose() => _connections.Dispose();

    private async Task FillAsync(HubFile file, string path, PartJournal journal, CancellationToken cancellationToken)
    {
        using SafeFileHandle data = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, FileOptions.Asynchronous);
        long partBytes = hub.Options.PartBytes;
        long parts = (file.Size + partBytes - 1) / partBytes;
        HashSet<long> here = await journal.ReadAsync(data, file.Size, partBytes, cancellationToken).ConfigureAwait(false);
        if (here.Count == 0) journal.Clear(partBytes);
        RandomAccess.SetLength(data, file.Size);
        meter.Found(here.Sum(PartLength));

        bool comesInParts = true;
        if (parts > 1 || here.Count > 0)
        {
            using var wholeOnly = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            try
            {
                await Parallel.ForEachAsync(
                    Parts().Where(part => !here.Contains(part)),
                    new ParallelOptions { MaxDegreeOfParallelism = hub.Options.Connections, CancellationToken = wholeOnly.Token },
                    async (part, token) =>
                    {
                        if (await FetchPartAsync(file, data, journal, part, PartLength(part), token).ConfigureAwait(false)) return;
                        comesInParts = false;
                        await wholeOnly.CancelAsync().ConfigureAwait(false);
                    }).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!comesInParts && !cancellationToken.IsCancellationRequested)
            {
                // The other parts would not come either.
            }
        }

        if (file.Size > 0 && (!comesInParts || (parts == 1 && here.Count == 0)))
        {
            meter.Lost(here.Sum(PartLength));
            await FetchWholeAsync(file, data, cancellationToken).ConfigureAwait(false);
        }

        RandomAccess.FlushToDisk(data);

        IEnumerable<long> Parts()
        {
            for (long part = 0; part < parts; part++) yield return part;
        }

        long PartLength(long part) => Math.Min(partBytes, file.Size - part * partBytes);
    }

    private async Task<bool> FetchPartAsync(
        HubFile file, SafeFileHandle data, PartJournal journal, long part, long length, CancellationToken cancellationToken)
    {
        await _connections.WaitAsync(cancellationToken).ConfigureAwait(false);
        long counted = 0;
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            long from = part * hub.Options.PartBytes;
            bool came = await hub.TryFetchRangeAsync(repository, commit, file, from, from + length, async (at, bytes) =>
            {
                await RandomAccess.WriteAsync(data, bytes, at, cancellationToken).ConfigureAwait(false);
                hash.AppendData(bytes.Span);
                meter.Came(bytes.Length);
                counted += bytes.Length;
            }, cancellationToken).ConfigureAwait(false);
            if (came) journal.Add(part, Convert.ToHexStringLower(hash.GetHashAndReset()));
            else meter.Lost(counted);
            return came;
        }
        catch (OperationCanceledException)
        {
            meter.Lost(counted);
            throw;
        }
        finally
        {
            _connections.Release();
        }
    }

    private async Task FetchWholeAsync(HubFile file, SafeFileHandle data, CancellationToken cancellationToken)
    {
        await _connections.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            long written = 0;
            await hub.FetchWholeAsync(repository, commit, file, async (at, bytes) =>
            {
                if (at == 0) meter.Lost(written); // begun anew
                await RandomAccess.WriteAsync(data, bytes, at, cancellationToken).ConfigureAwait(false);
                written = at + bytes.Length;
                meter.Came(bytes.Length);
            }, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _connections.Release();
        }
    }
}
