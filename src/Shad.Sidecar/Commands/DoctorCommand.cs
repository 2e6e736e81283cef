using System.Diagnostics;
using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Protocol;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Commands;

/// <summary>The command <c>doctor</c>: does tuning work here, and with what?</summary>
public static class DoctorCommand
{
    /// <summary>Computes something and reports.</summary>
    public static void Run(EventWriter events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var device = TorchDevice.Of("auto");
        events.Write(new SidecarDiagnosis
        {
            Torch = torch.__version__,
            Device = TorchDevice.NameOf(device),
            NoCuda = TorchDevice.NoCuda(0)?.Why,
            Threads = Environment.ProcessorCount,
            LibstdcxxRepaired = Native.TorchLibraries.IsRepaired,
            Bfloat16Speedup = Math.Round(Seconds(float32, device) / Seconds(bfloat16, device), 1),
        });
    }

    /// <summary>Seconds of one product of 512 × 512 matrices, the best of five.</summary>
    private static double Seconds(ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var x = ones([512, 512], dtype, device);
        double best = double.PositiveInfinity;
        for (int i = 0; i < 6; i++)
        {
            long start = Stopwatch.GetTimestamp();
            using var product = x.matmul(x);
            // Reading a value waits for the device.
            using var first = product[0, 0].to(float32).cpu();
            if (first.item<float>() != 512) throw new InvalidOperationException("libtorch computes a wrong matrix product here.");
            if (i > 0) best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }
}
