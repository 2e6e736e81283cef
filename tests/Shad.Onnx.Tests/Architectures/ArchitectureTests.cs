using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Export;
using Shad.Onnx.Generation;
using Shad.Onnx.Scoring;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;
using Shad.Tests.Architectures;

namespace Shad.Onnx.Tests.Architectures;

/// <summary>Every architecture in every graph against a second implementation that reads the config by itself.</summary>
[TestFixture]
internal sealed class ArchitectureTests
{
    // As for the Llama family (ScoringExactnessTests): logits of magnitude up to about 30 and a few hundred roundings of 6e-8.
    private const double Tolerance = 1e-4;

    private const string LongRotation = "phi3, longrope";

    private static readonly int[] Prompt = [1, 17, 5, 60, 33, 8, 9];

    private static IEnumerable<TestCaseData> Models() => ArchitectureModels.Names.Select(static name => new TestCaseData(name).SetArgDisplayNames(name));

    private static IEnumerable<TestCaseData> ModelsAndLayouts() =>
        from name in ArchitectureModels.Names
        from pad in new[] { false, true }
        from dtype in new[] { TensorDtype.Float32, TensorDtype.BFloat16 }
        select new TestCaseData(name, pad, dtype).SetArgDisplayNames(name, pad ? "padded" : "packed", dtype.ToString());

