using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Tuning;

namespace Shad.Cli.Sidecar;

/// <summary>
/// Runs one command of the sidecar as a process: events from its stdout, its log from stderr, an interrupt when cancelled.
/// </summary>
/// <param name="executable">The sidecar; see <see cref="SidecarLocation.Find()"/>.</param>
public sealed class SidecarProcess(string executable)
{
    private const int TailLines = 12;


    /// <summary>How long an interrupted sidecar may take to write its checkpoint before it is killed.</summary>
    public TimeSpan InterruptGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Runs <c>Shad.Sidecar COMMAND --job JOB</c> to its end.</summary>
    /// <param name="command">The command: <c>tune</c>, <c>score</c>.</param>
    /// <param name="jobFile">Its job.</param>
    /// <param name="logFile">Where its stderr goes, appended; beside it a file names the process while it lives, so that one left
    /// behind by a killed run is ended before another works on the same job. Null keeps neither.</param>
    /// <param name="onEvent">Receives the events as they come, one at a time.</param>
    /// <param name="cancellationToken">Interrupts the sidecar and waits for it.</param>
    /// <exception cref="ShadException">It reported an error, crashed or could not be started.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the sidecar has ended.</exception>
    public async Task<TuneDone> RunAsync(
        string command, string jobFile, string? logFile, Action<SidecarEvent>? onEvent, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        string? processFile = logFile is null ? null : Path.ChangeExtension(logFile, ".pid");
        if (processFile is not null) await EndLeftBehindAsync(processFile).ConfigureAwait(false);

        using Process process = Start([command, "--job", jobFile, "--end-with-stdin"], executable);
        var log = new SidecarLog(logFile, TailLines);
        await using (log.ConfigureAwait(false))
        {
            if (processFile is not null) WriteProcessFile(processFile, process);
            TuneDone? done = null;
            SidecarError? error = null;
            Task output = ReadOutputAsync(process, log, item =>
            {
                if (item is TuneDone ended) done = ended;
                if (item is SidecarError failed) error = failed;
                onEvent?.Invoke(item);
            });
            Task errors = ReadErrorsAsync(process, log);
            try
            {
                await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                await EndAsync(process, InterruptGrace).ConfigureAwait(false);
            }

            await Task.WhenAll(output, errors).ConfigureAwait(false);
            if (processFile is not null) File.Delete(processFile);
            cancellationToken.ThrowIfCancellationRequested();
            if (process.ExitCode == 0 && done is not null) return done;
            if (error is not null) throw SidecarErrors.Reported(error);
            throw SidecarErrors.Crashed(command, process.ExitCode, log.Tail, logFile);
        }
    }

    /// <summary>Runs <c>Shad.Sidecar doctor</c> and hands back its exit code, the JSON object it prints, and the end of its log.</summary>
    /// <exception cref="ShadException">It could not be started.</exception>
    public async Task<(int ExitCode, string Output, string Log)> DiagnoseAsync(CancellationToken cancellationToken)
    {
        using Process process = Start(["doctor"], executable);
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        Task<string> errors = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            return (process.ExitCode, await output.ConfigureAwait(false), await errors.ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            await EndAsync(process, TimeSpan.FromSeconds(5)).ConfigureAwait(false);
            throw;
        }
    }

    private static Process Start(IEnumerable<string> arguments, string executable)
    {
        var start = new ProcessStartInfo(executable, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
            StandardErrorEncoding = System.Text.Encoding.UTF8,
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            throw SidecarErrors.CannotStart(executable, e);
        }
    }

    /// <summary>Reads to the end whatever the receiver does: a full pipe would stop the sidecar for ever.</summary>
    private static async Task ReadOutputAsync(Process process, SidecarLog log, Action<SidecarEvent> onEvent)
    {
        ExceptionDispatchInfo? refused = null;
        while (await process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            SidecarEvent? item = null;
            try
            {
                item = line.Length == 0 ? null : JsonSerializer.Deserialize(line, SidecarJson.Default.SidecarEvent);
            }
            catch (Exception e) when (e is JsonException or NotSupportedException)
            {
                // Native libraries print to stdout as they please; that is log, not protocol.
                log.Add(line);
            }

            try
            {
                if (item is not null && refused is null) onEvent(item);
            }
            catch (Exception e)
            {
                refused = ExceptionDispatchInfo.Capture(e);
            }
        }

        refused?.Throw();
    }

    private static async Task ReadErrorsAsync(Process process, SidecarLog log)
    {
        while (await process.StandardError.ReadLineAsync().ConfigureAwait(false) is { } line) log.Add(line);
    }

    /// <summary>Interrupts a process, waits for it, and kills it when it does not end.</summary>
    private static async Task EndAsync(Process process, TimeSpan grace)
    {
        ProcessSignal.Terminate(process);
        using var patience = new CancellationTokenSource(grace);
        try
        {
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static void WriteProcessFile(string file, Process process)
    {
        try
        {
            File.WriteAllText(file, string.Create(
                CultureInfo.InvariantCulture, $"{process.Id} {process.StartTime.ToUniversalTime().Ticks}"));
        }
        catch (InvalidOperationException)
        {
            // It has ended already.
        }
    }

    /// <summary>Ends the sidecar that a killed run left behind on this job, if it still lives.</summary>
    private async Task EndLeftBehindAsync(string file)
    {
        if (!File.Exists(file)) return;
        string[] parts = (await File.ReadAllTextAsync(file).ConfigureAwait(false)).Split(' ');
        if (parts.Length == 2
            && int.TryParse(parts[0], CultureInfo.InvariantCulture, out int id)
            && long.TryParse(parts[1], CultureInfo.InvariantCulture, out long started))
        {
            try
            {
                using Process process = Process.GetProcessById(id);
                // Process numbers are used again; the time of the start tells ours from another.
                if (Math.Abs(process.StartTime.ToUniversalTime().Ticks - started) < TimeSpan.TicksPerSecond)
                    await EndAsync(process, InterruptGrace).ConfigureAwait(false);
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
            {
                // No such process any more.
            }
        }

        File.Delete(file);
    }
}
