using System.Runtime.InteropServices;
using Shad.Cli;
using Shad.Cli.Commands;
using Shad.Cli.Terminal;

NativeHeap.KeepSmall();
using var interrupted = new CancellationTokenSource();

void Interrupt(PosixSignalContext signal)
{
    // The first signal ends the work in order; a second one, which finds it still ending, ends the process.
    if (interrupted.IsCancellationRequested) return;
    signal.Cancel = true;
    interrupted.Cancel();
}

using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
return await CommandLine.RunAsync(args, CommandTerminal.OfProcess(), interrupted.Token).ConfigureAwait(false);
