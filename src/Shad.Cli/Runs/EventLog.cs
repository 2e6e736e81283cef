using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Shad.Cli.Runs;

/// <summary>
/// The events of a run, one JSON object a line, each with its time. Appended to by every process that works on the run; a line that
/// a killed process left unfinished is cut off. Safe for use from several threads.
/// </summary>
public sealed class EventLog : IDisposable
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(5);
    private readonly FileStream _stream;
    private readonly Lock _lock = new();
    private string? _progressStage;
    private long _progressWritten;

    private EventLog(FileStream stream) => _stream = stream;

    /// <summary>Opens a log for appending, making it where there is none.</summary>
    public static EventLog Append(string path)
    {
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        CutUnfinishedLine(stream);
        return new EventLog(stream);
    }

    /// <summary>Writes an event. Progress of a stage is written every five seconds at most.</summary>
    public void Write(RunEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        lock (_lock)
        {
            if (item is StageProgress progress)
            {
                if (_progressStage == progress.Stage && Stopwatch.GetElapsedTime(_progressWritten) < ProgressInterval) return;
                _progressStage = progress.Stage;
                _progressWritten = Stopwatch.GetTimestamp();
            }

            var line = new JsonObject { ["time"] = DateTimeOffset.Now.ToString("O") };
            foreach ((string key, JsonNode? value) in JsonSerializer.SerializeToNode(item, RunJson.Line)!.AsObject())
                line[key] = value?.DeepClone();
            _stream.Write(Encoding.UTF8.GetBytes(line.ToJsonString(RunJson.Line) + "\n"));
            _stream.Flush();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private static void CutUnfinishedLine(FileStream stream)
    {
        long end = stream.Length;
        while (end > 0)
        {
            stream.Position = end - 1;
            if (stream.ReadByte() == '\n') break;
            end--;
        }

        stream.SetLength(end);
        stream.Position = end;
    }
}
