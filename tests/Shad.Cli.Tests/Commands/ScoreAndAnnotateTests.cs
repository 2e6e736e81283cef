using System.Text.Json.Nodes;
using Shad.Cli.Recipes;
using Shad.Core.Samples;
using Shad.Data.Annotations;
using Shad.Models;
using Shad.Models.Weights;
using Shad.Onnx.Scoring;

namespace Shad.Cli.Tests.Commands;

public sealed class ScoreAndAnnotateTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        for (ulong seed = 1; seed <= 3; seed++)
            ModelInitializer.Write(_folder.PathOf($"model{seed}"), TinyModel.Config, new InitializationOptions { Seed = seed, StandardDeviation = 0.5 });
        TinyModel.WriteCorpus(_folder.PathOf("corpus.jsonl"), 50, roles: true);
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCase("scored.parquet")]
    [TestCase("scored.jsonl")]
    public async Task Score_writes_the_losses_of_every_model_in_its_column(string name)
    {
        ShadOutput shad = await ScoreAsync(name);
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        JsonObject json = shad.Json();
        Assert.That(json["samples"]!.GetValue<int>(), Is.EqualTo(50));
        Assert.That(json["tokens"]!.GetValue<int>(), Is.EqualTo(500));
        Assert.That(json["response_tokens"]!.GetValue<int>(), Is.EqualTo(300));
        Assert.That(json["device"]!.GetValue<string>(), Is.EqualTo("cpu"));
        Assert.That(json["device_reason"]!.GetValue<string>(), Does.StartWith("no CUDA: "));
        Assert.That(json["precision"]!.GetValue<string>(), Is.EqualTo("float32"));

        List<AnnotationRow> rows = await AnnotationReader.Open(_folder.PathOf(name)).ReadAsync().ToListAsync();
        Assert.That(rows, Has.Count.EqualTo(50));
        for (int i = 0; i < rows.Count; i += 7)
        {
            TokenizedSample sample = TinyModel.Sample(i, roles: true);
            Assert.That(rows[i].Id, Is.EqualTo(sample.Id));
            Assert.That(rows[i].InputIds, Is.EqualTo(sample.InputIds));
            Assert.That(rows[i].KnownRoles, Is.EqualTo(sample.Roles));
            Assert.That(rows[i].BaseLoss, Is.EqualTo(Losses(1, sample)).Within(1e-5));
            Assert.That(rows[i].ProbeLoss, Is.EqualTo(Losses(2, sample)).Within(1e-5));
            Assert.That(rows[i].ControlLoss, Is.EqualTo(Losses(3, sample)).Within(1e-5));
        }
    }

    [Test]
    public async Task A_limit_counts_what_was_scored_and_not_what_was_read_ahead()
    {
        ShadOutput shad = await ShadProgram.RunAsync(
            "score", "--model", _folder.PathOf("model1"), "--corpus", _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("four.jsonl"),
            "--limit", "4", "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        JsonObject json = shad.Json();
        Assert.That(
            ((string[])["samples", "tokens", "response_tokens"]).Select(name => json[name]!.GetValue<int>()), Is.EqualTo((int[])[4, 40, 24]));
    }

    [Test]
    public async Task Probes_stored_as_changes_share_the_layers_of_the_base_model()
    {
        using (ModelFolder model = ModelFolder.Open(_folder.PathOf("model1")))
        {
            foreach (string name in (string[])["probe", "control"])
            {
                string tensor = TensorNames.Layer(1).Down.Weight;
                float[] values = model.Weights.ReadFloat32(tensor);
                for (int i = 0; i < values.Length; i++) values[i] += name == "probe" ? 0.1f : -0.1f;
                ModelFolderWriter.WriteChanges(
                    _folder.PathOf(name), model,
                    [TensorToWrite.FromFloat32(tensor, TensorDtype.Float32, model.Weights.Tensors[tensor].Shape, () => values)]);
            }
        }

        ShadOutput shad = await ShadProgram.RunAsync(
            "score", "--model", _folder.PathOf("model1"), "--probe", _folder.PathOf("probe"), "--probe", _folder.PathOf("control"),
            "--corpus", _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("out.jsonl"), "--memory", "64", "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        JsonObject json = shad.Json();
        Assert.That(json["models"]!.GetValue<int>(), Is.EqualTo(3));
        Assert.That(json["shared_layers"]!.GetValue<int>(), Is.EqualTo(1));
        Assert.That(json["padding"]!.GetValue<double>(), Is.Zero, "all samples are of one length");
        Assert.That(json["split_batches"]!.GetValue<int>(), Is.Zero);
        AnnotationRow row = await AnnotationReader.Open(_folder.PathOf("out.jsonl")).ReadAsync().FirstAsync();
        TokenizedSample sample = TinyModel.Sample(0, roles: true);
        Assert.That(row.BaseLoss, Is.EqualTo(Losses("model1", sample)).Within(1e-5));
        Assert.That(row.ProbeLoss, Is.EqualTo(Losses("probe", sample)).Within(1e-5));
        Assert.That(row.ControlLoss, Is.EqualTo(Losses("control", sample)).Within(1e-5));
        Assert.That(row.ProbeLoss, Is.Not.EqualTo(row.ControlLoss).Within(1e-4));
    }

    [Test]
    public async Task Annotate_takes_what_score_wrote()
    {
        await ScoreAsync("scored.parquet");
        ShadOutput shad = await ShadProgram.RunAsync(
            "annotate", "--scored", _folder.PathOf("scored.parquet"), "--out", _folder.PathOf("annotations.jsonl"), "--margin", "0.25", "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        JsonObject rules = shad.Json()["rules"]!.AsObject();
        Assert.That(rules.Select(rule => rule.Key), Is.EqualTo(new[] { "control", "paper" }));
        Assert.That(rules["control"]!["margin"]!.GetValue<double>(), Is.EqualTo(0.25));
        Assert.That((rules["control"]!["surprise"]!.GetValue<double>(), rules["paper"]!["surprise"]), Is.EqualTo((2.0, (JsonNode?)null)));
        Assert.That(rules["control"]!["tokens"]!.GetValue<int>(), Is.EqualTo(300));
        Assert.That(rules["control"]!["auc"]!.GetValue<double>(), Is.InRange(0, 1));

        shad = await ShadProgram.RunAsync(
            "annotate", "--scored", _folder.PathOf("scored.parquet"), "--out", _folder.PathOf("off.jsonl"), "--surprise", "off", "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        Assert.That(shad.Json()["rules"]!["control"]!["surprise"], Is.Null);

        await foreach (AnnotationRow row in AnnotationReader.Open(_folder.PathOf("annotations.jsonl")).ReadAsync())
        {
            for (int i = 0; i < row.InputIds.Length; i++)
            {
                float difference = row.ProbeLoss![i] - row.ControlLoss![i];
                TokenRole? expected = float.IsNaN(difference) ? null : difference > 0.25 || row.ProbeLoss[i] > 2 ? TokenRole.Reasoning : TokenRole.Boilerplate;
                Assert.That(row.Roles![i], Is.EqualTo(expected));
            }
        }
    }

    [Test]
    public async Task Eval_measures_models_by_known_roles()
    {
        ShadOutput shad = await ShadProgram.RunAsync(
            "eval", "--model", _folder.PathOf("model1"), "--model", _folder.PathOf("model2"), "--corpus", _folder.PathOf("corpus.jsonl"), "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        JsonObject losses = shad.Json()["losses"]!.AsObject();
        Assert.That(losses.Select(model => model.Key), Is.EqualTo(new[] { "model1", "model2" }));
        Assert.That(shad.Json()["loss_roles"]!.ToString(), Is.EqualTo("known"));

        double sum = 0;
        for (int i = 0; i < 50; i++)
        {
            TokenizedSample sample = TinyModel.Sample(i, roles: true);
            float[] loss = Losses(1, sample);
            sum += loss[6] + loss[8];
        }

        Assert.That(losses["model1"]!["reasoning"]!.GetValue<double>(), Is.EqualTo(sum / 100).Within(1e-5));
        Assert.That(losses["model1"]!["tokens"]!.GetValue<int>(), Is.EqualTo(300));
    }

    [Test]
    public async Task Export_writes_graphs_that_score_as_the_model_does()
    {
        ShadOutput shad = await ShadProgram.RunAsync("export", "--model", _folder.PathOf("model1"), "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        Assert.That(shad.Json()["files"]!.AsArray().Select(file => File.Exists(file!.ToString())), Is.All.True.And.Exactly(3).Items);
    }

    [Test]
    public async Task An_unchecked_export_is_the_same()
    {
        string model = _folder.PathOf("model1");
        await ShadProgram.RunAsync("export", "--model", model);
        byte[][] expected = [.. Graphs()];
        ShadOutput shad = await ShadProgram.RunAsync("export", "--model", model, "--no-check", "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        Assert.That(shad.Json()["checked"]!.GetValue<bool>(), Is.False);
        Assert.That(Graphs(), Is.EqualTo(expected));

        IEnumerable<byte[]> Graphs() => Directory.GetFiles(model, "*.onnx").Order(StringComparer.Ordinal).Select(File.ReadAllBytes);
    }

    [Test]
    public async Task Score_says_nothing_but_the_result_on_stdout()
    {
        ShadOutput shad = await ShadProgram.RunAsync(
            "score", "--model", _folder.PathOf("model1"), "--corpus", _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("out.jsonl"));
        Assert.That(shad.Output.TrimEnd().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(shad.Error, Does.Contain("score: done"));
    }

    [Test]
    public async Task Bad_rows_are_counted_and_named()
    {
        File.AppendAllText(_folder.PathOf("corpus.jsonl"), "{broken\n");
        ShadOutput shad = await ScoreAsync("out.jsonl");
        Assert.That(shad.ExitCode, Is.Zero);
        Assert.That(shad.Json()["bad_rows"]!.GetValue<int>(), Is.EqualTo(1));
        Assert.That(shad.Error, Does.Contain("1 bad rows").And.Contain("corpus.jsonl:51"));
    }

    [Test]
    public async Task People_are_told_the_device_and_why_it_is_that_one()
    {
        ShadOutput shad = await ShadProgram.RunAsync(
            "score", "--model", _folder.PathOf("model1"), "--corpus", _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("out.jsonl"));
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        Assert.That(string.Join(' ', shad.Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), Does.Contain("on cpu in float32 (no CUDA: "));
    }

    [Test]
    public async Task Score_in_float16_says_so_and_gives_nearly_the_losses_of_float32()
    {
        ShadOutput shad = await ShadProgram.RunAsync(
            "score", "--model", _folder.PathOf("model1"), "--corpus", _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("half.jsonl"),
            "--device", "cpu", "--precision", "float16", "--json");
        Assert.That(shad.ExitCode, Is.Zero, shad.Error);
        Assert.That(shad.Json()["precision"]!.GetValue<string>(), Is.EqualTo("float16"));
        Assert.That(shad.Json()["device_reason"]!.GetValue<string>(), Is.EqualTo("asked for"));
        List<AnnotationRow> rows = await AnnotationReader.Open(_folder.PathOf("half.jsonl")).ReadAsync().ToListAsync();
        float[] exact = Losses(1, TinyModel.Sample(0, roles: true));

        // Ten roundings of 2^-11 on the way to losses of a few nats.
        Assert.That(rows[0].BaseLoss, Is.EqualTo(exact).Within(5e-2f));
        Assert.That(rows[0].BaseLoss, Is.Not.EqualTo(exact));
    }

    private Task<ShadOutput> ScoreAsync(string name) => ShadProgram.RunAsync(
        "score", "--model", _folder.PathOf("model1"), "--probe", _folder.PathOf("model2"), "--probe", _folder.PathOf("model3"),
        "--corpus", _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf(name), "--json");

    private float[] Losses(int seed, TokenizedSample sample) => Losses($"model{seed}", sample);

    private float[] Losses(string name, TokenizedSample sample)
    {
        using ModelFolder model = ModelFolder.Open(_folder.PathOf(name));
        using ScoringSession session = ScoringSession.Open(model, Cli.Scoring.CorpusScorer.OptionsOf(new ScoreRecipe()));
        return session.Score(sample);
    }
}
