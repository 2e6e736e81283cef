using System.Runtime.InteropServices;
using Shad.Sidecar;
using Shad.Sidecar.Protocol;

using var ended = new CancellationTokenSource();
void End(PosixSignalContext context)
{
    // Without this the runtime would end the process before the checkpoint is written.
    context.Cancel = true;
    ended.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
using var output = Console.OpenStandardOutput();
return await SidecarProgram.RunAsync(args, new EventWriter(output, ended.Cancel), Console.Error, ended.Token).ConfigureAwait(false);
