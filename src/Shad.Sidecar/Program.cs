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
if (args.Contains(SidecarProgram.EndWithStdin))
{
    // A thread of its own: a read of stdin cannot be cancelled, and must not keep the process.
    new Thread(() =>
    {
        using var input = Console.OpenStandardInput();
        Span<byte> ignored = stackalloc byte[256];
        while (input.Read(ignored) > 0)
        {
        }

        ended.Cancel();
    })
    { IsBackground = true }.Start();
}

using var output = StandardOutputStream.Open();
return await SidecarProgram.RunAsync(args, new EventWriter(output, ended.Cancel), Console.Error, ended.Token).ConfigureAwait(false);
