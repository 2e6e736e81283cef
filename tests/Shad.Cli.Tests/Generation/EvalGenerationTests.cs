using System.Text.Json.Nodes;
using Shad.Cli.Generation;
using Shad.Cli.Tests.Commands;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Onnx.Generation;

namespace Shad.Cli.Tests.Generation;

public sealed class EvalGenerationTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        for (ulong seed = 1; seed <= 2; seed++)
            ModelInitializer.Write(_folder.PathOf($"model{seed}"), TinyModel.Config, new InitializationOptions { Seed = seed, StandardDeviation = 0.5 });
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    /// <summary>A corpus of two turns a sample whose first responses are what a model says, and whose second ones are not.</summary>
    [Test]
    public async Task Responses_that_the_model_gives_are_right_and_others_are_not()
    {
        List<TokenizedSample> samples = [];
        using (ModelFolder model = ModelFolder.Open(_folder.PathOf("model1")))
        using (GreedyGenerator generator = GreedyGenerator.Open(model))
        {
            for (int i = 0; i < 6; i++)
            {
                int[] prompt = [1, 5 + i, 9];
                int[] said = generator.Generate(prompt, 4, []);
                int[] between = [3, 30 + i];
                int[] other = [.. generator.Generate([.. prompt, .. said, .. between], 5, []).Select(static id => (id + 1) % 40)];
                int[] ignored = [.. Enumerable.Repeat(TokenizedSample.IgnoredLabel, 3)];
                samples.Add(new TokenizedSample($"s{i}", [.. prompt, .. said, .. between, .. other], [.. ignored, .. said, .. ignored[..2], .. other]));
            }
        }

        string corpus = _folder.PathOf("corpus.jsonl"), output = _folder.PathOf("answers.json");
        Shad.Data.Corpora.TokenizedSampleWriter.WriteAll(corpus, samples);
        ShadOutput shad = await ShadProgram.RunAsync(
            "eval", "--model", _folder.PathOf("model1"), "--model", _folder.PathOf("model2"), "--corpus", corpus, "--limit", "5", "--generate",
            "--max-new-tokens", "4", "--out", output, "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        JsonObject json = shad.Json();
        JsonObject models = json["generation"]!.AsObject();
        Assert.That(json["losses"]!.AsObject(), Has.Count.EqualTo(2), "the losses are measured all the same");
        JsonNode first = models["model1"]!, measure = first["measures"]!["response"]!;
        Assert.Multiple(() =>
        {
            Assert.That(models, Has.Count.EqualTo(2));
            Assert.That(first["responses_count"]!.GetValue<int>(), Is.EqualTo(10));
            Assert.That(first["tokens"]!.GetValue<int>(), Is.EqualTo(40));
            Assert.That(first["not_ended"]!.GetValue<int>(), Is.EqualTo(10));
            Assert.That(measure["mean"]!.GetValue<double>(), Is.EqualTo(0.5));
            Assert.That(measure["standard_error"]!.GetValue<double>(), Is.EqualTo(Math.Sqrt(0.25 / 9)).Within(1e-12));
            Assert.That(measure["count"]!.GetValue<int>(), Is.EqualTo(10));
            Assert.That(first["measures"]!["call"], Is.Null, "token ids are no calls");
        });

        JsonNode written = JsonNode.Parse(await File.ReadAllTextAsync(output))!["models"]![0]!;
        JsonArray responses = written["responses"]!.AsArray();
        Assert.That((string?)written["model"], Is.EqualTo("model1"));
        Assert.That(responses.Select(static response => (string?)response!["id"]), Is.EqualTo(samples.Take(5).SelectMany(static sample => new[] { sample.Id, sample.Id })));
        Assert.That(responses.Select(static response => (int)response!["turn"]!), Is.EqualTo(Enumerable.Range(0, 10).Select(static i => i % 2)));
        Assert.That(
            responses.Select(static response => (bool)response!["match"]!["response"]!), Is.EqualTo(Enumerable.Range(0, 10).Select(static i => i % 2 == 0)));
        Assert.That((string?)responses[0]!["generated"], Is.EqualTo(string.Join(' ', samples[0].InputIds[3..7])));
    }

    [Test]
    public async Task People_get_a_table()
    {
        TinyModel.WriteCorpus(_folder.PathOf("corpus.jsonl"), 4);
        ShadOutput shad = await ShadProgram.RunAsync(
            "eval", "--model", _folder.PathOf("model1"), "--corpus", _folder.PathOf("corpus.jsonl"), "--generate");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        Assert.That(shad.Output, Does.Contain("Answers to 4 prompts").And.Contain("Whole response").And.Contain("0.0 ± 0.0"));
    }

    [Test]
    public void A_response_may_be_as_long_as_the_context_leaves_room_for()
    {
        TokenizedSample sample = new("s", [.. Enumerable.Repeat(7, 64)], [.. Enumerable.Repeat(TokenizedSample.IgnoredLabel, 62), 7, 7]);
        using ModelFolder model = ModelFolder.Open(_folder.PathOf("model1"));
        var responses = ResponseGenerator.Generate("m", model, [sample, TinyModel.Sample(1, roles: false)], 10, null, null, CancellationToken.None);
        Assert.That(responses.Responses.Select(static response => response.Tokens), Is.EqualTo(new[] { 2, 10 }));
    }

    [TestCase("--max-new-tokens", "3")]
    [TestCase("--out", "answers.json")]
    public async Task Options_of_the_generation_need_it(string option, string value)
    {
        TinyModel.WriteCorpus(_folder.PathOf("corpus.jsonl"), 4);
        ShadOutput shad = await ShadProgram.RunAsync(
            "eval", "--model", _folder.PathOf("model1"), "--corpus", _folder.PathOf("corpus.jsonl"), option, value);
        Assert.That(shad.ExitCode, Is.EqualTo(2));
        Assert.That(shad.Error, Does.Contain($"{option} needs --generate"));
    }

    [Test]
    public async Task Answers_are_not_written_over_the_corpus()
    {
        string corpus = _folder.PathOf("corpus.jsonl");
        TinyModel.WriteCorpus(corpus, 4);
        ShadOutput shad = await ShadProgram.RunAsync("eval", "--model", _folder.PathOf("model1"), "--corpus", corpus, "--generate", "--out", corpus, "--json");
        Assert.That(shad.ExitCode, Is.EqualTo(1));
        Assert.That((string?)shad.Json()["error"]!["code"], Is.EqualTo("output.is_input"));
    }
}
