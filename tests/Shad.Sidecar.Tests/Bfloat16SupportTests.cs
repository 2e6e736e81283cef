using System.Runtime.InteropServices;
using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using TorchSharp;

namespace Shad.Sidecar.Tests;

public sealed class Bfloat16SupportTests
{
    [Test]
    [Platform(Include = "Linux")]
    public void What_the_processor_has_is_what_the_system_says()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64) Assert.Ignore("The flags are those of x86.");
        string flags = File.ReadLines("/proc/cpuinfo").First(static line => line.StartsWith("flags", StringComparison.Ordinal)) + " ";
        bool expected = flags.Contains(" avx512f ", StringComparison.Ordinal)
            && (flags.Contains(" avx512_bf16 ", StringComparison.Ordinal) || flags.Contains(" amx_bf16 ", StringComparison.Ordinal));
        Assert.That(Bfloat16Support.IsInHardware, Is.EqualTo(expected));
        Assert.That(
            Bfloat16Support.Resolve(TunePrecision.Auto, torch.CPU), Is.EqualTo(expected ? TunePrecision.BFloat16 : TunePrecision.Float32));
    }

    [Test]
    public void What_is_asked_for_is_kept([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision) =>
        Assert.That(Bfloat16Support.Resolve(precision, torch.CPU), Is.EqualTo(precision));
}
