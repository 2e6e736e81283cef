using System.Text;
using System.Text.Json;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Sidecar.Protocol;

namespace Shad.Sidecar.Tests;

/// <summary>Runs the sidecar's program within the test's process and reads its events back.</summary>
internal static class SidecarHarness
{
    public static string WriteJob(TemporaryFolder folder, TuneJob job)
    {
        string path = folder.File($"job-{Guid.NewGuid():N}.json");
        File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(job, SidecarJson.Default.TuneJob));
        return path;
    }

    public static string WriteData(TemporaryFolder folder, IEnumerable<TokenizedSample> samples)
    {
        string path = folder.File($"data-{Guid.NewGuid():N}.jsonl");
        TokenizedSampleWriter.WriteAll(path, samples);
        return path;
    }

    /// <summary>Runs a tune; <paramref name="endAt"/> ends it as a signal would, once an event fulfils it.</summary>
    public static (int ExitCode, List<SidecarEvent> Events) Tune(
        TemporaryFolder folder, TuneJob job, Func<SidecarEvent, bool>? endAt = null) =>
        Run(["tune", "--job", WriteJob(folder, job)], endAt);

    public static (int ExitCode, List<SidecarEvent> Events) Run(string[] args, Func<SidecarEvent, bool>? endAt = null)
    {
        using var ended = new CancellationTokenSource();
        using var output = new EventStream(line =>
        {
            if (endAt?.Invoke(line) == true) ended.Cancel();
        });
        int exitCode = SidecarProgram.RunAsync(args, new EventWriter(output), TextWriter.Null, ended.Token).GetAwaiter().GetResult();
        return (exitCode, output.Events);
    }

    private sealed class EventStream(Action<SidecarEvent> received) : MemoryStream
    {
        private readonly List<byte> _line = [];

        public List<SidecarEvent> Events { get; } = [];

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            foreach (byte value in buffer)
            {
                if (value != '\n')
                {
                    _line.Add(value);
                    continue;
                }

                var line = JsonSerializer.Deserialize(
                    Encoding.UTF8.GetString([.. _line]), SidecarJson.Default.SidecarEvent)!;
                _line.Clear();
                Events.Add(line);
                received(line);
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }
}
