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

    private static void AssertBestTokens(ModelFolder model, int[] prompt, int newTokens)
    {
        using var generator = GreedyGenerator.Open(model);
        int[] generated = generator.Generate(prompt, newTokens, []);
        Assert.That(generated, Has.Length.EqualTo(newTokens));

        double[][] logits = new ReferenceDecoder(model).Logits([.. prompt, .. generated]);
        for (int i = 0; i < newTokens; i++)
        {
            // Two tokens whose logits are as close as float32 can tell them may change places.
            double[] row = logits[prompt.Length - 1 + i];
            Assert.That(row[generated[i]], Is.EqualTo(row.Max()).Within(1e-4), $"new token {i}");
        }
    }
}
