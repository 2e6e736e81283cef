using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Core.Weighting;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Sidecar.Objectives;
using Shad.Sidecar.Tests.Reference;

namespace Shad.Sidecar.Tests;

public sealed class TuneCommandTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    private TuneJob Job(DecoderConfig? config = null, List<TokenizedSample>? samples = null, double deviation = 0.1)
    {
        using var model = TinyModels.Create(_folder, config ?? TinyModels.Llama, deviation: deviation);
        File.WriteAllText(Path.Combine(model.Path, "tokenizer.json"), "{}");
        return new TuneJob
        {
            Model = model.Path, Output = _folder.File("tuned"), Data = SidecarHarness.WriteData(_folder, samples ?? TinyModels.Samples(20)),
            Steps = 6, SamplesPerStep = 4, TokensPerBatch = 60, LearningRate = 0.01, Threads = 2,
        };
    }

    private static byte[] Weights(TuneJob job) => File.ReadAllBytes(Path.Combine(job.Output, ModelWeights.FileName));

    private static SidecarError Error((int ExitCode, List<SidecarEvent> Events) run, int exitCode = 1)
    {
        Assert.That(run.ExitCode, Is.EqualTo(exitCode));
        Assert.That(run.Events[^1], Is.TypeOf<SidecarError>());
        return (SidecarError)run.Events[^1];
    }

    [Test]
    public void A_tune_reports_its_steps_and_writes_a_whole_model_folder()
    {
        var job = Job() with { HeldOut = SidecarHarness.WriteData(_folder, TinyModels.Samples(5, seed: 77)), EvaluateEvery = 4 };
        var (exitCode, events) = SidecarHarness.Tune(_folder, job);

        Assert.That(exitCode, Is.Zero, string.Join('\n', events));
        using var tuned = ModelFolder.Open(job.Output);
        using var start = ModelFolder.Open(job.Model);
        Assert.Multiple(() =>
        {
            Assert.That(events[0], Is.TypeOf<MemoryPlanned>());
            Assert.That(events[1], Is.TypeOf<TuneStarted>());
            Assert.That(events.OfType<TuneProgress>().Select(static e => e.Step), Is.EqualTo(new[] { 1, 2, 3, 4, 5, 6 }));
            Assert.That(events.OfType<HeldOutMeasured>().Select(static e => e.Step), Is.EqualTo(new[] { 0, 4, 6 }));
            Assert.That(events[^1], Is.TypeOf<TuneDone>());
            Assert.That(tuned.Config, Is.EqualTo(start.Config with { EndOfSequenceIds = tuned.Config.EndOfSequenceIds }));
            Assert.That(File.Exists(Path.Combine(job.Output, "tokenizer.json")), Is.True);
            Assert.That(Directory.Exists(job.Output + ".checkpoints"), Is.False, "checkpoints of a tune that has ended");
            Assert.That(Directory.GetFileSystemEntries(_folder.Path, "*.tmp"), Is.Empty);
        });
    }

    [Test]
    public void The_held_out_losses_are_those_of_the_reference()
    {
        var heldOut = TinyModels.Samples(5, seed: 77);
        var job = Job() with { HeldOut = SidecarHarness.WriteData(_folder, heldOut), Precision = TunePrecision.BFloat16 };
        var measured = SidecarHarness.Tune(_folder, job).Events.OfType<HeldOutMeasured>().ToList();

        foreach (var (path, measure) in new[] { (job.Model, measured[0]), (job.Output, measured[^1]) })
        {
            using var model = ModelFolder.Open(path);
            var reference = new ReferenceDecoder(model);
            var tokens = heldOut
                .SelectMany(sample => reference.Losses(sample).Select((loss, i) => (loss, role: sample.Roles![i])))
                .Where(static token => token.role is not null).ToList();
            double Mean(TokenRole role) => tokens.Where(token => token.role == role).Average(static token => token.loss);
            Assert.Multiple(() =>
            {
                Assert.That(measure.Loss, Is.EqualTo(tokens.Average(static token => token.loss)).Within(5e-5));
                Assert.That(measure.BoilerplateLoss, Is.EqualTo(Mean(TokenRole.Boilerplate)).Within(5e-5));
                Assert.That(measure.ReasoningLoss, Is.EqualTo(Mean(TokenRole.Reasoning)).Within(5e-5));
            });
        }
    }

    [Test]
    public void The_same_job_gives_the_same_weights_bit_for_bit_and_another_seed_others([Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision)
    {
        var job = Job() with { Precision = precision };
        SidecarHarness.Tune(_folder, job);
        byte[] first = Weights(job);
        var again = job with { Output = _folder.File("again") };
        SidecarHarness.Tune(_folder, again);
        var other = job with { Output = _folder.File("other"), Seed = 99 };
        SidecarHarness.Tune(_folder, other);
        Assert.That(Weights(again), Is.EqualTo(first));
        Assert.That(Weights(other), Is.Not.EqualTo(first));
    }

    [Test]
    public void An_ended_tune_continues_and_ends_bit_for_bit_where_an_uninterrupted_one_does(
        [Values(TunePrecision.Float32, TunePrecision.BFloat16)] TunePrecision precision, [Values] TuneObjective objective, [Values(null, 1)] int? lastLayers)
    {
        var job = Job(TinyModels.LlamaUntiedGrouped) with { Precision = precision, Objective = objective, LastLayers = lastLayers };
        SidecarHarness.Tune(_folder, job);
        byte[] uninterrupted = Weights(job);

        var ended = job with { Output = _folder.File("ended") };
        var first = SidecarHarness.Tune(_folder, ended, static line => line is TuneProgress { Step: 3 });
        Assert.That(Error(first, SidecarProgram.Interrupted).Code, Is.EqualTo("interrupted"));
        Assert.That(Directory.Exists(ended.Output), Is.False);
        Assert.That(Directory.GetFiles(ended.Output + ".checkpoints"), Has.Length.EqualTo(1));

        var second = SidecarHarness.Tune(_folder, ended);
        Assert.That(second.ExitCode, Is.Zero);
        Assert.That(second.Events.OfType<TuneStarted>().Single().FirstStep, Is.EqualTo(3));
        Assert.That(second.Events.OfType<TuneProgress>().First().Step, Is.EqualTo(4));
        Assert.That(Weights(ended), Is.EqualTo(uninterrupted));
    }

    [Test]
    public void Ended_before_its_first_step_a_tune_writes_nothing()
    {
        var job = Job();
        Error(SidecarHarness.Tune(_folder, job, static line => line is TuneStarted), SidecarProgram.Interrupted);
        Assert.That(Directory.Exists(job.Output) || Directory.Exists(job.Output + ".checkpoints"), Is.False);
    }

    [Test]
    public void A_checkpoint_of_another_job_or_a_broken_one_is_passed_over_with_a_warning()
    {
        var job = Job();
        SidecarHarness.Tune(_folder, job);
        byte[] expected = Weights(job);
        var ended = job with { Output = _folder.File("ended") };
        SidecarHarness.Tune(_folder, ended, static line => line is TuneProgress { Step: 3 });
        string checkpoint = Directory.GetFiles(ended.Output + ".checkpoints").Single();

        var other = ended with { LearningRate = 0.02, Steps = 1 };
        var run = SidecarHarness.Tune(_folder, other);
        Assert.That(run.Events.OfType<SidecarWarning>().Select(static e => e.Code), Does.Contain("tune.checkpoint_of_other_job"));
        Assert.That(((TuneStarted)run.Events.First(static e => e is TuneStarted)).FirstStep, Is.Zero);
        Assert.That(File.Exists(checkpoint), Is.True, "another job's checkpoint is not ours to remove");
        Directory.Delete(ended.Output, recursive: true);

        byte[] bytes = File.ReadAllBytes(checkpoint);
        File.WriteAllBytes(checkpoint, bytes[..(bytes.Length / 2)]);
        run = SidecarHarness.Tune(_folder, ended);
        Assert.That(run.Events.OfType<SidecarWarning>().Select(static e => e.Code), Does.Contain("tune.checkpoint_broken"));
        Assert.That(Weights(ended), Is.EqualTo(expected), "begun anew it ends where it would have");
    }

    [Test]
    public void Changed_data_make_it_another_job()
    {
        var job = Job();
        SidecarHarness.Tune(_folder, job, static line => line is TuneProgress { Step: 3 });
        File.AppendAllText(job.Data, File.ReadLines(job.Data).First() + "\n");
        var run = SidecarHarness.Tune(_folder, job);
        Assert.That(run.Events.OfType<SidecarWarning>().Select(static e => e.Code), Does.Contain("tune.checkpoint_of_other_job"));
    }

    [Test]
    public void As_many_checkpoints_as_asked_for_are_kept_the_newest([Values(1, 3)] int kept)
    {
        var job = Job() with { CheckpointEvery = 1, CheckpointsKept = kept, CheckpointFolder = _folder.File("points") };
        var seen = new List<string>();
        SidecarHarness.Tune(_folder, job, line =>
        {
            // The event of a step comes before its checkpoint.
            if (line is TuneProgress { Step: 6 }) seen.AddRange(Directory.GetFiles(job.CheckpointFolder!).Select(Path.GetFileName)!);
            return false;
        });
        Assert.That(seen.Order(), Is.EqualTo(Enumerable.Range(6 - kept, kept).Select(static step => $"step-{step:D8}.safetensors")));
        Assert.That(Directory.Exists(job.CheckpointFolder), Is.False);
    }

    [Test]
    public void A_damaged_checkpoint_is_found_out_counted_and_the_one_before_it_used()
    {
        var job = Job() with { CheckpointEvery = 1 };
        SidecarHarness.Tune(_folder, job);
        var ended = job with { Output = _folder.File("ended") };
        SidecarHarness.Tune(_folder, ended, static line => line is TuneProgress { Step: 4 });
        string[] points = [.. Directory.GetFiles(ended.Output + ".checkpoints").Order(StringComparer.Ordinal)];
        Assert.That(points, Has.Length.EqualTo(2));
        byte[] bytes = File.ReadAllBytes(points[1]);
        bytes[^100] ^= 1;
        File.WriteAllBytes(points[1], bytes);

        var run = SidecarHarness.Tune(_folder, ended);
        var started = run.Events.OfType<TuneStarted>().Single();
        var warning = run.Events.OfType<SidecarWarning>().Single();
        Assert.Multiple(() =>
        {
            Assert.That(warning.Code, Is.EqualTo("tune.checkpoint_broken"));
            Assert.That(warning.Message, Does.Contain(points[1]).And.Contain("SHA-256"));
            Assert.That(started.BrokenCheckpoints, Is.EqualTo(1));
            Assert.That(started.FirstStep, Is.EqualTo(3));
            Assert.That(Weights(ended), Is.EqualTo(Weights(job)));
            Assert.That(Directory.Exists(ended.Output + ".checkpoints"), Is.False, "the damaged one is removed as well");
        });
    }

    [Test]
    public void RFT_that_is_annealed_goes_over_to_the_weights_of_SFT_from_the_given_share_of_the_steps()
    {
        var samples = TinyModels.Samples(4);
        var job = Job(TinyModels.LlamaUntiedGrouped, samples) with
        {
            Objective = TuneObjective.Rft, Steps = 8, SamplesPerStep = samples.Count, ReportEvery = 1, AnnealFrom = 0.25,
        };
        var roles = samples.SelectMany(static sample => sample.Roles!).ToList();
        double alike = (double)roles.Count(static role => role == TokenRole.Reasoning) / roles.Count(static role => role is not null);
        var progress = SidecarHarness.Tune(_folder, job).Events.OfType<TuneProgress>().ToList();
        Assert.That(progress, Has.Count.EqualTo(8));
        foreach (var item in progress)
        {
            double plain = RftWeights.Compute(item.BoilerplateLoss, item.ReasoningLoss, 1).Reasoning;
            double gone = Math.Max(0, ((item.Step - 1) / 8.0 - 0.25) / 0.75);
            // The reported losses are means of float32 losses, taken apart in another order.
            Assert.That(item.ReasoningWeight, Is.EqualTo(plain + gone * (alike - plain)).Within(1e-6), $"step {item.Step}");
        }
    }

    /// <summary>Small training data and a high rate: the held-out loss soon rises.</summary>
    private TuneJob Overfitting() => Job(TinyModels.LlamaUntiedGrouped, TinyModels.Samples(4)) with
    {
        HeldOut = SidecarHarness.WriteData(_folder, TinyModels.Samples(8, seed: 78)), EvaluateEvery = 2, Steps = 60, LearningRate = 0.02,
        Objective = TuneObjective.Rft, EarlyStopping = new EarlyStoppingSettings { Patience = 3 },
    };

    [Test]
    public void A_tune_that_no_longer_improves_stops_and_its_best_weights_are_written()
    {
        var job = Overfitting();
        var (exitCode, events) = SidecarHarness.Tune(_folder, job);
        Assert.That(exitCode, Is.Zero, string.Join('\n', events));
        var measured = events.OfType<HeldOutMeasured>().ToList();
        var best = measured.MinBy(static item => item.Loss)!;
        var done = (TuneDone)events[^1];
        using var tuned = ModelFolder.Open(job.Output);
        var reference = new ReferenceDecoder(tuned);
        double loss = TinyModels.Samples(8, seed: 78).SelectMany(reference.Losses).Where(static value => !double.IsNaN(value)).Average();
        Assert.Multiple(() =>
        {
            Assert.That(done.Steps, Is.EqualTo(measured[^1].Step).And.LessThan(60));
            Assert.That(done.Steps - best.Step, Is.EqualTo(6), "three measurements of two steps");
            Assert.That(done.BestStep, Is.EqualTo(best.Step));
            Assert.That(loss, Is.EqualTo(best.Loss).Within(5e-5));
            Assert.That(measured[^1].Loss, Is.GreaterThan(best.Loss + 1e-3), "the last weights would not do");
        });
    }

    [Test]
    public void Early_stopping_is_the_same_after_a_resume([Values(1, 2, 5, 6)] int endAt)
    {
        var job = Overfitting();
        var whole = SidecarHarness.Tune(_folder, job);
        var ended = job with { Output = _folder.File("ended") };
        SidecarHarness.Tune(_folder, ended, line => line is TuneProgress progress && progress.Step == endAt);
        var resumed = SidecarHarness.Tune(_folder, ended);
        Assert.That(resumed.Events.OfType<TuneStarted>().Single().FirstStep, Is.EqualTo(endAt));
        Assert.That(((TuneDone)resumed.Events[^1]).Steps, Is.EqualTo(((TuneDone)whole.Events[^1]).Steps));
        Assert.That(((TuneDone)resumed.Events[^1]).BestStep, Is.EqualTo(((TuneDone)whole.Events[^1]).BestStep));
        Assert.That(Weights(ended), Is.EqualTo(Weights(job)));
    }

    [Test]
    public void A_tune_that_needs_more_memory_than_it_may_take_is_refused_before_it_begins_with_what_would_fit()
    {
        var job = Job(TinyModels.Llama with { VocabularySize = 20_000, LayerCount = 8, IntermediateSize = 2000 }) with { TokensPerBatch = 4096, SamplesPerStep = 500 };
        var planned = SidecarHarness.Tune(_folder, job with { Steps = 1, SamplesPerStep = 1 }).Events.OfType<MemoryPlanned>().Single();
        Assert.That(planned.Summary, Does.Match("^needs about .+ (MiB|GiB); .+ (MiB|GiB) free$"));
        var run = SidecarHarness.Tune(_folder, job with { MemoryLimit = 3 * planned.Total, Output = _folder.File("other") });
        var error = Error(run);
        Assert.Multiple(() =>
        {
            Assert.That(error.Code, Is.EqualTo("tune.memory"));
            Assert.That(error.Message, Does.Contain("tokens_per_batch: ").And.Contain("gradient_checkpointing: true").And.Contain("adapters with gradient_checkpointing"));
            Assert.That(run.Events.OfType<TuneStarted>(), Is.Empty);
        });
        Assert.That(Error(SidecarHarness.Tune(_folder, job with { MemoryLimit = 1 << 20, Output = _folder.File("third") })).Message, Does.Contain("last_layers"));
    }

    [Test]
    public void Progress_tells_rate_norm_speed_and_memory_and_the_curves_go_to_TensorBoard()
    {
        var job = Job() with
        {
            Objective = TuneObjective.Rft, HeldOut = SidecarHarness.WriteData(_folder, TinyModels.Samples(5, seed: 77)), EvaluateEvery = 3,
            TensorBoard = _folder.File("board"),
        };
        var events = SidecarHarness.Tune(_folder, job).Events;
        var progress = events.OfType<TuneProgress>().ToList();
        var measured = events.OfType<HeldOutMeasured>().ToList();
        Assert.Multiple(() =>
        {
            foreach (var item in progress)
            {
                Assert.That(item.LearningRate, Is.GreaterThan(0));
                Assert.That(item.GradientNorm, Is.GreaterThan(0));
                Assert.That(item.TokensPerSecond, Is.GreaterThan(0));
                Assert.That(item.ReasoningWeight, Is.GreaterThan(0).And.LessThan(1));
                Assert.That(item.BoilerplateLoss, Is.GreaterThan(0));
                Assert.That(item.ReasoningLoss, Is.GreaterThan(0));
                Assert.That(item.PeakMemory, Is.GreaterThan(10L << 20));
            }
        });

        var curves = TensorBoardReader.Read(Directory.GetFiles(job.TensorBoard!).Single());
        (int, float)[] Curve(string tag) => [.. curves.Where(point => point.Tag == tag).Select(static point => (point.Step, point.Value))];
        Assert.Multiple(() =>
        {
            Assert.That(Curve("train/loss"), Is.EqualTo(progress.Select(static item => (item.Step, (float)item.Loss))));
            Assert.That(Curve("train/reasoning_loss"), Is.EqualTo(progress.Select(static item => (item.Step, (float)item.ReasoningLoss!))));
            Assert.That(Curve("train/boilerplate_loss"), Is.EqualTo(progress.Select(static item => (item.Step, (float)item.BoilerplateLoss!))));
            Assert.That(Curve("train/reasoning_weight"), Is.EqualTo(progress.Select(static item => (item.Step, (float)item.ReasoningWeight!))));
            Assert.That(Curve("train/gradient_norm"), Is.EqualTo(progress.Select(static item => (item.Step, (float)item.GradientNorm))));
            Assert.That(Curve("train/learning_rate"), Is.EqualTo(progress.Select(static item => (item.Step, (float)item.LearningRate))));
            Assert.That(Curve("train/tokens_per_second"), Has.Length.EqualTo(progress.Count));
            Assert.That(Curve("held_out/loss"), Is.EqualTo(measured.Select(static item => (item.Step, (float)item.Loss))));
            Assert.That(Curve("held_out/reasoning_loss"), Is.EqualTo(measured.Select(static item => (item.Step, (float)item.ReasoningLoss!))));
        });
    }

    [Test]
    public void A_loss_that_is_not_finite_stops_the_tune_names_the_samples_and_keeps_the_checkpoint()
    {
        // The first step throws the weights to about 1e12; the products of the second overflow.
        var job = Job() with { LearningRate = 1e12, WarmupRatio = 0, CheckpointEvery = 1, ShuffleData = false };
        var error = Error(SidecarHarness.Tune(_folder, job));
        string checkpoint = Directory.GetFiles(job.Output + ".checkpoints").Single();
        Assert.Multiple(() =>
        {
            Assert.That(error.Code, Is.EqualTo("tune.non_finite"));
            Assert.That(error.Message, Does.Contain("step 2").And.Contain("'s4', 's5', 's6', 's7'").And.Contain(checkpoint));
            Assert.That(checkpoint, Does.EndWith("step-00000001.safetensors"));
            Assert.That(Directory.Exists(job.Output), Is.False);
        });
    }

    [Test]
    public void A_model_that_is_not_finite_from_the_start_writes_nothing()
    {
        var error = Error(SidecarHarness.Tune(_folder, Job(deviation: double.NaN)));
        Assert.That(error.Code, Is.EqualTo("tune.non_finite"));
        Assert.That(error.Message, Does.Contain("step 1").And.Contain("Nothing was written"));
    }

    [Test]
    public void The_written_dtype_is_the_one_asked_for_or_that_of_the_model(
        [Values(null, "float32", "bfloat16", "float16")] string? dtype)
    {
        var job = Job() with { SaveDtype = dtype, Steps = 1 };
        SidecarHarness.Tune(_folder, job);
        using var tuned = ModelFolder.Open(job.Output);
        Assert.That(tuned.Weights.MainDtype.HuggingFaceName(), Is.EqualTo(dtype ?? "float32"));
        Assert.That(tuned.Weights.Tensors.Values.Select(static entry => entry.Dtype).Distinct().Count(), Is.EqualTo(1));
    }

    [Test]
    public void Tuning_the_last_layer_keeps_the_bytes_of_the_others()
    {
        var job = Job() with { LastLayers = 1 };
        SidecarHarness.Tune(_folder, job);
        using var before = ModelFolder.Open(job.Model);
        using var after = ModelFolder.Open(job.Output);
        foreach (string name in before.Weights.Tensors.Keys)
        {
            bool same = before.Weights.AsSpan(name).SequenceEqual(after.Weights.AsSpan(name));
            bool tuned = name.StartsWith("model.layers.2.", StringComparison.Ordinal) || name == TensorNames.FinalNorm;
            Assert.That(same, Is.EqualTo(!tuned), name);
        }
    }

    [Test]
    public void Changes_only_are_written_as_the_tuned_tensors_over_the_base_model()
    {
        var whole = Job(TinyModels.LlamaUntiedGrouped) with { LastLayers = 1 };
        var changes = whole with { Output = _folder.File("changes"), ChangesOnly = true };
        SidecarHarness.Tune(_folder, whole);
        Assert.That(SidecarHarness.Tune(_folder, changes).ExitCode, Is.Zero);

        using var expected = ModelFolder.Open(whole.Output);
        using var written = ModelFolder.Open(changes.Output);
        Assert.That(written.Weights.Base!.Folder, Is.EqualTo(whole.Model));
        foreach (string name in expected.Weights.Tensors.Keys)
            Assert.That(written.Weights.AsSpan(name).SequenceEqual(expected.Weights.AsSpan(name)), name);

        string last = TensorNames.Layer(expected.Config.LayerCount - 1).Prefix + ".";
        using var stored = SafetensorsFile.Open(Path.Combine(changes.Output, BaseReference.ChangesFileName));
        Assert.That(stored.Tensors.Keys, Is.EquivalentTo(expected.Weights.Tensors.Keys.Where(
            name => name.StartsWith(last, StringComparison.Ordinal) || name is TensorNames.FinalNorm or TensorNames.Head)));

        // It is known as this job's output, and a tune may start from it.
        Assert.That(SidecarHarness.Tune(_folder, changes).ExitCode, Is.Zero);
        Assert.That(SidecarHarness.Tune(_folder, changes with { Model = changes.Output, Output = _folder.File("further") }).ExitCode, Is.Zero);
    }

    [Test]
    public void An_earlier_output_of_the_same_job_is_replaced_and_anything_else_is_not_touched()
    {
        var job = Job() with { Steps = 1 };
        SidecarHarness.Tune(_folder, job);
        Assert.That(SidecarHarness.Tune(_folder, job).ExitCode, Is.Zero);
        Assert.That(Error(SidecarHarness.Tune(_folder, job with { Seed = 3 })).Code, Is.EqualTo("tune.output_exists"));

        Directory.CreateDirectory(_folder.File("notes"));
        File.WriteAllText(_folder.File("notes/todo.txt"), "keep me");
        Assert.That(
            Error(SidecarHarness.Tune(_folder, job with { Output = _folder.File("notes") })).Code, Is.EqualTo("tune.output_exists"));
        Assert.That(File.ReadAllText(_folder.File("notes/todo.txt")), Is.EqualTo("keep me"));
    }

    [Test]
    public void Long_samples_are_cut_or_left_out_and_counted()
    {
        static TokenizedSample Sample(string id, int prompt, int response)
        {
            int[] ids = [.. Enumerable.Range(1, prompt + response)];
            return new TokenizedSample(id, ids, [.. ids.Select((token, i) => i < prompt ? TokenizedSample.IgnoredLabel : token)]);
        }

        var job = Job(samples: [Sample("fits", 6, 4), Sample("long prompt", 20, 4), Sample("long response", 2, 20)])
            with { MaximumLength = 10, Steps = 1 };
        var events = SidecarHarness.Tune(_folder, job).Events;
        var started = events.OfType<TuneStarted>().Single();
        Assert.Multiple(() =>
        {
            Assert.That(started.Samples, Is.EqualTo(2));
            Assert.That(started.Truncated, Is.EqualTo(1));
            Assert.That(started.Skipped, Is.EqualTo(1));
            Assert.That(
                events.OfType<SidecarWarning>().Select(static e => e.Code),
                Is.EqualTo(new[] { "tune.truncated", "tune.skipped" }));
        });
    }

    [Test]
    public void A_file_without_a_usable_sample_is_an_error()
    {
        var prompt = new TokenizedSample("p", [1, 2, 3], [-100, -100, -100]);
        Assert.That(Error(SidecarHarness.Tune(_folder, Job(samples: [prompt]))).Message, Does.Contain("no response token"));
        Assert.That(Error(SidecarHarness.Tune(_folder, Job(samples: []))).Code, Is.EqualTo("tune.no_samples"));
        var tooLong = new TokenizedSample("l", [1, 2, 3, 4], [-100, 2, 3, 4]);
        var error = Error(SidecarHarness.Tune(_folder, Job(samples: [tooLong]) with { MaximumLength = 3 }));
        Assert.That(error.Code, Is.EqualTo("tune.no_samples"));
        Assert.That(error.Message, Does.Contain("1 were skipped"));
    }

    [Test]
    public void Objectives_refuse_samples_that_lack_what_they_need()
    {
        var bare = TinyModels.Samples(3).Select(static sample => sample with { Roles = null, Weights = null }).ToList();
        var job = Job(samples: bare);
        var rft = Error(SidecarHarness.Tune(_folder, job with { Objective = TuneObjective.Rft }));
        var weighted = Error(SidecarHarness.Tune(_folder, job with { Objective = TuneObjective.Weighted }));
        Assert.Multiple(() =>
        {
            Assert.That(rft.Code, Is.EqualTo("tune.role_missing"));
            Assert.That(rft.Message, Does.Contain("'s0'"));
            Assert.That(weighted.Code, Is.EqualTo("tune.weight_missing"));
            Assert.That(Error(SidecarHarness.Tune(_folder, job with { Objective = TuneObjective.Mask })).Code, Is.EqualTo("tune.role_missing"));
        });

        var negative = TinyModels.Samples(3);
        negative[1].Weights![^1] = -1;
        var refused = Assert.Throws<ShadException>(() => new WeightedObjective().Check(negative[1], "data.jsonl"));
        Assert.That(refused!.Code, Is.EqualTo("tune.weight_unusable"));
    }

    private static IEnumerable<TestCaseData> WrongValues()
    {
        TestCaseData Case(string field, Func<TuneJob, TuneJob> change) =>
            new TestCaseData(field, change).SetArgDisplayNames(field);

        yield return Case("temperature", static job => job with { Temperature = 0 });
        yield return Case("boilerplate_floor", static job => job with { BoilerplateFloor = 1.5 });
        yield return Case("anneal_from", static job => job with { AnnealFrom = double.NaN });
        yield return Case("last_layers", static job => job with { LastLayers = 0 });
        yield return Case("last_layers", static job => job with { LastLayers = 4 });
        yield return Case("steps", static job => job with { Steps = 0 });
        yield return Case("epochs", static job => job with { Epochs = double.NaN });
        yield return Case("tokens_per_batch", static job => job with { TokensPerBatch = 0 });
        yield return Case("samples_per_step", static job => job with { SamplesPerStep = -1 });
        yield return Case("learning_rate", static job => job with { LearningRate = double.PositiveInfinity });
        yield return Case("warmup_ratio", static job => job with { WarmupRatio = 1.5 });
        yield return Case("minimum_learning_rate_ratio", static job => job with { MinimumLearningRateRatio = -0.1 });
        yield return Case("weight_decay", static job => job with { WeightDecay = -1 });
        yield return Case("beta1", static job => job with { Beta1 = 1 });
        yield return Case("beta2", static job => job with { Beta2 = -0.5 });
        yield return Case("maximum_gradient_norm", static job => job with { MaximumGradientNorm = -1 });
        yield return Case("maximum_length", static job => job with { MaximumLength = 1 });
        yield return Case("checkpoint_every", static job => job with { CheckpointEvery = -1 });
        yield return Case("evaluate_every", static job => job with { EvaluateEvery = -1 });
        yield return Case("checkpoints_kept", static job => job with { CheckpointsKept = 0 });
        yield return Case("memory_limit", static job => job with { MemoryLimit = 0 });
        yield return Case("held_out", static job => job with { EarlyStopping = new EarlyStoppingSettings(), EvaluateEvery = 1 });
        yield return Case("evaluate_every", static job => job with { EarlyStopping = new EarlyStoppingSettings(), HeldOut = job.Data });
        yield return Case("early_stopping.patience", static job => job with { EarlyStopping = new EarlyStoppingSettings { Patience = 0 } });
        yield return Case(
            "early_stopping.minimum_improvement", static job => job with { EarlyStopping = new EarlyStoppingSettings { MinimumImprovement = -1 } });
        yield return Case("report_every", static job => job with { ReportEvery = 0 });
        yield return Case("save_dtype", static job => job with { SaveDtype = "int8" });
        yield return Case("threads", static job => job with { Threads = 0 });
        yield return Case("output", static job => job with { Output = "" });
    }

    [TestCaseSource(nameof(WrongValues))]
    public void A_wrong_value_is_refused_by_its_field(string field, Func<TuneJob, TuneJob> change)
    {
        var error = Error(SidecarHarness.Tune(_folder, change(Job())));
        Assert.That(error.Code, Is.EqualTo("job.value"));
        Assert.That(error.Message, Does.Contain($"'{field}'"));
    }

    [Test]
    public void Missing_files_are_named()
    {
        var job = Job();
        string none = _folder.File("none");
        Assert.Multiple(() =>
        {
            Assert.That(Error(SidecarHarness.Tune(_folder, job with { Data = none })).Code, Is.EqualTo("job.file_missing"));
            Assert.That(Error(SidecarHarness.Tune(_folder, job with { HeldOut = none })).Code, Is.EqualTo("job.file_missing"));
            Assert.That(Error(SidecarHarness.Tune(_folder, job with { Model = none })).Message, Does.Contain(none));
            Assert.That(Error(SidecarHarness.Run(["tune", "--job", none])).Code, Is.EqualTo("job.missing"));
        });
    }

    [TestCase("", TestName = "An empty job is refused")]
    [TestCase("null", TestName = "A null job is refused")]
    [TestCase("{\"model\":\"m\"", TestName = "A cut job is refused")]
    [TestCase("{\"model\":\"m\",\"output\":\"o\"}", TestName = "A job without a required field is refused")]
    [TestCase("{\"model\":\"m\",\"output\":\"o\",\"data\":\"d\",\"learning_rte\":1}", TestName = "A job with an unknown field is refused")]
    [TestCase("{\"model\":\"m\",\"output\":\"o\",\"data\":\"d\",\"objective\":\"dpo\"}", TestName = "A job with an unknown objective is refused")]
    public void A_job_that_cannot_be_read_is_refused(string json)
    {
        string path = _folder.File("job.json");
        File.WriteAllText(path, json);
        Assert.That(Error(SidecarHarness.Run(["tune", "--job", path])).Code, Is.EqualTo("job.unreadable"));
    }

    [Test]
    public void A_job_may_leave_out_what_has_a_default()
    {
        string path = _folder.File("job.json");
        File.WriteAllText(path, """{"model":"m","output":"o","data":"d"}""");
        var job = JsonSerializer.Deserialize<TuneJob>(File.ReadAllBytes(path), SidecarJson.JobOptions);
        Assert.That(job, Is.EqualTo(new TuneJob { Model = "m", Output = "o", Data = "d" }));
    }

    [TestCase("")]
    [TestCase("tune")]
    [TestCase("tune --job")]
    [TestCase("dance --job x")]
    [TestCase("tune --job x --faster")]
    public void A_wrong_command_line_is_refused(string line) =>
        Assert.That(
            Error(SidecarHarness.Run(line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Code, Is.EqualTo("sidecar.usage"));

    [Test]
    public void Tokens_outside_the_vocabulary_are_refused()
    {
        var job = Job(samples: [new TokenizedSample("s", [1, 2, TinyModels.Vocabulary], [-100, 2, TinyModels.Vocabulary])]);
        var error = Error(SidecarHarness.Tune(_folder, job));
        Assert.That(error.Message, Does.Contain($"{TinyModels.Vocabulary}"));
    }

    [Test]
    public void An_output_that_cannot_be_written_is_a_clear_error()
    {
        string file = _folder.File("file");
        File.WriteAllText(file, "");
        var job = Job() with { Output = Path.Combine(file, "below"), Steps = 1 };
        var error = Error(SidecarHarness.Tune(_folder, job));
        Assert.That(error.Code, Is.Not.EqualTo("internal"), error.Message);
        Assert.That(error.Message, Does.Contain(file));
    }
}