    [TestCaseSource(nameof(ModelsAndLayouts))]
    public void Losses_are_those_of_the_second_implementation(string name, bool pad, TensorDtype dtype)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, name, dtype);
        var sample = TestSamples.Random(new SeededRandom(7), "sample", 40, ArchitectureModels.Vocabulary);
        double[] expected = ArchitectureModels.Reference(name, model).Losses(sample.InputIds);
        using var session = ScoringSession.Open(model, new ScoringOptions { Pad = pad });
        float[] actual = session.Score(sample);
        double worst = 0, spread = 0;
        for (int i = 1; i < expected.Length; i++)
        {
            worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
            spread = Math.Max(spread, Math.Abs(expected[i] - Math.Log(ArchitectureModels.Vocabulary)));
        }

        TestContext.Out.WriteLine($"largest difference {worst:e2} nats, largest distance from uniform {spread:f2} nats");
        Assert.That(worst, Is.LessThan(Tolerance));
        Assert.That(spread, Is.GreaterThan(0.3), "a model that predicts nothing would agree however it were computed");
    }

    [TestCaseSource(nameof(Models))]
    public void Batches_of_several_samples_and_shared_prefixes_change_no_loss(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, name);
        var samples = TestSamples.Related(3, 20, 60, ArchitectureModels.Vocabulary);
        using var session = ScoringSession.Open(model, new ScoringOptions { TokensPerBatch = 300 });
        var together = session.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().ToList();
        using var padded = ScoringSession.Open(model, new ScoringOptions { Pad = true, TokensPerBatch = 300 });
        var inPadding = padded.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().ToList();
        for (int i = 0; i < samples.Count; i++)
        {
            float[] alone = session.Score(samples[i]);
            Assert.That(together[i].Losses, Is.EqualTo(alone).Within(5e-5f), samples[i].Id);
            Assert.That(inPadding[i].Losses, Is.EqualTo(alone).Within(1e-4f), samples[i].Id);
        }
    }

    [TestCaseSource(nameof(Models))]
    public void Probes_that_share_a_trunk_score_as_they_do_alone(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, name);
        using var probe = Tuned(folder, model);
        var sample = TestSamples.Random(new SeededRandom(8), "sample", 30, ArchitectureModels.Vocabulary);
        using var both = ScoringSession.Open([model, probe]);
        using var alone = ScoringSession.Open(probe);
        var result = both.ScoreAsync(new[] { sample }.ToAsyncEnumerable(), static item => item).ToBlockingEnumerable().Single();
        double[] expected = ArchitectureModels.Reference(name, probe).Losses(sample.InputIds);
        float[] ofProbe = alone.Score(sample);
        for (int i = 1; i < sample.Length; i++)
        {
            Assert.That(result.LossesByModel[1][i], Is.EqualTo(ofProbe[i]).Within(5e-5), $"token {i}");
            Assert.That(result.LossesByModel[1][i], Is.EqualTo(expected[i]).Within(Tolerance), $"token {i}");
        }

        Assert.That(result.LossesByModel[0], Is.Not.EqualTo(result.LossesByModel[1]));
    }

    [TestCaseSource(nameof(Models))]
    public void Each_token_with_the_cache_is_the_best_of_a_full_pass(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, name);
        using var generator = GreedyGenerator.Open(model);
        int[] generated = generator.Generate(Prompt, 20, []);
        Assert.That(generated, Has.Length.EqualTo(20));
        double[][] logits = ArchitectureModels.Reference(name, model).Logits([.. Prompt, .. generated]);
        for (int i = 0; i < generated.Length; i++)
        {
            double[] row = logits[Prompt.Length - 1 + i];
            Assert.That(row[generated[i]], Is.EqualTo(row.Max()).Within(1e-4), $"new token {i}");
        }
    }

    [TestCaseSource(nameof(Models))]
    public void An_export_passes_its_check(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, name, TensorDtype.BFloat16);
        OnnxExport.Write(model);
        OnnxExport.Check(model);
    }

    [TestCase("gpt2")]
    [TestCase("olmo2")]
    public void A_model_saved_without_its_head_scores_the_same(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, name);
        string path = Path.Combine(folder.Path, "bare");
        Directory.CreateDirectory(path);
        File.Copy(Path.Combine(model.Path, "config.json"), Path.Combine(path, "config.json"));
        string prefix = model.Config.Naming.Base;
        SafetensorsWriter.Write(Path.Combine(path, ModelWeights.FileName), model.Weights.Tensors.Values.Select(tensor => TensorToWrite.FromFloat32(
            tensor.Name.StartsWith(prefix, StringComparison.Ordinal) ? tensor.Name[prefix.Length..] : tensor.Name, tensor.Dtype, tensor.Shape,
            () => model.Weights.ReadFloat32(tensor.Name))));
        using var bare = ModelFolder.Open(path);
        Assert.That(bare.Config.HasBareNames, Is.True);
        var sample = TestSamples.Random(new SeededRandom(7), "sample", 40, ArchitectureModels.Vocabulary);
        using var one = ScoringSession.Open(model);
        using var other = ScoringSession.Open(bare);
        Assert.That(other.Score(sample), Is.EqualTo(one.Score(sample)));
    }

    /// <summary>The model's original context is 64 tokens, its context 512. Samples of both sides come in one window, some of lengths
    /// around the boundary, and one whose targets all lie within though it does not.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Long_rotation_has_other_frequencies_beyond_the_original_context(bool pad)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, LongRotation);
        var reference = ArchitectureModels.Reference(LongRotation, model);
        var random = new SeededRandom(9);
        List<TokenizedSample> samples = [.. new[] { 64, 200, 65, 40, 63, 66, 512, 100 }.Select(
            length => TestSamples.Random(random, $"of {length}", length, ArchitectureModels.Vocabulary))];
        var early = samples[^1];
        samples.Add(new TokenizedSample(
            "early targets", early.InputIds, [.. early.Labels.Select(static (label, i) => i > 50 ? TokenizedSample.IgnoredLabel : label)]));
        samples.AddRange(TestSamples.Related(3, 12, 80, ArchitectureModels.Vocabulary));
        using var session = ScoringSession.Open(model, new ScoringOptions { Pad = pad, TokensPerBatch = 1000 });
        var scored = session.ScoreAsync(samples.ToAsyncEnumerable(), static sample => sample).ToBlockingEnumerable().ToList();
        for (int s = 0; s < samples.Count; s++)
        {
            double[] expected = reference.Losses(samples[s].InputIds);
            for (int i = 1; i < expected.Length; i++)
            {
                if (samples[s].IsTarget(i)) Assert.That(scored[s].Losses[i], Is.EqualTo(expected[i]).Within(Tolerance), $"sample '{samples[s].Id}', token {i}");
            }
        }

        var rotary = model.Config.Rotary;
        Assert.That(rotary.InverseFrequencies(8, beyond: true), Is.Not.EqualTo(rotary.InverseFrequencies(8)));
    }

    [Test]
    public void Long_rotation_generates_beyond_the_original_context_too()
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, LongRotation);
        var reference = ArchitectureModels.Reference(LongRotation, model);
        using var generator = GreedyGenerator.Open(model);
        var random = new SeededRandom(4);
        int[][] prompts = [.. new[] { 70, 30, 60, 90, 64, 20 }.Select(length => TestSamples.Random(random, "prompt", length, ArchitectureModels.Vocabulary).InputIds)];
        var options = new GenerationOptions { MaximumNewTokens = 12, EndOfSequence = [] };
        var together = generator.Generate(prompts, options);
        for (int p = 0; p < prompts.Length; p++)
        {
            Assert.That(together[p], Is.EqualTo(generator.Generate(prompts[p], 12, [])), $"prompt of {prompts[p].Length} on its own");

            // A sequence that grows across the boundary keeps its keys as they were rotated, so that a full pass is another one.
            if (prompts[p].Length <= 64 && prompts[p].Length + 12 > 64) continue;
            double[][] logits = reference.Logits([.. prompts[p], .. together[p]]);
            for (int i = 0; i < together[p].Length; i++)
            {
                double[] row = logits[prompts[p].Length - 1 + i];
                Assert.That(row[together[p][i]], Is.EqualTo(row.Max()).Within(1e-4), $"prompt of {prompts[p].Length}, new token {i}");
            }
        }
    }

    [TestCaseSource(nameof(Models))]
    public void Half_precision_is_off_by_its_rounding_only(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = Create(folder, name, TensorDtype.BFloat16);
        var sample = TestSamples.Random(new SeededRandom(7), "sample", 40, ArchitectureModels.Vocabulary);
        double[] expected = ArchitectureModels.Reference(name, model).Losses(sample.InputIds);
        using var session = ScoringSession.Open(model, new ScoringOptions { Precision = ScoringPrecision.Float16 });
        float[] actual = session.Score(sample);

        // Logits of magnitude 10 to 30 with 11 bits, some dozen roundings each: a few hundredths of a nat, and less on average.
        double[] differences = [.. Enumerable.Range(1, 39).Select(i => Math.Abs(expected[i] - actual[i]))];
        TestContext.Out.WriteLine($"largest {differences.Max():e2}, mean {differences.Average():e2}");
        Assert.That(differences.Max(), Is.LessThan(0.25));
        Assert.That(differences.Average(), Is.LessThan(0.05).And.GreaterThan(1e-5));
    }

    private static ModelFolder Create(TemporaryFolder folder, string name, TensorDtype dtype = TensorDtype.Float32)
    {
        string path = Path.Combine(folder.Path, $"model-{Guid.NewGuid():N}");
        ArchitectureModels.Write(name, path, dtype);
        return ModelFolder.Open(path);
    }

    private static ModelFolder Tuned(TemporaryFolder folder, ModelFolder model)
    {
        string path = Path.Combine(folder.Path, $"tuned-{Guid.NewGuid():N}");
        var random = new SeededRandom(5);
        string last = model.Config.Naming.PrefixOf(model.Config.LayerCount - 1);
        ModelFolderWriter.Write(path, model.Config, TensorLayout.Expected(model.Config).Select(spec =>
        {
            float[] values = model.Weights.ReadFloat32(spec.Name);
            if (spec.Name.StartsWith(last, StringComparison.Ordinal))
            {
                for (int i = 0; i < values.Length; i++) values[i] += (float)(0.05 * random.NextGaussian());
            }

            return TensorToWrite.FromFloat32(spec.Name, TensorDtype.Float32, spec.Shape, () => values);
        }), TensorDtype.Float32);
        return ModelFolder.Open(path);
    }
}
