using System.Text;

namespace Shad.Cli.Sidecar;

/// <summary>The sidecar's log: all lines in a file, the last few in memory for error messages. Safe for use from several threads.</summary>
internal sealed class SidecarLog : IAsyncDisposable
{
    private readonly StreamWriter? _file;
    private readonly Queue<string> _tail = new();
    private readonly int _tailLines;
    private readonly Lock _lock = new();

    public SidecarLog(string? path, int tailLines)
    {
        _tailLines = tailLines;
        if (path is not null) _file = new StreamWriter(path, append: true, new UTF8Encoding(false)) { AutoFlush = true };
    }

    /// <summary>The last lines.</summary>
    public string Tail
    {
        get
        {
            lock (_lock) return string.Join(Environment.NewLine, _tail).Trim();
        }
    }

    public void Add(string line)
    {
        lock (_lock)
        {
            _file?.WriteLine(line);
            _tail.Enqueue(line);
            if (_tail.Count > _tailLines) _tail.Dequeue();
        }
    }

    public ValueTask DisposeAsync() => _file?.DisposeAsync() ?? ValueTask.CompletedTask;
}
