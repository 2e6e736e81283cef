using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Shad.Cli.Generation;
using Shad.Cli.Sidecar;
using Shad.Core.Evaluation;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Shuffling;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Data.ToolCalls;
using Shad.Models;
using Shad.Onnx.Scoring;

namespace ExperimentRft;

/// <summary>One tune to do.</summary>
internal sealed record Run(Split Split, int Size, ulong Seed, Arm Arm, int Steps)
{
    public RunKey Key => new(Split.Name, Size, Seed, Arm.Name, Steps);
}

/// <summary>Does the runs that have no result yet, several at a time.</summary>
internal sealed class Experiment(Settings settings, string work, ResultFile results)
{
    // Streams of a seed: another use takes another number.
    private const ulong ProbeStream = 1, ShuffleStream = 2;

    private readonly SidecarProcess _sidecar = new(SidecarLocation.Find());
    private readonly Lock _lock = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private int _left;
    private int _stepsLeft;
    private int _stepsDone;

    /// <summary>All runs of the settings, split after split and seed after seed, so that an experiment cut short has whole ones.</summary>
    public static IEnumerable<Run> RunsOf(Settings settings) =>
        from split in settings.Splits
        from seed in settings.SeedsOf(split)
        from size in split.Sizes
        from arm in settings.ArmsOf(split)
        from steps in settings.StepsOf(split)
        select new Run(split, size, seed, arm, steps);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        List<Run> open = [.. RunsOf(settings).Where(run => !results.Has(run.Key))];
        _left = open.Count;
        _stepsLeft = open.Sum(static run => run.Steps);
        Console.WriteLine($"{open.Count} runs to do, {_stepsLeft:N0} steps, {settings.Workers} side by side with {settings.Threads} threads each");

        // Training sets are made one after another, while the runs of the set before go on.
        using var slots = new SemaphoreSlim(settings.Workers);
        var running = new List<Task>();
        foreach (var set in open.GroupBy(static run => (run.Split, run.Size, run.Seed)))
        {
            await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
            TrainingSet training;
            try
            {
                training = await PrepareAsync(set.Key.Split, set.Key.Size, set.Key.Seed, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                slots.Release();
            }

            foreach (var run in set)
            {
                await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
                if (running.Find(static task => task.IsFaulted) is { } failed) await failed.ConfigureAwait(false);
                running.Add(Task.Run(
                    async () =>
                    {
                        try
                        {
                            await RunAsync(run, training, cancellationToken).ConfigureAwait(false);
                        }
                        finally
                        {
                            slots.Release();
                        }
                    },
                    cancellationToken));
            }
        }

        await Task.WhenAll(running).ConfigureAwait(false);
    }

    /// <summary>What all arms of a split, size and seed have in common.</summary>
    private sealed record TrainingSet(ScoredSet Scored, List<EncodedSample> Test, List<EncodedSample> Reworded);

    private async Task<TrainingSet> PrepareAsync(Split split, int size, ulong seed, CancellationToken cancellationToken)
    {
        using var model = ModelFolder.Open(settings.Model);
        var corpora = new Corpora(model);
        var train = corpora.Train(split, seed, size);
        var random = new SeededRandom(seed);
        int[] chosen = ProbeSample.Select(
            train.Count, settings.Probe.Fraction, settings.Probe.MinimumSamples, random.Fork(ProbeStream));
        TokenizedSample[] aligned = [.. chosen.Select(i => train[i].Tokens)];
        string folder = Path.Combine(work, Slug($"{split.Name}-{size}-{seed}"));
        Directory.CreateDirectory(folder);
        string Data(string name, IEnumerable<TokenizedSample> samples)
        {
            string path = Path.Combine(folder, name + ".jsonl");
            TokenizedSampleWriter.WriteAll(path, samples);
            return path;
        }

        // One shuffle decides what the probe learns; the control sees the same samples in the same order.
        string probe = Path.Combine(folder, "probe"), control = Path.Combine(folder, "control");
        var shuffled = ShuffledSamples.Create(aligned, random.Fork(ShuffleStream));
        await TuneAsync(ProbeJob(probe, Data("shuffled", shuffled), seed), folder, cancellationToken).ConfigureAwait(false);
        await TuneAsync(ProbeJob(control, Data("aligned", aligned), seed), folder, cancellationToken).ConfigureAwait(false);
        var scored = await ScoredSet.ScoreAsync(train, settings.Model, probe, control, settings.Threads).ConfigureAwait(false);
        foreach (var arm in settings.ArmsOf(split).Where(static arm => arm.Roles is not null and not RoleSource.Known))
        {
            (double precision, double recall, double share) = scored.Agreement(arm);
            results.AddRoles(new RolesLine(split.Name, size, seed, arm.Name, precision, recall, share));
        }

        return new TrainingSet(
            scored, corpora.Test(split, seed, settings.TestSamples), corpora.Reworded(split, seed, settings.TestSamples));
    }

