using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Graphs;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;
using static Shad.Onnx.Protobuf.TensorProto.Types;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Batches planned from a stated size of a device's memory.</summary>
[TestFixture]
internal sealed class DeviceMemoryTests
{
    private const long Gibibyte = 1L << 30;

    private static readonly ChosenDevice Cuda = new(ComputeDevice.Cuda, 1, "");

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void Weights_are_counted_once_and_the_head_a_second_time_in_float32()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["llama with grouped queries, tied"]);
        using var probe = TestModels.Changed(_folder, model, firstTuned: 2);
        long all = Count(model.Config, static _ => true);
        long tuned = Count(model.Config, static name => name.StartsWith("model.layers.2.", StringComparison.Ordinal) || name == TensorNames.FinalNorm);
        long head = (long)model.Config.VocabularySize * model.Config.HiddenSize;
        var trunk = SharedTrunk.Of(model, probe);
        Assert.That(DeviceMemory.WeightBytes(trunk, DataType.Bfloat16), Is.EqualTo(2 * (all + tuned) + 4 * head));
        Assert.That(DeviceMemory.WeightBytes(trunk, DataType.Float), Is.EqualTo(4 * (all + tuned)));

        static long Count(DecoderConfig config, Func<string, bool> counts) => TensorLayout.Expected(config)
            .Where(tensor => counts(tensor.Name)).Sum(static tensor => tensor.Shape.Aggregate(1L, static (product, size) => product * size));
    }

    [Test]
    public void A_pass_takes_what_the_weights_and_the_libraries_leave()
    {
        // 80 GiB free, weights of 16 GiB: 80 − 4 − 0.5 − 16.
        Assert.That(DeviceMemory.OfPass(80 * Gibibyte, 16 * Gibibyte), Is.EqualTo((long)(59.5 * Gibibyte)));
    }

    [Test]
    public void More_memory_gives_larger_batches_up_to_the_tokens_asked_for()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        var trunk = SharedTrunk.Of(model);
        int[] tokens = [.. new[] { 0.6, 0.7, 0.8, 1.0, 40.0 }.Select(gibibytes => Plan((long)(gibibytes * Gibibyte)).TokensPerBatch)];
        Assert.That(tokens, Is.Ordered.And.All.AtMost(200_000));
        Assert.That(tokens[0], Is.Positive.And.LessThan(200_000));
        Assert.That(tokens[^1], Is.EqualTo(200_000));

        // In 16 bits a token takes half of what it takes in 32.
        Assert.That(Plan((long)(0.6 * Gibibyte), 2).TokensPerBatch, Is.EqualTo(2 * Plan((long)(0.6 * Gibibyte), 4).TokensPerBatch).Within(1));

        MemoryPlan Plan(long free, int valueSize = 2) => MemoryPlan.Of(
            DeviceMemory.Bound(new ScoringOptions { TokensPerBatchOnCuda = 200_000 }, trunk, Cuda, DataType.Float16, _ => free), trunk, isPacked: false, valueSize);
    }

    [Test]
    public void The_memory_asked_for_is_that_of_the_device_chosen()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        var asked = new List<int>();
        DeviceMemory.Bound(new ScoringOptions(), SharedTrunk.Of(model), Cuda, DataType.Bfloat16, index =>
        {
            asked.Add(index);
            return Gibibyte;
        });
        Assert.That(asked, Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void A_memory_that_is_stated_stands_and_one_that_the_driver_does_not_tell_is_taken_for_a_small_one()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        var trunk = SharedTrunk.Of(model);
        var stated = new ScoringOptions { Memory = 64L << 20 };
        Assert.That(DeviceMemory.Bound(stated, trunk, Cuda, DataType.Float16, _ => Gibibyte).Memory, Is.EqualTo(64L << 20));
        var untold = DeviceMemory.Bound(new ScoringOptions(), trunk, Cuda, DataType.Float16, static _ => null);
        Assert.That((untold.Memory, untold.TokensPerBatch), Is.EqualTo((DeviceMemory.UntoldMemory, new ScoringOptions().TokensPerBatchOnCuda)));
        var cpu = new ScoringOptions();
        Assert.That(DeviceMemory.Bound(cpu, trunk, new ChosenDevice(ComputeDevice.Cpu, 0, ""), DataType.Float), Is.EqualTo(cpu));
    }

    [Test]
    public void Weights_that_leave_no_room_are_told()
    {
        using var model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        var error = Assert.Throws<ShadException>(
            () => DeviceMemory.Bound(new ScoringOptions(), SharedTrunk.Of(model), Cuda, DataType.Float16, static _ => DeviceMemory.LibraryMemory))!;
        Assert.That(error.Code, Is.EqualTo("onnx.no_device_memory"));
        Assert.That(error.Message, Does.Contain("cuda:1").And.Contain("0.5 GiB are free"));
    }
}
