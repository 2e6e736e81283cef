using System.Runtime.InteropServices;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Tuning;
using Shad.Sidecar.Commands;
using Shad.Sidecar.Native;
using Shad.Sidecar.Protocol;

namespace Shad.Sidecar;

/// <summary>The program: <c>Shad.Sidecar COMMAND --job FILE</c>, events on stdout, text for people on stderr.</summary>
public static class SidecarProgram
{
    /// <summary>Exit code of a job that was done.</summary>
    public const int Success = 0;

    /// <summary>Exit code of a job that failed.</summary>
    public const int Failure = 1;

    /// <summary>Exit code of a job that was ended by SIGINT or SIGTERM, its checkpoint written.</summary>
    public const int Interrupted = 130;

    /// <summary>
    /// The argument by which a caller that holds the sidecar's stdin asks it to end when that is closed — as it is by the system,
    /// however the caller ended.
    /// </summary>
    public const string EndWithStdin = "--end-with-stdin";

    /// <summary>Runs a command.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="events">Gets the events; the last is <c>done</c> or <c>error</c>.</param>
    /// <param name="log">Gets text for people.</param>
    /// <param name="cancellationToken">Ends the job with a checkpoint.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args, EventWriter events, TextWriter log, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentNullException.ThrowIfNull(log);
        try
        {
            var (command, jobPath) = Parse(args);
            switch (command)
            {
                case "tune":
                    var tune = ReadJob<TuneJob>(jobPath);
                    TorchLibraries.Load();
                    await TuneCommand.RunAsync(tune, events, cancellationToken).ConfigureAwait(false);
                    break;
                case "score":
                    var score = ReadJob<ScoreJob>(jobPath);
                    TorchLibraries.Load();
                    await ScoreCommand.RunAsync(score, events, cancellationToken).ConfigureAwait(false);
                    break;
                default:
                    TorchLibraries.Load();
                    DoctorCommand.Run(events);
                    break;
            }

            return Success;
        }
        catch (OperationCanceledException)
        {
            return Fail(events, log, "interrupted", "The job was interrupted; it continues from its checkpoint when run again.", Interrupted);
        }
        catch (ShadException error)
        {
            return Fail(events, log, error.Code, error.Message, Failure);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            var written = SidecarErrors.NotWritten("job", error);
            return Fail(events, log, written.Code, written.Message, Failure);
        }
        catch (ExternalException error) when (error.Message.Contains("CUDA out of memory", StringComparison.Ordinal))
        {
            var memory = SidecarErrors.DeviceMemory(error);
            return Fail(events, log, memory.Code, memory.Message, Failure);
        }
#pragma warning disable CA1031 // The last resort: whatever happened, the reader of the events must learn of it.
        catch (Exception error)
#pragma warning restore CA1031
        {
            await log.WriteLineAsync(error.ToString()).ConfigureAwait(false);
            return Fail(events, log, "internal", error.Message, Failure);
        }
    }

    private static int Fail(EventWriter events, TextWriter log, string code, string message, int exitCode)
    {
        events.Write(new SidecarError { Code = code, Message = message });
        log.WriteLine(message);
        return exitCode;
    }

    private static (string Command, string JobPath) Parse(IReadOnlyList<string> args) => args switch
    {
        ["tune" or "score", "--job", var path] => (args[0], path),
        ["tune" or "score", "--job", var path, EndWithStdin] => (args[0], path),
        ["tune" or "score", ..] => throw SidecarErrors.Usage("the job file is not named, or an argument is not known"),
        ["doctor"] => (args[0], ""),
        [var other, ..] => throw SidecarErrors.Usage($"there is no command '{other}'"),
        _ => throw SidecarErrors.Usage("no command is given"),
    };

    private static TJob ReadJob<TJob>(string path)
    {
        if (!File.Exists(path)) throw SidecarErrors.JobMissing(path);
        try
        {
            return JsonSerializer.Deserialize<TJob>(File.ReadAllBytes(path), SidecarJson.JobOptions)
                ?? throw new JsonException("it is null");
        }
        catch (JsonException unreadable)
        {
            throw SidecarErrors.JobUnreadable(path, unreadable);
        }
    }
}
