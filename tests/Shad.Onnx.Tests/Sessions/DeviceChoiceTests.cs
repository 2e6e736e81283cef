using Shad.Onnx.Sessions;

namespace Shad.Onnx.Tests.Sessions;

/// <summary>The device as people write it.</summary>
[TestFixture]
internal sealed class DeviceChoiceTests
{
    [TestCase("auto", ComputeDevice.Auto, new[] { 0 }, "auto")]
    [TestCase("cpu", ComputeDevice.Cpu, new[] { 0 }, "cpu")]
    [TestCase("cuda", ComputeDevice.Cuda, new[] { 0 }, "cuda:0")]
    [TestCase("cuda:3", ComputeDevice.Cuda, new[] { 3 }, "cuda:3")]
    [TestCase("cuda:2,0,1", ComputeDevice.Cuda, new[] { 2, 0, 1 }, "cuda:2,0,1")]
    public void A_choice_is_read_and_written(string text, ComputeDevice device, int[] indices, string written)
    {
        var choice = DeviceChoice.Parse(text)!;
        Assert.That((choice.Device, choice.ToString()), Is.EqualTo((device, written)));
        Assert.That(choice.Indices, Is.EqualTo(indices));
    }

    [TestCase("")]
    [TestCase("CUDA")]
    [TestCase("cuda:")]
    [TestCase("cuda:-1")]
    [TestCase("cuda:1,1")]
    [TestCase("cuda:0,")]
    [TestCase("cuda:x")]
    [TestCase("cpu:0")]
    [TestCase("rocm")]
    public void Anything_else_is_no_choice(string text) => Assert.That(DeviceChoice.Parse(text), Is.Null);
}
