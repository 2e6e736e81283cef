using System.Text;
using Microsoft.ML.OnnxRuntime;
using Shad.Core.Errors;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Sessions;

/// <summary>Which device is chosen, why, and what is said where it cannot be had: by situations of machines, and by real files.</summary>
[TestFixture]
internal sealed class ExecutionProviderTests
{
    private static readonly CudaSituation Whole = new()
    {
        IsBuiltIn = true, Library = "/opt/shad/libonnxruntime_providers_cuda.so", NeededCuda = 13, DriverCuda = 13_000,
        Devices = [new CudaDeviceInfo("NVIDIA H100", 90, 80L << 30), new CudaDeviceInfo("NVIDIA T4", 75, 16L << 30)],
    };

    private static readonly CudaSituation CpuBuild = new() { IsBuiltIn = false, DriverCuda = 13_000, Devices = Whole.Devices };

    [Test]
    public void Cuda_is_chosen_where_it_is_whole()
    {
        foreach (var device in new[] { ComputeDevice.Auto, ComputeDevice.Cuda })
        {
            var chosen = ExecutionProvider.Choose(new SessionSettings { Device = device, DeviceIndex = 1 }, () => Whole);
            Assert.That(chosen.Name, Is.EqualTo("cuda:1"));
            Assert.That(chosen.Reason, Is.EqualTo("NVIDIA T4, sm_75, 16.0 GiB, built-in provider"));
        }
    }

    [Test]
    public void The_cpu_is_chosen_without_a_look_at_the_machine()
    {
        var chosen = ExecutionProvider.Choose(new SessionSettings { Device = ComputeDevice.Cpu }, () => throw new AssertionException("looked"));
        Assert.That(chosen, Is.EqualTo(new ChosenDevice(ComputeDevice.Cpu, 0, "asked for")));
    }

    private static IEnumerable<TestCaseData> Obstacles()
    {
        yield return Case(CpuBuild, 0, "holds the CPU runtime only", "ShadDevice=cuda").SetArgDisplayNames("a CPU build");
        yield return Case(
            Whole with { Missing = ["libcublasLt.so.13", "libcudart.so.13"] }, 0, "libcublasLt.so.13, libcudart.so.13 not found", "Install CUDA 13")
            .SetArgDisplayNames("missing CUDA libraries");
        yield return Case(Whole with { Missing = ["libcuda.so.1"] }, 0, "libcuda.so.1 not found", "Install the NVIDIA driver")
            .SetArgDisplayNames("a missing driver library");
        yield return Case(Whole with { Missing = ["libcudnn.so.9"] }, 0, "libcudnn.so.9 not found", "Install cuDNN")
            .SetArgDisplayNames("missing cuDNN");
        yield return Case(Whole with { DriverCuda = null, Devices = [] }, 0, "no NVIDIA driver answers", "Install the NVIDIA driver")
            .SetArgDisplayNames("no driver");
        yield return Case(Whole with { DriverCuda = 12_040 }, 0, "the NVIDIA driver answers for CUDA 12.4, and the provider needs CUDA 13", "Update")
            .SetArgDisplayNames("an old driver");
        yield return Case(Whole with { Devices = [] }, 0, "shows no CUDA device", "CUDA_VISIBLE_DEVICES").SetArgDisplayNames("no device");
        yield return Case(Whole, 2, "there is no CUDA device 2; the driver shows 2: 0 NVIDIA H100, 1 NVIDIA T4", "cuda:0 to cuda:1")
            .SetArgDisplayNames("a device too many");

        static TestCaseData Case(CudaSituation situation, int index, string why, string mend) => new(situation, index, why, mend);
    }

    [TestCaseSource(nameof(Obstacles))]
    public void What_is_missing_is_told_by_name_and_auto_says_why_it_took_the_cpu(object situation, int index, string why, string mend)
    {
        var here = (CudaSituation)situation;
        var error = Assert.Throws<ShadException>(
            () => ExecutionProvider.Choose(new SessionSettings { Device = ComputeDevice.Cuda, DeviceIndex = index }, () => here))!;
        Assert.That(error.Code, Is.EqualTo("onnx.no_cuda"));
        Assert.That(error.Message, Does.Contain(why).And.Contain(mend));

        var chosen = ExecutionProvider.Choose(new SessionSettings { Device = ComputeDevice.Auto, DeviceIndex = index }, () => here);
        Assert.That(chosen.Name, Is.EqualTo("cpu"));
        Assert.That(chosen.Reason, Does.StartWith("no CUDA: ").And.Contain(why));
    }

    [Test]
    public void A_plug_in_for_other_devices_is_not_asked_for_a_driver_of_nvidia()
    {
        var plugin = new CudaSituation { IsBuiltIn = false, Library = "/opt/libprovider.so" };
        Assert.That(plugin.Obstacle(0), Is.Null);
        Assert.That((plugin with { NeededCuda = 12 }).Obstacle(0)!.Value.Why, Is.EqualTo("no NVIDIA driver answers"));
    }

