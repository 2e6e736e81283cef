using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Core.Weighting;
using Shad.Data.Annotations;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Objectives;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Tests.Integrations;

/// <summary>The losses that <c>scripts/integrations</c> gives other trainers, against those of our own.</summary>
public sealed class PythonLossTests
{
    private const int Vocabulary = 16;

    private const double Progress = 0.6;

    private static readonly int[] Lengths = [9, 4, 12, 2];

    [Test]
    public void Loss_and_gradient_of_logits_are_those_of_our_trainer()
    {
        using var folder = new TemporaryFolder();
        var random = new SeededRandom(7);
        var rows = Lengths.Select((length, sample) => Row(random, $"sample {sample}", length)).ToList();
        float[][] logits = [.. Lengths.Select(length => Numbers(random, length * Vocabulary))];
        (ITuneObjective Ours, object Theirs)[] objectives =
        [
            (new SftObjective(), new { name = "sft" }),
            (new WeightedObjective(), new { name = "weighted" }),
            (new MaskObjective(), new { name = "mask" }),
            (new RftObjective(new RftWeighting()), new { name = "rft", anneal_from = 1.0 }),
            (new RftObjective(new RftWeighting { Temperature = 0.2 }), new { name = "rft", temperature = 0.2, anneal_from = 1.0 }),
            (new RftObjective(new RftWeighting { BySize = true }), new { name = "rft", by_size = true, anneal_from = 1.0 }),
            (new RftObjective(new RftWeighting { BoilerplateFloor = 0.95 }), new { name = "rft", boilerplate_floor = 0.95, anneal_from = 1.0 }),
            (new RftObjective(new RftWeighting { AnnealFrom = 0.5 }), new { name = "rft" }),
            (new RftObjective(new RftWeighting { AnnealFrom = 0.7 }), new { name = "rft", anneal_from = 0.7 }),
        ];

        using (var writer = AnnotationWriter.Create(folder.File("annotations.jsonl")))
        {
            foreach (var row in rows) writer.Write(row);
            writer.Complete();
        }

        File.WriteAllText(folder.File("cases.json"), JsonSerializer.Serialize(new
        {
            pad = 0,
            logits = logits.Select(static sample => sample.Chunk(Vocabulary)),
            objectives = objectives.Select(static objective => objective.Theirs),
            progress = Progress,
        }));
        PythonTorch.Run("loss_of_logits.py", folder.File("annotations.jsonl"), folder.File("cases.json"), folder.File("out.json"));

        var results = JsonNode.Parse(File.ReadAllText(folder.File("out.json")))!.AsArray();
        for (int i = 0; i < objectives.Length; i++)
        {
            var (loss, gradient) = Ours(objectives[i].Ours, rows, logits);
            string name = JsonSerializer.Serialize(objectives[i].Theirs);
            Assert.That(results[i]!["loss"]!.GetValue<double>(), Is.EqualTo(loss).Within(1e-6), name);
            double[][] theirs = [.. results[i]!["gradient"]!.AsArray().Select(static sample =>
                sample!.AsArray().SelectMany(static position => position!.AsArray().Select(static value => value!.GetValue<double>())).ToArray())];
            for (int sample = 0; sample < rows.Count; sample++)
                Assert.That(theirs[sample], Is.EqualTo(gradient[sample]).Within(1e-6), $"{name}, sample {sample}");
        }
    }

    [Test]
    public void Steps_of_micro_batches_and_of_processes_are_those_of_one_batch() =>
        Assert.That(PythonTorch.Run("steps.py"), Does.StartWith("steps agree"));

    // With the identity for a head the states are the logits.
    private static (double Loss, float[][] Gradient) Ours(ITuneObjective objective, List<AnnotationRow> rows, float[][] logits)
    {
        using var scope = NewDisposeScope();
        var config = TinyModels.Llama with
        {
            VocabularySize = Vocabulary, HiddenSize = Vocabulary, AttentionHeads = 2, KeyValueHeads = 2, HeadSize = 8, LayerCount = 1,
        };
        using var parameters = new DecoderParameters(config, TunedPart.All, TunePrecision.Float32, CPU);
        using (no_grad()) parameters.Embedding.Master.copy_(eye(Vocabulary));

        TokenizedSample[] samples = [.. rows.Select(static row => row.ToTokenizedSample())];
        foreach (var sample in samples) objective.Check(sample, "rows");
        var places = (from s in Enumerable.Range(0, samples.Length)
                      from i in Enumerable.Range(0, samples[s].Length)
                      where samples[s].IsTarget(i)
                      select (Sample: s, Before: i - 1)).ToList();
        var states = stack([.. places.Select(place => tensor(logits[place.Sample][(place.Before * Vocabulary)..((place.Before + 1) * Vocabulary)]))]);
        var targets = tensor(places.Select(place => (long)samples[place.Sample].InputIds[place.Before + 1]).ToArray());
        float[] losses = HeadLoss.Losses(states, targets, parameters.Head, TunePrecision.Float32).data<float>().ToArray();
        var weighting = objective.Weigh(new StepTargets(samples, Progress), objective.NeedsLosses ? losses : []);
        var (_, ofStates) = HeadLoss.Gradient(states, targets, tensor(weighting.Coefficients), parameters.Head, TunePrecision.Float32);

        float[][] gradient = [.. logits.Select(static sample => new float[sample.Length])];
        float[] flat = ofStates.data<float>().ToArray();
        for (int k = 0; k < places.Count; k++)
            flat.AsSpan(k * Vocabulary, Vocabulary).CopyTo(gradient[places[k].Sample].AsSpan(places[k].Before * Vocabulary));
        return (losses.Select((loss, k) => (double)loss * weighting.Coefficients[k]).Sum(), gradient);
    }

    private static AnnotationRow Row(SeededRandom random, string id, int length)
    {
        int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.NextInt32(Vocabulary))];
        bool IsTarget(int place) => place >= (length + 2) / 3;
        float[] losses = Array.ConvertAll(ids, static _ => 0f);
        for (int i = 0; i < length; i++)
            if (!IsTarget(i)) losses[i] = float.NaN;
        return new AnnotationRow
        {
            Id = id,
            InputIds = ids,
            Labels = [.. ids.Select((token, place) => IsTarget(place) ? token : TokenizedSample.IgnoredLabel)],
            BaseLoss = losses,
            ProbeLoss = losses,
            LossDifference = losses,
            Roles = [.. ids.Select((token, place) => IsTarget(place) ? (TokenRole?)(token % 3 == 0 ? TokenRole.Reasoning : TokenRole.Boilerplate) : null)],
            Weights = [.. ids.Select((_, place) => IsTarget(place) ? 0.1f + random.NextInt32(5) : 0f)],
        };
    }

    private static float[] Numbers(SeededRandom random, int count) => [.. Enumerable.Range(0, count).Select(_ => (float)(2 * random.NextGaussian()))];
}
