using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Shad.Data.Annotations;

namespace Shad.EndToEnd.Tests;

/// <summary>The real program on a small corpus: a whole run, what is reused, and what survives kills.</summary>
[NonParallelizable]
public sealed class WholeRunTests
{
    private static readonly string[] StageNames =
        ["sample", "probe", "control", "score", "annotate", "tune-sft", "tune-rft", "export", "eval", "report"];

    private SmallRun _small = null!;
    private JsonObject _result = null!;

    [OneTimeSetUp]
    public async Task RunOnce()
    {
        _small = new SmallRun();
        _result = await RunAsync("whole");
    }

    [OneTimeTearDown]
    public void TearDown() => _small.Dispose();

    [Test]
    public void The_result_says_what_was_found()
    {
        Assert.Multiple(() =>
        {
            Assert.That(_result["samples"]!.GetValue<int>(), Is.EqualTo(SmallRun.Samples));
            foreach (string rule in (string[])["paper", "control"])
            {
                JsonNode found = _result["rules"]![rule]!;
                Assert.That(found["against"]!.ToString(), Is.EqualTo("known"));
                foreach (string number in (string[])["auc", "precision", "recall", "f1"])
                    Assert.That(found[number]?.GetValue<double>() ?? 0, Is.InRange(0, 1), $"{rule} {number}");
            }

            foreach (string arm in (string[])["base", "sft", "rft"])
            {
                foreach (string role in (string[])["boilerplate", "reasoning"])
                    Assert.That(_result["losses"]![arm]![role]!.GetValue<double>(), Is.InRange(0.01, 20), $"{arm} {role}");
            }

            Assert.That(_result["losses"]!["sft"]!["all"]!.GetValue<double>(), Is.LessThan(_result["losses"]!["base"]!["all"]!.GetValue<double>()));
            Assert.That(_result["stages"]!.AsObject().Select(stage => stage.Key), Is.EqualTo(StageNames));
            Assert.That(_result["seconds"]!.GetValue<double>(), Is.GreaterThan(0));
        });
    }

    [Test]
    public async Task The_annotations_hold_every_sample_once_with_roles_that_follow_from_its_losses()
    {
        List<AnnotationRow> rows = await AnnotationReader.Open(_result["annotations"]!.ToString()).ReadAsync().ToListAsync();
        Assert.That(rows.Select(row => row.Id), Is.EqualTo(Enumerable.Range(0, SmallRun.Samples).Select(i => $"s{i}")));
        foreach (AnnotationRow row in rows)
        {
            for (int i = 0; i < row.InputIds.Length; i++)
            {
                bool target = i >= 5;
                Assert.That(float.IsNaN(row.BaseLoss![i]), Is.EqualTo(!target));
                Assert.That(row.Roles![i] is null, Is.EqualTo(!target));
                if (!target) continue;
                bool reasoning = row.ProbeLoss![i] - row.ControlLoss![i] > 0.1f || row.ProbeLoss[i] > 2;
                Assert.That((int)row.Roles[i]!.Value, Is.EqualTo(reasoning ? 1 : 0));
            }
        }
    }

    [Test]
    public void The_run_folder_holds_the_recipe_a_record_a_stage_the_events_and_the_report()
    {
        string folder = _small.PathOf("whole", "small");
        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllText(Path.Combine(folder, "recipe.yaml")), Does.Contain("minimum_samples: 24"));
            foreach (string stage in StageNames) Assert.That(File.Exists(Path.Combine(folder, stage, "stage.json")), stage);
            Assert.That(Directory.EnumerateDirectories(folder).Where(path => Path.GetFileName(path)[0] == '.'), Is.Empty);
            Assert.That(File.ReadLines(Path.Combine(folder, "events.jsonl")).Last(), Does.Contain("run_done"));
            foreach (string arm in (string[])["tune-sft", "tune-rft"])
            {
                foreach (string file in (string[])["config.json", "model.safetensors", "scoring.onnx", "model.onnx", "genai_config.json"])
                    Assert.That(File.Exists(Path.Combine(folder, arm, "model", file)), $"{arm} {file}");
            }

