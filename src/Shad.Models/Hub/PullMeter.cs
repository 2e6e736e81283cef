using System.Diagnostics;

namespace Shad.Models.Hub;

/// <summary>How far a pull is.</summary>
/// <param name="Bytes">Bytes that are here.</param>
/// <param name="TotalBytes">Bytes in all.</param>
/// <param name="Files">Files that are here and checked.</param>
/// <param name="TotalFiles">Files in all.</param>
/// <param name="BytesPerSecond">What this process has fetched, over the time since its first byte was asked for.</param>
/// <param name="Retried">Requests that were made again.</param>
public readonly record struct PullProgress(long Bytes, long TotalBytes, int Files, int TotalFiles, double BytesPerSecond, int Retried)
{
    /// <summary>Seconds until all is here at this rate; null where there is no rate yet.</summary>
    public double? SecondsLeft => BytesPerSecond > 0 ? (TotalBytes - Bytes) / BytesPerSecond : null;
}

/// <summary>Counts bytes from several threads and tells of them a few times a second.</summary>
/// <param name="hub">Counts the retries.</param>
/// <param name="observe">Takes the progress.</param>
internal sealed class PullMeter(HubClient hub, Action<PullProgress>? observe)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Lock _lock = new();
    private long _bytes;
    private long _fetched;
    private int _files;
    private long _shown;

    /// <summary>Bytes there will be.</summary>
    public long TotalBytes { get; set; }

    /// <summary>Files there will be.</summary>
    public int TotalFiles { get; set; }

    /// <summary>Bytes that came over the network, those that had to come again included.</summary>
    public long Fetched => Interlocked.Read(ref _fetched);

    /// <summary>Bytes have come.</summary>
    public void Came(long bytes)
    {
        Interlocked.Add(ref _fetched, bytes);
        Interlocked.Add(ref _bytes, bytes);
        Show(always: false);
    }

    /// <summary>Bytes were there already.</summary>
    public void Found(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>Bytes that were counted must come again.</summary>
    public void Lost(long bytes) => Interlocked.Add(ref _bytes, -bytes);

    /// <summary>A file is here and checked.</summary>
    public void FileDone()
    {
        Interlocked.Increment(ref _files);
        Show(always: true);
    }

    private void Show(bool always)
    {
        if (observe is null) return;
        lock (_lock)
        {
            if (!always && Stopwatch.GetElapsedTime(_shown) < Interval) return;
            _shown = Stopwatch.GetTimestamp();
            double rate = Fetched / Math.Max(1e-3, Stopwatch.GetElapsedTime(_started).TotalSeconds);
            observe(new PullProgress(Interlocked.Read(ref _bytes), TotalBytes, Volatile.Read(ref _files), TotalFiles, rate, hub.Retried));
        }
    }
}
