using System.Runtime.CompilerServices;
using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Batches, order, progress, errors.</summary>
[TestFixture]
internal sealed class ScoringSessionTests
{
    // The same products summed in another order: a few roundings of 6e-8 of logits of magnitude 30.
    private const float Invariance = 1e-5f;

    // A prefix is a range of keys of its own, so the sums over keys are cut elsewhere in every layer: nothing but the exact loss is left in
    // common, from which each is off by 2e-5 at worst (ScoringExactnessTests).
    private const float SharedInvariance = 4e-5f;

    private TemporaryFolder _folder = null!;
    private ModelFolder _model = null!;

    [OneTimeSetUp]
    public void CreateModel()
    {
        _folder = new TemporaryFolder();
        _model = TestModels.Create(_folder, TestModels.Kinds["mistral with a window"] with { HeadSize = 32, SlidingWindow = 20 });
    }

    [OneTimeTearDown]
    public void DeleteModel()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Test]
    public Task Batch_size_padding_and_window_change_no_loss_and_no_order() => AssertInvariant(_model, maximumLength: 100);

    [Test]
    public async Task Batch_size_padding_and_window_change_no_loss_of_a_trained_model()
    {
        using var model = ModelFolder.Open(SharedFiles.Model("stories260k"));
        await AssertInvariant(model, maximumLength: 300);
    }

    private static async Task AssertInvariant(ModelFolder model, int maximumLength)
    {
        var samples = TestSamples.Many(seed: 5, count: 60, maximumLength, model.Config.VocabularySize);
        float[][] Alone(bool pad)
        {
            using var session = ScoringSession.Open(model, new ScoringOptions { Pad = pad });
            return [.. samples.Select(session.Score)];
        }

        float[][] packed = Alone(pad: false), padded = Alone(pad: true);
        foreach (var options in new ScoringOptions[]
        {
            new() { TokensPerBatch = 1 },
            new() { TokensPerBatch = 256, Window = 7 },
            new() { TokensPerBatch = 1000, Window = 1 },
            new() { TokensPerBatch = 100_000 },
            new() { TokensPerBatch = 100_000, Memory = ScoringOptions.LeastMemory },
            new() { Threads = 1 },
            new() { TokensPerBatch = 256, Window = 7, Pad = true },
            new() { TokensPerBatch = 100_000, Pad = true },
        })
        {
            using var session = ScoringSession.Open(model, options);
            var results = await session.ScoreAsync(Stream(samples), static sample => sample).ToListAsync();
            AssertSame(samples, options.Pad ? padded : packed, results, options.ToString());
        }
    }

    [Test]
    public void Order_and_neighbours_change_no_loss()
    {
        using var session = ScoringSession.Open(_model, new ScoringOptions { TokensPerBatch = 500, Window = 9 });
        Gen.Select(Gen.ULong, Gen.Int[1, 40]).Sample((seed, count) =>
        {
            var samples = TestSamples.Many(seed, count, maximumLength: 40, _model.Config.VocabularySize);
            float[][] alone = [.. samples.Select(session.Score)];
            int[] order = [.. Enumerable.Range(0, count)];
            new SeededRandom(seed).Shuffle(order.AsSpan());
            var results = session.ScoreAsync(Stream(order), index => samples[index]).ToBlockingEnumerable().ToList();
            Assert.That(results.Select(static result => result.Item), Is.EqualTo(order));
            for (int i = 0; i < count; i++) AssertClose(alone[order[i]], results[i].Losses, samples[order[i]].Id);
        }, iter: 20, threads: 1);
    }

    [Test]
    public void Tokens_after_the_last_target_change_no_loss()
    {
        int[] ids = [4, 8, 15, 16, 23, 42];
        int[] labels = [-100, 8, -100, 16, -100, -100];
        using var session = ScoringSession.Open(_model);
        float[] whole = session.Score(new TokenizedSample("whole", ids, labels));
        float[] cut = session.Score(new TokenizedSample("cut", ids[..4], labels[..4]));
        Assert.That(whole[..4], Is.EqualTo(cut));
        Assert.That(whole, Is.EqualTo(new[] { float.NaN, whole[1], float.NaN, whole[3], float.NaN, float.NaN }));
    }

    [Test]
    public async Task Samples_without_targets_have_no_losses_and_are_given_back_in_place()
    {
        using var session = ScoringSession.Open(_model);
        TokenizedSample[] samples =
        [
            new("none", [1, 2, 3], [-100, -100, -100]), new("one", [1, 2], [-100, 2]), new("single", [7], [-100]),
        ];
        var results = await session.ScoreAsync(Stream(samples), static sample => sample).ToListAsync();
        Assert.That(results.Select(static result => result.Item.Id), Is.EqualTo(new[] { "none", "one", "single" }));
        Assert.That(results[0].Losses, Is.EqualTo(new[] { float.NaN, float.NaN, float.NaN }));
        Assert.That(results[1].Losses[1], Is.GreaterThan(0));
        Assert.That(results[2].Losses, Is.EqualTo(new[] { float.NaN }));
    }

    [Test]
    public async Task No_items_give_no_results()
    {
        using var session = ScoringSession.Open(_model);
        Assert.That(await session.ScoreAsync(Stream<TokenizedSample>([]), static sample => sample).ToListAsync(), Is.Empty);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Progress_counts_every_sample_and_token_once(bool pad)
    {
        var samples = TestSamples.Many(seed: 9, count: 50, maximumLength: 60, _model.Config.VocabularySize);
        using var session = ScoringSession.Open(_model, new ScoringOptions { TokensPerBatch = 300, Window = 20, Pad = pad });
        var reports = new Reports();
        await session.ScoreAsync(Stream(samples), static sample => sample, reports).ToListAsync();
        var last = reports.Values[^1];
        Assert.Multiple(() =>
        {
            Assert.That(reports.Values.Select(static report => report.Samples), Is.Ordered);
            Assert.That(last.Targets, Is.EqualTo(samples.Sum(static sample => sample.TargetCount)));
            Assert.That(last.Samples, Is.EqualTo(samples.Count));
            Assert.That(last.Tokens, Is.EqualTo(samples.Sum(static sample => sample.Length)));
            Assert.That(last.ComputedTokens + last.SharedTokens, Is.EqualTo(samples.Sum(BatchScorer.ComputedLength)));
            Assert.That(last.PaddedTokens, pad ? Is.Positive.And.LessThan(last.ComputedTokens / 2) : Is.Zero);
            Assert.That(last.TokensPerSecond, Is.Positive);
        });
    }

    [Test]
    public async Task Samples_that_begin_alike_have_their_first_tokens_computed_once()
    {
        // 4 samples of 30 tokens that share 20, 5 of which are targets: 20 + 4 · (29 − 20) of 4 · 29 tokens are computed.
        int[] prefix = [.. Enumerable.Range(0, 20)];
        TokenizedSample[] samples = [.. Enumerable.Range(0, 4).Select(i =>
        {
            int[] ids = [.. prefix, .. Enumerable.Range(0, 10).Select(k => (i * 10 + k * 3 + 20 + i) % 97)];
            return new TokenizedSample($"sample {i}", ids, [.. ids.Select((token, k) => k >= 25 ? token : TokenizedSample.IgnoredLabel)]);
        })];
        var reports = new Reports();
        using var session = ScoringSession.Open(_model);
        await session.ScoreAsync(Stream(samples), static sample => sample, reports).ToListAsync();
        var last = reports.Values[^1];
        Assert.That((last.ComputedTokens, last.SharedTokens), Is.EqualTo((20L + 4 * 9, 3L * 20)));
        Assert.That(last.Shared, Is.EqualTo(60 / 116.0).Within(1e-9));
    }

    [Test]
    public void Sharing_prefixes_changes_no_loss_of_any_model()
    {
        using var folder = new TemporaryFolder();
        using var probe = TestModels.Tuned(folder, _model, firstTuned: 2);
        using var apart = ScoringSession.Open([_model, probe], new ScoringOptions { SharePrefixes = false });
        using var large = ScoringSession.Open([_model, probe]);
        using var small = ScoringSession.Open([_model, probe], new ScoringOptions { TokensPerBatch = 200, Window = 15 });
        long shared = 0;
        Gen.Select(Gen.ULong, Gen.Int[1, 60]).Sample((seed, count) =>
        {
            var samples = TestSamples.Related(seed, count, maximumLength: 100, _model.Config.VocabularySize);
            var expected = apart.ScoreAsync(Stream(samples), static sample => sample).ToBlockingEnumerable().ToList();
            foreach (var session in new[] { large, small })
            {
                var reports = new Reports();
                var actual = session.ScoreAsync(Stream(samples), static sample => sample, reports).ToBlockingEnumerable().ToList();
                shared += reports.Values[^1].SharedTokens;
                for (int i = 0; i < count; i++)
                {
                    for (int model = 0; model < 2; model++)
                    {
                        AssertClose(
                            expected[i].LossesByModel[model], actual[i].LossesByModel[model], $"{samples[i].Id}, model {model}",
                            SharedInvariance);
                    }
                }
            }
        }, iter: 20, threads: 1);
        Assert.That(shared, Is.Positive);
    }

    [Test]
    public void An_id_outside_the_vocabulary_is_told_with_sample_and_token()
    {
        using var session = ScoringSession.Open(_model);
        var error = Assert.Throws<ShadException>(() => session.Score(new TokenizedSample("row 12", [1, 97, 3], [-100, -100, 3])))!;
        Assert.That(error.Code, Is.EqualTo("scoring.id_outside_vocabulary"));
        Assert.That(error.Message, Does.Contain("row 12").And.Contain("token 1").And.Contain("97").And.Contain("96"));
        error = Assert.Throws<ShadException>(() => session.Score(new TokenizedSample("row 13", [1, -1, 3], [-100, -100, 3])))!;
        Assert.That(error.Message, Does.Contain("row 13").And.Contain("-1"));
    }

    [Test]
    public void A_sequence_longer_than_the_context_is_told()
    {
        using var session = ScoringSession.Open(_model);
        var random = new SeededRandom(1);
        Assert.That(session.Score(TestSamples.Random(random, "fits", 128, 97)), Has.Length.EqualTo(128));
        var error = Assert.Throws<ShadException>(() => session.Score(TestSamples.Random(random, "row 7", 129, 97)))!;
        Assert.That(error.Code, Is.EqualTo("scoring.longer_than_context"));
        Assert.That(error.Message, Does.Contain("row 7").And.Contain("129").And.Contain("128"));
    }

    [Test]
    public async Task A_bad_sample_ends_the_scoring_after_the_windows_before_it()
    {
        var samples = TestSamples.Many(seed: 2, count: 10, maximumLength: 20, _model.Config.VocabularySize);
        samples.Insert(5, new TokenizedSample("bad", [1, 500], [-100, 500]));
        using var session = ScoringSession.Open(_model, new ScoringOptions { Window = 2 });
        var seen = new List<string>();
        var error = (await Assert.ThrowsAsync<ShadException>(async () =>
        {
            await foreach (var result in session.ScoreAsync(Stream(samples), static sample => sample)) seen.Add(result.Item.Id);
        }))!;
        Assert.That(error.Message, Does.Contain("bad"));
        Assert.That(seen, Is.EqualTo(samples.Take(5).Select(static sample => sample.Id)));

        // The session is as good as before.
        Assert.That(await session.ScoreAsync(Stream(samples.Take(3)), static sample => sample).ToListAsync(), Has.Count.EqualTo(3));
    }

    [Test]
    public async Task An_error_of_the_source_comes_through_as_it_is()
    {
        using var session = ScoringSession.Open(_model);
        await Assert.ThrowsAsync<InvalidDataException>(
            async () => await session.ScoreAsync(Failing(), static sample => sample).ToListAsync());

        static async IAsyncEnumerable<TokenizedSample> Failing()
        {
            yield return new TokenizedSample("good", [1, 2], [-100, 2]);
            await Task.Yield();
            throw new InvalidDataException("the disk is gone");
        }
    }

    [Test]
    public async Task The_caller_may_stop_in_the_middle_of_an_endless_source()
    {
        using var session = ScoringSession.Open(_model, new ScoringOptions { Window = 4 });
        int read = 0, seen = 0;
        await foreach (var result in session.ScoreAsync(Endless(), static sample => sample))
        {
            if (++seen == 10) break;
        }

        Assert.That(seen, Is.EqualTo(10));

        // What was read ahead is bounded: two channels and two lists of a window each, and one item in hand.
        Assert.That(read, Is.LessThanOrEqualTo(10 + 4 * 4 + 1));

        async IAsyncEnumerable<TokenizedSample> Endless([EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            for (; !cancellationToken.IsCancellationRequested; read++)
            {
                await Task.Yield();
                yield return new TokenizedSample($"sample {read}", [1, 2, 3], [-100, 2, 3]);
            }
        }
    }

    [Test]
    public async Task Cancellation_ends_the_scoring()
    {
        using var cancellation = new CancellationTokenSource();
        using var session = ScoringSession.Open(_model, new ScoringOptions { Window = 2 });
        var samples = TestSamples.Many(seed: 4, count: 500, maximumLength: 100, _model.Config.VocabularySize);
        int seen = 0;
        await Assert.CatchAsync<OperationCanceledException>(async () =>
        {
            await foreach (var result in session.ScoreAsync(Stream(samples), static sample => sample, null, cancellation.Token))
            {
                if (++seen == 3) await cancellation.CancelAsync();
            }
        });
        Assert.That(seen, Is.LessThan(20));
    }

    [Test]
    public void A_loss_that_is_not_finite_is_told_with_sample_and_token()
    {
        using var folder = new TemporaryFolder();
        var config = TestModels.Kinds["qwen2"];
        string path = Path.Combine(folder.Path, "broken");
        ModelInitializer.Write(path, config, new InitializationOptions { StandardDeviation = 0.2 });
        using (var whole = ModelFolder.Open(path)) PoisonEmbedding(whole, row: 50);

        using var model = ModelFolder.Open(path);
        using var session = ScoringSession.Open(model);
        var error = Assert.Throws<ShadException>(
            () => session.Score(new TokenizedSample("row 3", [1, 2, 50, 4], [-100, -100, -100, 4])))!;
        Assert.That(error.Code, Is.EqualTo("scoring.not_finite"));
        Assert.That(error.Message, Does.Contain("row 3").And.Contain("token 3").And.Contain(model.Path));
    }

    [Test]
    public void Options_out_of_range_are_refused()
    {
        foreach (var options in new ScoringOptions[]
        {
            new() { TokensPerBatch = 0 }, new() { Memory = ScoringOptions.LeastMemory - 1 }, new() { Window = 0 }, new() { Threads = 0 }, new() { DeviceIndex = -1 },
        })
        {
            Assert.That(
                Assert.Throws<ShadException>(() => ScoringSession.Open(_model, options))!.Code, Is.EqualTo("onnx.bad_option"));
        }
    }

    [Test]
    public void Cuda_that_is_not_there_is_told()
    {
        if (ExecutionProvider.Situation(null).IsBuiltIn) Assert.Ignore("This build holds the CUDA provider.");
        using (var session = ScoringSession.Open(_model)) Assert.That((session.Device, session.Chosen.Reason), Is.EqualTo((ComputeDevice.Cpu, "no CUDA: this build of Shad.Onnx holds the CPU runtime only")));
        var error = Assert.Throws<ShadException>(
            () => ScoringSession.Open(_model, new ScoringOptions { Device = ComputeDevice.Cuda }))!;
        Assert.That(error.Code, Is.EqualTo("onnx.no_cuda"));
        Assert.That(error.Message, Does.Contain("ShadDevice=cuda"));
    }

    [Test]
    public void A_provider_library_that_is_none_is_told()
    {
        string text = Path.Combine(_folder.Path, "provider.so");
        File.WriteAllText(text, "not a library");
        foreach (string path in new[] { text, Path.Combine(_folder.Path, "absent.so") })
        {
            var error = Assert.Throws<ShadException>(
                () => ScoringSession.Open(_model, new ScoringOptions { ProviderLibrary = path }))!;
            Assert.That(error.Code, Is.EqualTo("onnx.no_provider_library"));
            Assert.That(error.Message, Does.Contain(path));
        }
    }

    [Test]
    public void Weights_cut_after_the_model_was_opened_are_told()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        string weights = Path.Combine(model.Path, "model.safetensors");
        byte[] half = File.ReadAllBytes(weights)[..1000];
        File.Delete(weights);
        File.WriteAllBytes(weights, half);
        var error = Assert.Throws<ShadException>(() => ScoringSession.Open(model))!;
        Assert.That(error.Code, Is.EqualTo("onnx.not_loaded"));
        Assert.That(error.Message, Does.Contain(model.Path));
    }

    [Test]
    public void A_model_in_shards_scores_as_in_one_file()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "sharded");
        Directory.CreateDirectory(path);
        File.Copy(Path.Combine(_model.Path, "config.json"), Path.Combine(path, "config.json"));
        Shards.Write(_model, path, count: 3);
        using var sharded = ModelFolder.Open(path);
        using var session = ScoringSession.Open(sharded);
        using var whole = ScoringSession.Open(_model);
        var sample = TestSamples.Random(new SeededRandom(3), "sample", 50, _model.Config.VocabularySize);
        Assert.That(session.Score(sample), Is.EqualTo(whole.Score(sample)));
    }

    private static void AssertSame(
        List<TokenizedSample> samples, float[][] expected, List<ScoredSample<TokenizedSample>> results, string what)
    {
        Assert.That(results.Select(static result => result.Item), Is.EqualTo(samples), what);
        for (int i = 0; i < expected.Length; i++) AssertClose(expected[i], results[i].Losses, $"{samples[i].Id}, {what}");
    }

    private static void AssertClose(float[] expected, float[] actual, string what, float tolerance = Invariance)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        for (int i = 0; i < expected.Length; i++)
        {
            if (float.IsNaN(expected[i])) Assert.That(actual[i], Is.NaN, what);
            else Assert.That(actual[i], Is.EqualTo(expected[i]).Within(tolerance), $"token {i} of {what}");
        }
    }

    private static void PoisonEmbedding(ModelFolder model, int row)
    {
        var entry = model.Weights.Tensors[TensorNames.Embedding];
        using var file = new FileStream(entry.File, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Position = entry.Offset + (long)row * model.Config.HiddenSize * sizeof(float);
        file.Write(BitConverter.GetBytes(float.NaN));
    }

    private static async IAsyncEnumerable<T> Stream<T>(IEnumerable<T> items)
    {
        foreach (var item in items)
        {
            await Task.Yield();
            yield return item;
        }
    }

    private sealed class Reports : IProgress<ScoringProgress>
    {
        public List<ScoringProgress> Values { get; } = [];

        public void Report(ScoringProgress value) => Values.Add(value);
    }
}