    private async Task RunAsync(Run run, TrainingSet training, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        string folder = Path.Combine(work, Slug($"{run.Split.Name}-{run.Size}-{run.Seed}"), Slug($"{run.Arm.Name}-{run.Steps}"));
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        string data = Path.Combine(folder, "train.jsonl"), tuned = Path.Combine(folder, "model");
        TokenizedSampleWriter.WriteAll(data, training.Scored.For(run.Arm));
        await TuneAsync(
            new TuneJob
            {
                Model = settings.Model, Output = tuned, Data = data, Objective = run.Arm.Objective, Temperature = run.Arm.Temperature,
                WeightBySize = run.Arm.WeightBySize, BoilerplateFloor = run.Arm.BoilerplateFloor, AnnealFrom = run.Arm.AnnealFrom, Steps = run.Steps,
                SamplesPerStep = settings.SamplesPerStep, LearningRate = settings.LearningRate, Precision = settings.Precision,
                Seed = run.Seed, SaveDtype = "float32", Threads = settings.Threads, ReportEvery = run.Steps,
            },
            folder, cancellationToken).ConfigureAwait(false);
        double tuneSeconds = Stopwatch.GetElapsedTime(started).TotalSeconds;

        using (var model = ModelFolder.Open(tuned))
        {
            var answers = Answer(model, training.Test, cancellationToken);
            var reworded = Answer(model, training.Reworded, cancellationToken);
            double inFormat = CallsInFormat(model, training.Test, cancellationToken);
            var (reasoning, boilerplate, certain) = await LossesAsync(model, training.Test).ConfigureAwait(false);
            results.Add(new ResultLine(
                run.Key, Share(answers, "call"), Share(answers, "name"), Share(answers, "argument_names"), Share(answers, "values"),
                Share(answers, "response"), Share(reworded, "call"), reasoning, boilerplate, certain, tuneSeconds,
                Stopwatch.GetElapsedTime(started).TotalSeconds, Share(answers, "readable"), inFormat));
            File.WriteAllLines(folder + ".answers.jsonl", answers.Responses.Select(static answer => JsonSerializer.Serialize(answer, ResultFile.Json)));
        }

        Directory.Delete(folder, recursive: true);
        Tell(run);
    }

    private GeneratedResponses Answer(ModelFolder model, List<EncodedSample> test, CancellationToken cancellationToken) => ResponseGenerator.Generate(
        "tuned", model, [.. test.Select(static sample => sample.Tokens)], settings.MaxNewTokens, settings.Threads, null, cancellationToken);

    /// <summary>Share of the whole calls that are right where each answer begins with the first token of the corpus's response, which decides its
    /// format: nothing in a prompt of the demo corpus says which of the formats is wanted.</summary>
    private double CallsInFormat(ModelFolder model, List<EncodedSample> test, CancellationToken cancellationToken)
    {
        var answers = Answer(model, [.. test.Select(Corpora.WithFirstTokenGiven)], cancellationToken).Responses;
        return test.Zip(answers).Average(static pair =>
        {
            string opening = Corpora.FirstTokenOf(pair.First);
            return ResponseMatch.Of(opening + pair.Second.Reference, opening + pair.Second.Generated).Call == true ? 1.0 : 0;
        });
    }

    private static double Share(GeneratedResponses answers, string measure) =>
        answers.Measures().First(candidate => candidate.Name == measure).Mean;

    /// <summary>Mean losses by known role, and the share of test samples of whose call every specific token is more likely than all other
    /// tokens together.</summary>
    private async Task<(double Reasoning, double Boilerplate, double Certain)> LossesAsync(ModelFolder model, List<EncodedSample> test)
    {
        using var session = ScoringSession.Open(model, new ScoringOptions { Threads = settings.Threads });
        var losses = new LossByRole();
        int certain = 0;
        await foreach (var scored in session.ScoreAsync(test.ToAsyncEnumerable(), static sample => sample.Tokens).ConfigureAwait(false))
        {
            losses.Add(scored.Losses, scored.Item.KnownRoles!);
            bool[] ofCall = Corpora.IsOfCall(scored.Item);
            if (!scored.Losses.Where((loss, i) => ofCall[i] && loss >= Math.Log(2)).Any()) certain++;
        }

        return (losses.ReasoningLoss!.Value, losses.BoilerplateLoss!.Value, (double)certain / test.Count);
    }

    private TuneJob ProbeJob(string output, string data, ulong seed) => new()
    {
        Model = settings.Model, Output = output, Data = data, Epochs = settings.Probe.Epochs, SamplesPerStep = settings.Probe.SamplesPerStep,
        LearningRate = settings.Probe.LearningRate, Precision = settings.Precision, ShuffleData = false, Seed = seed, SaveDtype = "float32",
        Threads = settings.Threads, ReportEvery = 1000,
    };

    /// <summary>Tunes, unless the output is there: the sidecar writes it whole or not at all.</summary>
    private async Task TuneAsync(TuneJob job, string folder, CancellationToken cancellationToken)
    {
        if (Directory.Exists(job.Output)) return;
        string name = Path.GetFileName(job.Output);
        string jobFile = Path.Combine(folder, name + ".job.json");
        await File.WriteAllTextAsync(jobFile, JsonSerializer.Serialize(job, SidecarJson.Default.TuneJob), cancellationToken).ConfigureAwait(false);
        await _sidecar.RunAsync("tune", jobFile, Path.Combine(folder, name + ".log"), null, cancellationToken).ConfigureAwait(false);
    }

    private void Tell(Run run)
    {
        lock (_lock)
        {
            _left--;
            _stepsDone += run.Steps;
            _stepsLeft -= run.Steps;
            double seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
            var left = TimeSpan.FromSeconds(seconds / _stepsDone * _stepsLeft);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{run.Key}: {100 * results[run.Key].Call:0.0} % of the calls; {_left} runs left, about {left.TotalHours:0.0} h"));
        }
    }

    private static string Slug(string text) => string.Concat(text.Select(static c => char.IsAsciiLetterOrDigit(c) ? c : '-'));
}
