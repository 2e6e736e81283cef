using Shad.Core.Tuning;
using Shad.Core.Weighting;
using Shad.Models.Adapters;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Objectives;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests;

/// <summary>A tune of any length takes the memory of a short one.</summary>
public sealed class LeakTests
{
    private const int Steps = 200;

    [Test]
    public void Two_hundred_steps_leave_no_native_tensor_and_no_memory(
        [Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision, [Values] bool adapters)
    {
        using var folder = new TemporaryFolder();
        var config = TinyModels.LlamaUntiedGrouped with { HiddenSize = 256, HeadSize = 64, IntermediateSize = 512 };
        using var model = TinyModels.Create(folder, config, deviation: 0.05);
        var part = adapters ? TunedPart.Of(new AdapterConfig { Rank = 4, Alpha = 8, Targets = ["q_proj", "down_proj"] }) : TunedPart.All;
        using var parameters = new DecoderParameters(config, part, precision, CPU);
        parameters.Load(model.Weights);
        if (adapters) parameters.BeginAdapters(1);
        using var decoder = new TorchDecoder(parameters, CPU);
        using var optimizer = new AdamW(parameters, new AdamWOptions());
        var trainer = new Trainer(
            decoder, optimizer, new RftObjective(new RftWeighting()),
            new TrainerOptions { TokensPerBatch = 400, Precision = precision, Dropout = adapters ? 0.1 : 0 }, CPU);

        // Every step has other lengths, as in a real tune: nothing may be kept by shape either.
        void Run(int first, int count)
        {
            for (int step = first; step < first + count; step++)
                trainer.Step(TinyModels.Samples(8, seed: (ulong)(step % 20), longest: 60), step, 1e-4, default);
        }

        // The first steps make what stays: the rotary table, the libraries' buffers, the arenas of the allocator.
        Run(1, 40);
        long tensors = NativeTensors.SettledCount();
        var statistics = DisposeScopeManager.Statistics;
        long live = statistics.ThreadTotalLiveCount;
        long before = ProcessMemory.Native;

        Run(41, Steps / 2);
        long between = ProcessMemory.Native;
        Run(41 + Steps / 2, Steps / 2);
        long after = ProcessMemory.Native;
        TestContext.Out.WriteLine($"native memory: {(between - before) / 1e6:+0.0;-0.0} MB after half of the steps, {(after - before) / 1e6:+0.0;-0.0} MB after all");
        Assert.Multiple(() =>
        {
            Assert.That(Tensor.TotalCount, Is.EqualTo(tensors), "native tensors");
            Assert.That(statistics.ThreadTotalLiveCount, Is.EqualTo(live), "tensors of this thread that are not disposed");

            // One hidden state [T,H] of a step is about 250 · 256 floats: 200 of them would be 51 MB, and a step makes dozens.
            Assert.That(after - before, Is.LessThan(24L << 20), "bytes of native memory");
        });
    }
}
