using Shad.Core.Randomness;
using Shad.Core.Tuning;
using Shad.Sidecar.Checkpoints;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests;

public sealed class TuneCheckpointTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    private sealed class Tune : IDisposable
    {
        public Tune()
        {
            Parameters = new DecoderParameters(TinyModels.Llama with { LayerCount = 1 }, TunedPart.All, TunePrecision.Float32, CPU);
            Optimizer = new AdamW(Parameters, new AdamWOptions());
            Stopping = new EarlyStopping(new EarlyStoppingSettings(), Parameters);
        }

        public DecoderParameters Parameters { get; }

        public AdamW Optimizer { get; }

        public EarlyStopping Stopping { get; }

        public Tensor[] Tensors => [Parameters.Values, Optimizer.FirstMoment, Optimizer.SecondMoment, Stopping.BestValues!];

        public float[][] Values => Array.ConvertAll(Tensors, static tensor => tensor.data<float>().ToArray());

        public void Fill(long seed)
        {
            manual_seed(seed);
            using var quiet = no_grad();
            foreach (var tensor in Tensors) tensor.normal_();
            Stopping.Measured((int)seed, 1.0 / (seed + 1));
        }

        public void Dispose()
        {
            Stopping.Dispose();
            Optimizer.Dispose();
            Parameters.Dispose();
        }
    }

    [Test]
    public void Whatever_byte_is_damaged_no_wrong_state_is_restored()
    {
        using var tune = new Tune();
        var writer = new TuneCheckpoint(_folder.Path, "identity", 2);
        tune.Fill(1);
        writer.Write(tune.Parameters, tune.Optimizer, tune.Stopping, 1);
        float[][] first = tune.Values;
        tune.Fill(2);
        writer.Write(tune.Parameters, tune.Optimizer, tune.Stopping, 2);
        float[][] second = tune.Values;
        string newest = writer.Newest!;
        byte[] sound = File.ReadAllBytes(newest);
        int header = (int)BitConverter.ToUInt64(sound) + 8;

        var random = new SeededRandom(3);
        using var restored = new Tune();
        for (int trial = 0; trial < 60; trial++)
        {
            bool inData = trial % 2 == 0;
            int at = inData ? random.NextInt32(header, sound.Length) : random.NextInt32(header);
            byte[] damaged = [.. sound];
            damaged[at] ^= (byte)(1 << random.NextInt32(8));
            File.WriteAllBytes(newest, damaged);
            restored.Fill(9);
            var warnings = new List<string>();
            var reader = new TuneCheckpoint(_folder.Path, "identity", 2);
            int steps = reader.Restore(restored.Parameters, restored.Optimizer, restored.Stopping, (code, _) => warnings.Add(code));
            // A bit of the header may matter to nobody, as in a space; then the state is the newest one itself.
            Assert.That(steps, inData ? Is.EqualTo(1) : Is.AnyOf(1, 2), $"byte {at}");
            Assert.That(restored.Values, Is.EqualTo(steps == 1 ? first : second), $"byte {at}");
            Assert.That(restored.Stopping.BestStep, Is.EqualTo(steps), $"byte {at}");
            Assert.That(warnings, Has.Count.EqualTo(2 - steps), $"byte {at}");
        }
    }

    [Test]
    public void What_a_killed_process_left_half_written_is_removed_and_files_of_others_are_not()
    {
        using var tune = new Tune();
        tune.Fill(1);
        new TuneCheckpoint(_folder.Path, "identity", 2).Write(tune.Parameters, tune.Optimizer, tune.Stopping, 1);
        string half = _folder.File("step-00000002.safetensors.0123456789abcdef.tmp"), notes = _folder.File("notes.tmp");
        File.WriteAllText(half, "half");
        File.WriteAllText(notes, "keep me");
        var checkpoint = new TuneCheckpoint(_folder.Path, "identity", 2);
        Assert.That(checkpoint.Restore(tune.Parameters, tune.Optimizer, tune.Stopping, static (_, _) => { }), Is.EqualTo(1));
        Assert.That(File.Exists(half), Is.False);
        checkpoint.Remove();
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { notes }));
    }

    [Test]
    public void A_damaged_checkpoint_is_not_kept_in_place_of_a_sound_one()
    {
        using var tune = new Tune();
        var writer = new TuneCheckpoint(_folder.Path, "identity", 2);
        for (int step = 1; step <= 5; step += 4)
        {
            tune.Fill(step);
            writer.Write(tune.Parameters, tune.Optimizer, tune.Stopping, step);
        }

        byte[] bytes = File.ReadAllBytes(writer.Newest!);
        bytes[^1] ^= 4;
        File.WriteAllBytes(writer.Newest!, bytes);
        var reader = new TuneCheckpoint(_folder.Path, "identity", 2);
        Assert.That(reader.Restore(tune.Parameters, tune.Optimizer, tune.Stopping, static (_, _) => { }), Is.EqualTo(1));
        Assert.That(reader.BrokenCount, Is.EqualTo(1));
        reader.Write(tune.Parameters, tune.Optimizer, tune.Stopping, 2);
        Assert.That(
            Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order(),
            Is.EqualTo(new[] { "step-00000001.safetensors", "step-00000002.safetensors" }));
    }
}

