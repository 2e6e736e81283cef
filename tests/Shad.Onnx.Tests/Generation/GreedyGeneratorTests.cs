using CsCheck;
using Shad.Core.Errors;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Generation;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Generation;

[TestFixture]
internal sealed class GreedyGeneratorTests
{
    private static readonly int[] Prompt = [1, 17, 5, 60, 33, 8, 9];

    private static IEnumerable<TestCaseData> Kinds() =>
        TestModels.Kinds.Select(static kind => new TestCaseData(kind.Value).SetArgDisplayNames(kind.Key));

    [TestCaseSource(nameof(Kinds))]
    public void Each_token_with_the_cache_is_the_best_of_a_full_pass_of_the_reference(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, config);
        AssertBestTokens(model, Prompt, newTokens: 20);
    }

    [Test]
    public void A_prompt_of_one_token_is_continued()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen3"]);
        AssertBestTokens(model, [1], newTokens: 12);
    }

    [Test]
    public void A_trained_model_continues_a_story_as_the_reference()
    {
        using var model = ModelFolder.Open(SharedFiles.Model("stories260k"));
        AssertBestTokens(model, [1], newTokens: 40);
    }

    [Test]
    public void Generation_ends_with_the_end_of_sequence()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        using var generator = GreedyGenerator.Open(model);
        int[] unlimited = generator.Generate(Prompt, 12, []);
        int end = unlimited[4];
        int first = Array.IndexOf(unlimited, end);
        Assert.That(generator.Generate(Prompt, 12, [end]), Is.EqualTo(unlimited[..(first + 1)]));
    }

    [Test]
    public void Generation_may_fill_the_context_and_no_more()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"] with { ContextLength = 16 });
        using var generator = GreedyGenerator.Open(model);
        Assert.That(generator.Generate(Prompt, 9, []), Has.Length.EqualTo(9));
        Assert.That(generator.Generate(Prompt, 0, []), Is.Empty);
        var error = Assert.Throws<ShadException>(() => generator.Generate(Prompt, 10, []))!;
        Assert.That(error.Code, Is.EqualTo("generation.longer_than_context"));
    }

    [Test]
    public void Bad_prompts_are_refused()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        using var generator = GreedyGenerator.Open(model);
        Assert.That(Assert.Throws<ShadException>(() => generator.Generate([], 1))!.Code, Is.EqualTo("generation.empty_prompt"));
        var error = Assert.Throws<ShadException>(() => generator.Generate([1, 97], 1))!;
        Assert.That(error.Code, Is.EqualTo("generation.id_outside_vocabulary"));
        Assert.That(error.Message, Does.Contain("token 1").And.Contain("97").And.Contain("96"));
    }

    [TestCaseSource(nameof(Kinds))]
    public void A_batch_is_continued_as_each_prompt_alone(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, config);
        using var generator = GreedyGenerator.Open(model);
        var reference = new ReferenceDecoder(model);
        var prompts = Gen.Int[0, config.VocabularySize - 1].Array[1, 24].Array[1, 9];

        // Ends from 0 to a third of the vocabulary: sequences leave the batch at any time, several at once, or never.
        Gen.Select(prompts, Gen.Int[1, 20], Gen.Int[0, config.VocabularySize / 3], Gen.Int[1, 10], Gen.Int[1, 300]).Sample(
            (batch, newTokens, ends, batchSize, tokensPerBatch) =>
            {
                var options = new GenerationOptions
                {
                    MaximumNewTokens = newTokens, EndOfSequence = [.. Enumerable.Range(0, ends)], BatchSize = batchSize, TokensPerBatch = tokensPerBatch,
                };
                int completed = 0;
                var generated = generator.Generate(batch, options, count => completed += count);
                Assert.That(completed, Is.EqualTo(batch.Length));
                for (int i = 0; i < batch.Length; i++)
                {
                    int[] alone = generator.Generate(batch[i], newTokens, options.EndOfSequence);
                    AssertSame(generated[i], alone, batch[i], reference);
                }
            },
            iter: 25, threads: 1);
    }

    [Test]
    public void A_batch_of_nothing_is_nothing_and_wrong_options_are_refused()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        using var generator = GreedyGenerator.Open(model);
        Assert.That(generator.Generate([], new GenerationOptions()), Is.Empty);
        foreach (var options in (GenerationOptions[])[new() { BatchSize = 0 }, new() { TokensPerBatch = 0 }, new() { MaximumNewTokens = -1 }])
            Assert.That(Assert.Throws<ShadException>(() => generator.Generate([Prompt], options))!.Code, Is.EqualTo("onnx.bad_option"));
        Assert.That(
            Assert.Throws<ShadException>(() => generator.Generate([Prompt, []], new GenerationOptions { MaximumNewTokens = 1 }))!.Code,
            Is.EqualTo("generation.empty_prompt"));
    }

    [Test]
    public void A_trained_model_continues_stories_of_several_lengths_at_once_as_the_reference()
    {
        using var model = ModelFolder.Open(SharedFiles.Model("stories260k"));
        using var generator = GreedyGenerator.Open(model);
        int[] story = generator.Generate([1], 40, []);
        int[][] prompts = [.. Enumerable.Range(1, 6).Select(i => (int[])[1, .. story[..(i * i)]])];
        var generated = generator.Generate(prompts, new GenerationOptions { MaximumNewTokens = 20, EndOfSequence = [] });
        var reference = new ReferenceDecoder(model);
        for (int i = 0; i < prompts.Length; i++) AssertBestTokens(generated[i], prompts[i], reference);
    }

    /// <summary>Asserts that two continuations are the same up to where two tokens are as probable as float32 can tell.</summary>
    private static void AssertSame(int[] batched, int[] alone, int[] prompt, ReferenceDecoder reference)
    {
        int i = 0;
        while (i < batched.Length && i < alone.Length && batched[i] == alone[i]) i++;
        if (i == batched.Length && i == alone.Length) return;
        Assert.That(i, Is.LessThan(Math.Min(batched.Length, alone.Length)), "one ends where the other goes on");
        double[] row = reference.Logits([.. prompt, .. alone[..i]])[^1];
        Assert.That(row[batched[i]], Is.EqualTo(row[alone[i]]).Within(1e-4), $"new token {i}");
    }

    private static void AssertBestTokens(int[] generated, int[] prompt, ReferenceDecoder reference)
    {
        double[][] logits = reference.Logits([.. prompt, .. generated]);
        for (int i = 0; i < generated.Length; i++)
        {
            // Two tokens whose logits are as close as float32 can tell them may change places.
            double[] row = logits[prompt.Length - 1 + i];
            Assert.That(row[generated[i]], Is.EqualTo(row.Max()).Within(1e-4), $"new token {i}");
        }
    }

    private static void AssertBestTokens(ModelFolder model, int[] prompt, int newTokens)
    {
        using var generator = GreedyGenerator.Open(model);
        int[] generated = generator.Generate(prompt, newTokens, []);
        Assert.That(generated, Has.Length.EqualTo(newTokens));

        AssertBestTokens(generated, prompt, new ReferenceDecoder(model));
    }
}
