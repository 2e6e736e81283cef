using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Several sessions, as on several GPUs; here each is one of the CPU.</summary>
[TestFixture]
internal sealed class ScoringGroupTests
{
    private TemporaryFolder _folder = null!;
    private ModelFolder _model = null!;
    private ScoringSession _alone = null!;

    [OneTimeSetUp]
    public void CreateModel()
    {
        _folder = new TemporaryFolder();
        _model = TestModels.Create(_folder, TestModels.Kinds["qwen2"]);
        _alone = Session(100);
    }

    [OneTimeTearDown]
    public void DeleteModel()
    {
        _alone.Dispose();
        _model.Dispose();
        _folder.Dispose();
    }

    [Test]
    public void The_order_and_the_losses_are_those_of_one_session()
    {
        Gen.Select(Gen.ULong, Gen.Int[0, 50], Gen.Int[2, 4], Gen.Int[1, 9]).Sample((seed, count, sessions, window) =>
        {
            var samples = TestSamples.Many(seed, count, maximumLength: 30, _model.Config.VocabularySize);
            using var group = Group(sessions, window);
            var reports = new List<ScoringProgress>();
            var results = group.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample, new Reports(reports))
                .ToBlockingEnumerable().ToList();
            Assert.That(results.Select(static result => result.Item), Is.EqualTo(samples));
            for (int i = 0; i < count; i++) Assert.That(results[i].Losses, Is.EqualTo(_alone.Score(samples[i])).Within(1e-5f));
            if (samples.Any(static sample => sample.TargetCount > 0))
            {
                Assert.That(reports[^1].Targets, Is.EqualTo(samples.Sum(static sample => (long)sample.TargetCount)));
                Assert.That(reports.Select(static report => report.Targets), Is.Ordered);
            }
        }, iter: 25, threads: 1);
    }

    [Test]
    public void Every_session_takes_part()
    {
        // Session 0 is held back until session 1 has scored a window: with one of them idle this would not end.
        var samples = TestSamples.Many(seed: 1, count: 8, maximumLength: 20, _model.Config.VocabularySize);
        using var group = Group(2, window: 2);
        using var meeting = new Barrier(2);
        int met = 0;
        var results = group.ScoreAsync(
            samples.ToAsyncEnumerable(),
            sample =>
            {
                if (Interlocked.Increment(ref met) <= 2) Assert.That(meeting.SignalAndWait(TimeSpan.FromSeconds(60)), "One session only took a window.");
                return sample;
            }).ToBlockingEnumerable().ToList();
        Assert.That(results.Select(static result => result.Item), Is.EqualTo(samples));
    }

    [Test]
    public async Task An_error_ends_the_scoring_after_the_samples_before_it()
    {
        var samples = TestSamples.Many(seed: 2, count: 20, maximumLength: 20, _model.Config.VocabularySize);
        samples[11] = new TokenizedSample("bad", [1, 1_000_000], [-100, 1_000_000]);
        using var group = Group(3, window: 4);
        var before = new List<TokenizedSample>();
        var error = (await Assert.ThrowsAsync<ShadException>(async () =>
        {
            await foreach (var result in group.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample)) before.Add(result.Item);
        }))!;
        Assert.That(error.Code, Is.EqualTo("scoring.id_outside_vocabulary"));
        Assert.That(before, Is.EqualTo(samples[..8]));

        // The group is as good as before.
        Assert.That(group.ScoreAsync(samples[..5].ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().Count(), Is.EqualTo(5));
    }

    [Test]
    public async Task An_error_of_the_items_ends_the_scoring_after_those_read()
    {
        var samples = TestSamples.Many(seed: 2, count: 5, maximumLength: 20, _model.Config.VocabularySize);
        using var group = Group(2, window: 2);
        int count = 0;
        await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (var _ in group.ScoreAsync(Broken(), static sample => sample)) count++;
        });
        Assert.That(count, Is.EqualTo(5));

        async IAsyncEnumerable<TokenizedSample> Broken()
        {
            foreach (var sample in samples) yield return sample;
            await Task.Yield();
            throw new InvalidDataException("The file ends here.");
        }
    }

    [Test]
    public async Task It_is_cancelled_and_left_early()
    {
        var samples = TestSamples.Many(seed: 3, count: 200, maximumLength: 20, _model.Config.VocabularySize);
        using var group = Group(2, window: 3);
        using var stop = new CancellationTokenSource();
        await Assert.CatchAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in group.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample, null, stop.Token)) await stop.CancelAsync();
        });
        Assert.That(group.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().Take(4).Count(), Is.EqualTo(4));
        Assert.That(group.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().Count(), Is.EqualTo(200));
    }

    [Test]
    public void A_group_of_the_cpu_tells_its_device()
    {
        using var group = ScoringGroup.Open([_model], DeviceChoice.Parse("cpu")!, new ScoringOptions());
        Assert.That((group.DeviceName, group.DeviceReason, group.Precision), Is.EqualTo(("cpu", "asked for", "float32")));
    }

    private ScoringSession Session(int window) => ScoringSession.Open(
        _model, new ScoringOptions { Device = ComputeDevice.Cpu, Window = window, TokensPerBatch = 100, Threads = 1 });

    private ScoringGroup Group(int sessions, int window) =>
        ScoringGroup.Of([.. Enumerable.Range(0, sessions).Select(_ => Session(window))], window);

    private sealed class Reports(List<ScoringProgress> reports) : IProgress<ScoringProgress>
    {
        public void Report(ScoringProgress value) => reports.Add(value);
    }
}
