using Shad.Core.Errors;
using Shad.Core.Tuning;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Native;
using TorchSharp;

namespace Shad.Sidecar.Tests;

/// <summary>Where a tune computes, and what is said where that cannot be had. The libtorch of the tests has no CUDA.</summary>
[TestFixture]
internal sealed class TorchDeviceTests
{
    [TestCase("auto", null)]
    [TestCase("cpu", -1)]
    [TestCase("cuda", 0)]
    [TestCase("cuda:3", 3)]
    public void A_device_is_read(string text, int? expected) => Assert.That(TorchDevice.Parse(text), Is.EqualTo(expected));

    [TestCase("")]
    [TestCase("gpu")]
    [TestCase("cuda:")]
    [TestCase("cuda:-1")]
    [TestCase("cuda:0,1")]
    public void Anything_else_is_refused(string text)
    {
        var error = Assert.Throws<ShadException>(() => TorchDevice.Of(text))!;
        Assert.That(error.Code, Is.EqualTo("job.value"));
        Assert.That(error.Message, Does.Contain("device").And.Contain(TorchDevice.Expected));
    }

    [Test]
    public void Auto_takes_the_cpu_where_libtorch_has_no_cuda()
    {
        if (TorchLibraries.HasCuda) Assert.Ignore("This libtorch has CUDA.");
        Assert.That(TorchDevice.Of("auto").type, Is.EqualTo(DeviceType.CPU));
        Assert.That(TorchDevice.NameOf(TorchDevice.Of("cpu")), Is.EqualTo("cpu"));
    }

    [Test]
    public void Cuda_that_libtorch_was_built_without_is_told_with_what_mends_it()
    {
        if (TorchLibraries.HasCuda) Assert.Ignore("This libtorch has CUDA.");
        var error = Assert.Throws<ShadException>(() => TorchDevice.Of("cuda"))!;
        Assert.That(error.Code, Is.EqualTo("sidecar.no_cuda"));
        Assert.That(
            error.Message,
            Does.Contain("built without CUDA").And.Contain(TorchLibraries.Folder).And.Contain("ShadDevice=cuda").And.Contain("SHAD_LIBTORCH"));
    }

    [Test]
    public void A_tune_and_a_scoring_on_cuda_end_with_that_error()
    {
        if (TorchLibraries.HasCuda) Assert.Ignore("This libtorch has CUDA.");
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        string data = SidecarHarness.WriteData(folder, TinyModels.Samples(4));
        var tune = SidecarHarness.Tune(folder, new TuneJob { Model = model.Path, Output = folder.File("tuned"), Data = data, Steps = 1, Device = "cuda:0" });
        Assert.That(tune.ExitCode, Is.EqualTo(1));
        Assert.That(((SidecarError)tune.Events[^1]).Code, Is.EqualTo("sidecar.no_cuda"));
        Assert.That(Directory.Exists(folder.File("tuned")), Is.False);
    }

    [Test]
    public void A_tune_tells_its_device()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        string data = SidecarHarness.WriteData(folder, TinyModels.Samples(4));
        var (_, events) = SidecarHarness.Tune(folder, new TuneJob { Model = model.Path, Output = folder.File("tuned"), Data = data, Steps = 1, Device = "cpu" });
        Assert.That(events.OfType<TuneStarted>().Single().Device, Is.EqualTo("cpu"));
    }

    [Test]
    public void Memory_that_a_gpu_does_not_have_is_told_with_what_takes_less()
    {
        var error = SidecarErrors.DeviceMemory(new System.ComponentModel.Win32Exception(1, "CUDA out of memory. Tried to allocate 2.00 GiB.\nException raised from malloc"));
        Assert.That(error.Code, Is.EqualTo("tune.device_memory"));
        Assert.That(error.Message, Does.Contain("Tried to allocate 2.00 GiB").And.Contain("tokens_per_batch").And.Not.Contain("Exception raised"));
    }

    [Test]
    public void A_libtorch_that_lacks_a_symbol_is_told_with_it()
    {
        var error = SidecarErrors.LibraryDoesNotFit("/opt/libLibTorchSharp.so", "_ZN2at4_ops3foo4callE", new DllNotFoundException());
        Assert.That(error.Code, Is.EqualTo("sidecar.library_does_not_fit"));
        Assert.That(error.Message, Does.Contain("_ZN2at4_ops3foo4callE").And.Contain("SHAD_LIBTORCH"));
    }
}