    [Test]
    public void A_named_plug_in_that_cannot_be_used_is_an_error_under_auto_too()
    {
        var settings = new SessionSettings { Device = ComputeDevice.Auto, ProviderLibrary = "provider.so" };
        var error = Assert.Throws<ShadException>(
            () => ExecutionProvider.Choose(settings, () => new CudaSituation { IsBuiltIn = false, Library = "provider.so", Missing = ["libcublas.so.13"] }))!;
        Assert.That(error.Code, Is.EqualTo("onnx.no_provider_library"));
        Assert.That(error.Message, Does.Contain("libcublas.so.13 not found"));
    }

    [Test]
    [Platform("Linux")]
    public void The_needed_libraries_of_a_real_file_are_read_and_found()
    {
        // Where the binary format's reader tells them, independently: the tool of binutils is not everywhere, these names are.
        var needed = NeededLibraries.Of(RuntimeLibrary());
        Assert.That(needed, Does.Contain("libc.so.6").And.Contain("libm.so.6"));
        Assert.That(needed, Is.All.Match(@"^[\w.+-]+\.so(\.\d+)*$"));
        Assert.That(NeededLibraries.Missing(RuntimeLibrary()), Is.Empty);
    }

    [Test]
    [Platform("Linux")]
    public void A_needed_library_that_is_absent_is_told_by_name()
    {
        // A copy of the runtime that asks for a CUDA library in place of the mathematics library: names of the same length.
        using var folder = new TemporaryFolder();
        byte[] image = File.ReadAllBytes(RuntimeLibrary());
        byte[] name = Encoding.ASCII.GetBytes("\0libpthread.so.0\0");
        int at = image.AsSpan().IndexOf(name);
        if (at < 0) Assert.Ignore("This runtime does not ask for libpthread.so.0.");
        Encoding.ASCII.GetBytes("\0libcurand.so.10\0").CopyTo(image.AsSpan(at));
        string copy = Path.Combine(folder.Path, "libprovider.so");
        File.WriteAllBytes(copy, image);
        Assert.That(NeededLibraries.Of(copy), Does.Contain("libcurand.so.10"));
        Assert.That(NeededLibraries.Missing(copy), Is.EqualTo(new[] { "libcurand.so.10" }));

        var error = Assert.Throws<ShadException>(
            () => ExecutionProvider.Choose(new SessionSettings { ProviderLibrary = copy, Device = ComputeDevice.Cuda }))!;
        Assert.That(error.Message, Does.Contain("libcurand.so.10 not found").And.Contain("LD_LIBRARY_PATH"));
    }

    [Test]
    public void A_file_of_another_kind_needs_nothing()
    {
        using var folder = new TemporaryFolder();
        string file = Path.Combine(folder.Path, "file");
        foreach (string content in new[] { "", "not a library", "\u007fELF and no more" })
        {
            File.WriteAllText(file, content);
            Assert.That(NeededLibraries.Of(file), Is.Empty);
        }
    }

    [TestCase(true, 90, "bfloat16")]
    [TestCase(true, null, "bfloat16")]
    [TestCase(true, 75, "float16")]
    [TestCase(false, 90, "float16")]
    public void The_format_of_cuda_goes_by_the_model_and_the_device(bool storedBfloat16, int? capability, string expected) =>
        Assert.That(ComputeTypes.NameOf(ComputeTypes.Automatic(storedBfloat16, capability)), Is.EqualTo(expected));

    [Test]
    public void A_format_that_a_device_has_no_kernels_for_is_refused()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen3"]);
        var cpu = new ChosenDevice(ComputeDevice.Cpu, 0, "");
        var cuda = new ChosenDevice(ComputeDevice.Cuda, 0, "");
        Assert.That(Code(ScoringPrecision.BFloat16, cpu), Is.EqualTo("onnx.no_precision"));
        Assert.That(Code(ScoringPrecision.Float32, cuda), Is.EqualTo("onnx.no_precision"));
        Assert.That(Code(ScoringPrecision.Int8, cuda), Is.EqualTo("onnx.no_precision"));
        Assert.That(ComputeTypes.Of(new SessionSettings(), cpu, model), Is.EqualTo(DataType.Float));
        Assert.That(ComputeTypes.Of(new SessionSettings { Precision = ScoringPrecision.BFloat16 }, cuda, model), Is.EqualTo(DataType.Bfloat16));

        string Code(ScoringPrecision precision, ChosenDevice device) => Assert.Throws<ShadException>(
            () => ComputeTypes.Of(new SessionSettings { Precision = precision }, device, model))!.Code;
    }

    private static string RuntimeLibrary()
    {
        _ = OrtEnv.Instance();
        string? path = File.Exists("/proc/self/maps")
            ? File.ReadLines("/proc/self/maps").FirstOrDefault(static line => line.EndsWith("/libonnxruntime.so", StringComparison.Ordinal))
            : null;
        if (path is null) Assert.Ignore("The runtime's library is not found in this process.");
        return path![path.IndexOf('/', StringComparison.Ordinal)..];
    }
}
