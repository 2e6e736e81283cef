using System.Text.Json;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Sidecar.Tests.Reference;

namespace Shad.Sidecar.Tests;

public sealed class ScoreCommandTests
{
    private static (int ExitCode, List<SidecarEvent> Events) Score(TemporaryFolder folder, ScoreJob job)
    {
        string path = folder.File("score.json");
        File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(job, SidecarJson.Default.ScoreJob));
        return SidecarHarness.Run(["score", "--job", path]);
    }

    [TestCaseSource(typeof(TinyModels), nameof(TinyModels.All))]
    public void Losses_are_written_in_order_with_null_where_no_target(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, config);
        var samples = TinyModels.Samples(15);
        var job = new ScoreJob
        {
            Model = model.Path, Data = SidecarHarness.WriteData(folder, samples), Output = folder.File("losses.jsonl"), TokensPerBatch = 50,
        };
        var run = Score(folder, job);
        Assert.That(run.ExitCode, Is.Zero, string.Join('\n', run.Events));

        var reference = new ReferenceDecoder(model);
        string[] lines = File.ReadAllLines(job.Output);
        Assert.That(lines, Has.Length.EqualTo(samples.Count));
        for (int s = 0; s < lines.Length; s++)
        {
            using var row = JsonDocument.Parse(lines[s]);
            Assert.That(row.RootElement.GetProperty("id").GetString(), Is.EqualTo(samples[s].Id));
            double[] expected = reference.Losses(samples[s]);
            var losses = row.RootElement.GetProperty("loss").EnumerateArray().ToArray();
            Assert.That(losses, Has.Length.EqualTo(expected.Length));
            for (int i = 0; i < expected.Length; i++)
            {
                if (double.IsNaN(expected[i])) Assert.That(losses[i].ValueKind, Is.EqualTo(JsonValueKind.Null));
                else Assert.That(losses[i].GetDouble(), Is.EqualTo(expected[i]).Within(5e-5));
            }
        }
    }

    [Test]
    public void A_sample_longer_than_the_context_is_refused_and_nothing_is_written()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama);
        int[] ids = new int[TinyModels.Llama.ContextLength + 1];
        int[] labels = [.. Enumerable.Repeat(TokenizedSample.IgnoredLabel, ids.Length - 1), 0];
        var job = new ScoreJob
        {
            Model = model.Path, Data = SidecarHarness.WriteData(folder, [new TokenizedSample("long", ids, labels)]),
            Output = folder.File("losses.jsonl"),
        };
        var run = Score(folder, job);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(((SidecarError)run.Events[^1]).Code, Is.EqualTo("score.longer_than_context"));
        Assert.That(Directory.GetFiles(folder.Path, "losses*"), Is.Empty);
    }

    [Test]
    public void A_loss_that_is_not_finite_is_an_error_not_a_null()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Create(folder, TinyModels.Llama, deviation: double.NaN);
        var job = new ScoreJob
        {
            Model = model.Path, Data = SidecarHarness.WriteData(folder, TinyModels.Samples(2)), Output = folder.File("losses.jsonl"),
        };
        var run = Score(folder, job);
        Assert.That(((SidecarError)run.Events[^1]).Code, Is.EqualTo("score.non_finite"));
        Assert.That(File.Exists(job.Output), Is.False);
    }

    [Test]
    public void The_pretrained_model_of_260_thousand_parameters_scores_like_the_reference()
    {
        string path = SharedFolder.Find("models/stories260k");
        using var model = ModelFolder.Open(path);
        using var folder = new TemporaryFolder();
        // Any tokens will do: the reference knows no more of text than the module does.
        int[] ids = [1, 403, 407, 261, 378, 31, 285, 68, 417, 26, 10, 5, 400, 500];
        var sample = new TokenizedSample("s", ids, [-100, .. ids[1..]]);
        var job = new ScoreJob
        {
            Model = path, Data = SidecarHarness.WriteData(folder, [sample]), Output = folder.File("losses.jsonl"),
        };
        Assert.That(Score(folder, job).ExitCode, Is.Zero);
        using var row = JsonDocument.Parse(File.ReadAllText(job.Output));
        double[] expected = new ReferenceDecoder(model).Losses(sample);
        for (int i = 1; i < ids.Length; i++)
            Assert.That(row.RootElement.GetProperty("loss")[i].GetDouble(), Is.EqualTo(expected[i]).Within(1e-4), $"token {i}");
    }
}
