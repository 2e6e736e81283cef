using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Shad.Cli.Sidecar;

/// <summary>Asks a process to end.</summary>
internal static partial class ProcessSignal
{
    private const int Sigterm = 15;

    /// <summary>Sends SIGTERM; on Windows, which has no such signal, closes the process's stdin, whose end it watches for.</summary>
    public static void Terminate(Process process)
    {
        try
        {
            if (process.HasExited) return;
            if (OperatingSystem.IsWindows()) process.StandardInput.Close();
            else _ = Kill(process.Id, Sigterm);
        }
        catch (InvalidOperationException)
        {
            // It has ended in between.
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