            string report = File.ReadAllText(_result["report"]!.ToString());
            Assert.That(report, Does.Contain("<html").And.Not.Contain("src=\"http").And.Not.Contain("href=\"http"));
        });
    }

    [Test]
    public async Task A_second_run_runs_nothing_and_says_the_same()
    {
        ShadResult again = await ShadProcess.RunAsync("run", _small.Recipe, "--runs", _small.PathOf("whole"), "--json");
        Assert.That(again.Json.ToJsonString(), Is.EqualTo(_result.ToJsonString()));
        foreach (string stage in StageNames) Assert.That(again.Error, Does.Contain($"{stage}: unchanged, not run again"));
    }

    [Test]
    public async Task A_changed_part_of_the_recipe_runs_only_what_depends_on_it()
    {
        CopyFolder(_small.PathOf("whole"), _small.PathOf("changed"));
        ShadResult changed = await ShadProcess.RunAsync(
            "run", _small.Recipe, "--runs", _small.PathOf("changed"), "--set", "rule.margin=0.3", "--set", "rule.surprise=off", "--json");
        Assert.That(changed.ExitCode, Is.Zero, changed.Error);
        foreach (string stage in (string[])["sample", "probe", "control", "score"])
            Assert.That(changed.Error, Does.Contain($"{stage}: unchanged, not run again"));
        foreach (string stage in (string[])["annotate", "tune-rft", "export", "eval", "report"])
            Assert.That(changed.Error, Does.Contain($"{stage}: done"));
        Assert.That(changed.Json["rules"]!["control"]!["margin"]!.GetValue<double>(), Is.EqualTo(0.3));
        Assert.That(changed.Json["rules"]!["control"]!["surprise"], Is.Null);
    }

    [Test]
    public async Task The_report_is_written_again_on_request()
    {
        CopyFolder(_small.PathOf("whole"), _small.PathOf("reported"));
        string report = _small.PathOf("reported", "small", "report.html");
        File.Delete(report);
        JsonObject result = await ShadProcess.JsonAsync("report", _small.PathOf("reported", "small"));
        Assert.That(result["report"]!.ToString(), Is.EqualTo(report));
        Assert.That(new FileInfo(report).Length, Is.GreaterThan(10_000));
    }

    [Test]
    [Platform(Exclude = "Win")]
    public async Task A_run_killed_at_any_moment_ends_with_the_same_result()
    {
        // Long enough apart that every attempt gets further: a start costs about a second.
        var random = new Random(20);
        int kills = 0;
        for (; kills < 12; kills++)
        {
            using ShadProcess shad = ShadProcess.Start("run", _small.Recipe, "--runs", _small.PathOf("killed"));
            Task<ShadResult> end = shad.EndAsync();
            Task first = await Task.WhenAny(end, Task.Delay(1000 + random.Next(2500)));
            if (first == end) break;
            shad.Kill();
            await end;
        }

        JsonObject result = await RunAsync("killed");
        TestContext.Out.WriteLine($"killed {kills} times");
        Assert.That(kills, Is.GreaterThan(0));
        AssertSameOutputs("whole", "killed");
        foreach (string part in (string[])["rules", "losses", "samples", "boilerplate_share"])
            Assert.That(result[part]!.ToJsonString(), Is.EqualTo(_result[part]!.ToJsonString()), part);
        string folder = _small.PathOf("killed", "small");
        Assert.That(Directory.EnumerateDirectories(folder).Where(path => Path.GetFileName(path)[0] == '.'), Is.Empty);
        Assert.That(Directory.EnumerateFiles(folder, "*.partial", SearchOption.AllDirectories), Is.Empty);
    }

    [Test]
    [Platform(Exclude = "Win")]
    public async Task An_interrupted_run_ends_its_sidecar_exits_with_130_and_continues()
    {
        using ShadProcess shad = ShadProcess.Start("run", _small.Recipe, "--runs", _small.PathOf("interrupted"), "--set", "tune.steps=300", "--set", "tune.arms=[sft]", "--json");
        string curve = _small.PathOf("interrupted", "small", ".tune-sft.partial", "curve.jsonl");
        bool HasTuned() => File.Exists(curve) && ReadShared(curve).Contains("\"event\":\"progress\"", StringComparison.Ordinal);
        while (!HasTuned())
        {
            Assert.That(shad.HasExited, Is.False);
            await Task.Delay(50);
        }

        string processFile = _small.PathOf("interrupted", "small", ".tune-sft.partial", "sidecar.pid");
        int sidecar = int.Parse(File.ReadAllText(processFile).Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        using (var kill = System.Diagnostics.Process.Start("kill", [InterruptingSignal(), $"{shad.Id}"])) await kill.WaitForExitAsync();
        ShadResult result = await shad.EndAsync();

        Assert.That(result.ExitCode, Is.EqualTo(130), result.Error);
        Assert.That(result.Json["error"]!["code"]!.ToString(), Is.EqualTo("interrupted"));
        Assert.That(() => System.Diagnostics.Process.GetProcessById(sidecar), Throws.ArgumentException, "the sidecar has ended");
        Assert.That(Directory.Exists(_small.PathOf("interrupted", "small", ".tune-sft.partial", "checkpoints")), "its checkpoint is kept");

        ShadResult again = await ShadProcess.RunAsync(
            "run", _small.Recipe, "--runs", _small.PathOf("interrupted"), "--set", "tune.steps=300", "--set", "tune.arms=[sft]", "--json");
        Assert.That(again.ExitCode, Is.Zero, again.Error);
        Assert.That(again.Error, Does.Contain("tune-sft: Fine-tune with every response token alike (continued)"));
    }

    /// <summary>
    /// SIGINT, as Ctrl-C sends it; or SIGTERM, which ends a run in the same way, where the tests' own process was started with SIGINT
    /// ignored (a shell does that to background jobs) and so hands this on to what it starts.
    /// </summary>
    private static string InterruptingSignal()
    {
        const int interrupt = 2;
        string? ignored = File.Exists("/proc/self/status")
            ? File.ReadLines("/proc/self/status").FirstOrDefault(static line => line.StartsWith("SigIgn:", StringComparison.Ordinal))
            : null;
        bool isIgnored = ignored is not null && (Convert.ToUInt64(ignored[7..].Trim(), 16) & (1UL << (interrupt - 1))) != 0;
        return isIgnored ? "-TERM" : "-INT";
    }

    [Test]
    public async Task Single_commands_find_what_the_run_finds()
    {
        string work = _small.PathOf("single");
        Directory.CreateDirectory(work);
        string model = _small.PathOf("model"), corpus = _small.PathOf("corpus.jsonl");
        string probes = _small.PathOf("whole", "small");
        string scored = Path.Combine(work, "scored.parquet"), annotations = Path.Combine(work, "annotations.parquet");
        await ShadProcess.JsonAsync(
            "score", "--model", model, "--probe", Path.Combine(probes, "probe", "model"), "--probe", Path.Combine(probes, "control", "model"),
            "--corpus", corpus, "--out", scored);
        JsonObject annotated = await ShadProcess.JsonAsync("annotate", "--scored", scored, "--out", annotations);
        foreach (string rule in (string[])["control", "paper"])
        {
            foreach (string number in (string[])["auc", "f1", "boilerplate_share"])
            {
                // Batches differ, so losses differ in the last digits and a token at the threshold may change sides.
                Assert.That(
                    annotated["rules"]![rule]![number]?.GetValue<double>() ?? 0,
                    Is.EqualTo(_result["rules"]![rule]![number]?.GetValue<double>() ?? 0).Within(0.01), $"{rule} {number}");
            }
        }

        JsonObject tuned = await ShadProcess.JsonAsync(
            "tune", "--model", model, "--data", annotations, "--objective", "rft", "--steps", "4", "--out", Path.Combine(work, "tuned"));
        Assert.That(tuned["onnx"]!.AsArray(), Has.Count.EqualTo(3));
        Assert.That(Directory.Exists(Path.Combine(work, "tuned.work")), Is.False);

        JsonObject losses = await ShadProcess.JsonAsync("eval", "--model", model, "--model", Path.Combine(work, "tuned"), "--corpus", corpus);
        Assert.That(
            losses["losses"]!["tuned"]!["all"]!.GetValue<double>(), Is.LessThan(losses["losses"]!["model"]!["all"]!.GetValue<double>()));
    }

    [Test]
    public async Task The_doctor_finds_everything_that_is_needed()
    {
        JsonObject found = await ShadProcess.JsonAsync("doctor");
        Assert.That(found["healthy"]!.GetValue<bool>());
        Assert.That(found["tuning"]!["torch"]!.ToString(), Is.Not.Empty);
        Assert.That(found["scoring"]!["providers"]!.AsArray().Select(provider => provider!.ToString()), Does.Contain("CPUExecutionProvider"));
    }

    private Task<JsonObject> RunAsync(string runs) => ShadProcess.JsonAsync("run", _small.Recipe, "--runs", _small.PathOf(runs));

    private void AssertSameOutputs(string expected, string actual)
    {
        string[] files =
        [
            "annotate/annotations.parquet", "annotate/train.jsonl", "annotate/held_out.jsonl", "sample/shuffled.jsonl", "sample/aligned.jsonl",
            "probe/model/changed.safetensors", "control/model/changed.safetensors",
            "tune-sft/model/model.safetensors", "tune-rft/model/model.safetensors",
        ];
        foreach (string file in files)
            Assert.That(Hash(_small.PathOf(actual, "small", file)), Is.EqualTo(Hash(_small.PathOf(expected, "small", file))), file);
    }

    private static string Hash(string path) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)));

    private static string ReadShared(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