public sealed class EarlyStoppingTests
{
    [Test]
    public void It_stops_after_so_many_measurements_without_an_improvement_of_the_least_size_and_keeps_the_best()
    {
        using var parameters = new DecoderParameters(TinyModels.Llama with { LayerCount = 1 }, TunedPart.All, TunePrecision.BFloat16, CPU);
        using var stopping = new EarlyStopping(new EarlyStoppingSettings { Patience = 2, MinimumImprovement = 0.1 }, parameters);
        double[] losses = [3, 2.5, 2.45, 2.3, 2.25, 2.25];
        bool[] stopped = [false, false, false, false, false, true];
        for (int i = 0; i < losses.Length; i++)
        {
            using (no_grad()) parameters.Values.fill_(i);
            stopping.Measured(i * 10, losses[i]);
            Assert.That(stopping.HasStopped, Is.EqualTo(stopped[i]), $"measurement {i}");
        }

        Assert.That(stopping.BestStep, Is.EqualTo(30));
        Assert.That(stopping.TakeBest(), Is.True);
        Assert.That(parameters.Values.data<float>().ToArray(), Is.All.EqualTo(3));
        Assert.That(parameters.Layers[0].Down.Half!.to(float32).min().item<float>(), Is.EqualTo(3));
    }

    [Test]
    public void A_loss_that_is_no_number_never_counts_as_better()
    {
        using var parameters = new DecoderParameters(TinyModels.Llama with { LayerCount = 1 }, TunedPart.All, TunePrecision.Float32, CPU);
        using var stopping = new EarlyStopping(new EarlyStoppingSettings { Patience = 1 }, parameters);
        stopping.Measured(0, 1);
        stopping.Measured(1, double.NaN);
        Assert.That(stopping.HasStopped, Is.True);
        Assert.That(stopping.BestStep, Is.Zero);
    }

    [Test]
    public void Without_settings_it_never_stops_and_holds_no_weights()
    {
        using var parameters = new DecoderParameters(TinyModels.Llama with { LayerCount = 1 }, TunedPart.All, TunePrecision.Float32, CPU);
        using var stopping = new EarlyStopping(null, parameters);
        for (int i = 0; i < 9; i++) stopping.Measured(i, i);
        Assert.That(stopping.HasStopped, Is.False);
        Assert.That(stopping.BestValues, Is.Null);
        Assert.That(stopping.TakeBest(), Is.False);
        Assert.That(stopping.MeasuredStep, Is.EqualTo(8));
    }
}
