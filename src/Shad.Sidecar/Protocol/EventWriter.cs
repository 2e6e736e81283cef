using System.Text;
using System.Text.Json;
using Shad.Core.Tuning;

namespace Shad.Sidecar.Protocol;

/// <summary>Writes events, one JSON object a line. When the reader has gone away, asks the job to end instead of failing.</summary>
/// <param name="output">Where to; stdout in the program.</param>
/// <param name="readerGone">Called once when writing fails.</param>
public sealed class EventWriter(Stream output, Action? readerGone = null)
{
    private readonly Lock _gate = new();
    private bool _gone;

    /// <summary>Writes one event.</summary>
    public void Write(SidecarEvent line)
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(line, SidecarJson.Default.SidecarEvent);
        lock (_gate)
        {
            if (_gone) return;
            try
            {
                output.Write(bytes);
                output.Write("\n"u8);
                output.Flush();
                return;
            }
            catch (IOException)
            {
                _gone = true;
            }
        }

        readerGone?.Invoke();
    }

    /// <summary>Writes a warning.</summary>
    /// <param name="code">Stable, dotted code.</param>
    /// <param name="message">Text for a person.</param>
    public void Warn(string code, string message) => Write(new SidecarWarning { Code = code, Message = message });
}
