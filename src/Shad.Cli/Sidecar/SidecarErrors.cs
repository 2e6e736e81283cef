using Shad.Core.Errors;
using Shad.Core.Tuning;

namespace Shad.Cli.Sidecar;

/// <summary>Every error of starting and talking to the sidecar.</summary>
internal static class SidecarErrors
{
    public static ShadException NotFound(IEnumerable<string> searched) => new(
        "sidecar.not_found",
        $"The sidecar, which tunes models, was not found; looked at {string.Join(", ", searched)}",
        mend: $"Build it (dotnet build src/Shad.Sidecar -c Release) or name it in {SidecarLocation.Variable}");

    public static ShadException NamedNotFound(string path) => new(
        "sidecar.not_found", $"{SidecarLocation.Variable} names a file that does not exist", path, "the sidecar's executable");

    public static ShadException CannotStart(string path, Exception inner) => new(
        "sidecar.cannot_start", $"The sidecar cannot be started: {inner.Message}", path,
        mend: "Check that the file is executable; 'shad doctor' says more", inner: inner);

    /// <summary>The sidecar said what is wrong.</summary>
    public static ShadException Reported(SidecarError error) => new(error.Code, error.Message.TrimEnd('.'));

    /// <summary>The sidecar ended without saying why.</summary>
    public static ShadException Crashed(string command, int exitCode, string logTail, string? logFile) => new(
        "sidecar.crashed",
        $"The sidecar's '{command}' ended without a result, {Describe(exitCode)}"
            + (logTail.Length == 0 ? "" : $". Its last words:{Environment.NewLine}{logTail}{Environment.NewLine}"),
        mend: logFile is null ? "'shad doctor' says whether it works here" : $"The whole log is {logFile}");

    private static string Describe(int exitCode) => exitCode switch
    {
        137 => "killed (exit code 137): the system kills a process so when memory runs out",
        > 128 and < 160 => $"killed by signal {exitCode - 128} (exit code {exitCode})",
        _ => $"exit code {exitCode}",
    };
}
