using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Shad.Core.Tuning;
using Shad.Models.Weights;

namespace Shad.Sidecar.Tests;

/// <summary>The program as a process: what only the operating system can do to it.</summary>
[Platform(Include = "Linux")]
public sealed partial class SidecarProcessTests
{
    private readonly List<Process> _started = [];
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void EndProcessesAndRemoveFolder()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }

        _started.Clear();
        _folder.Dispose();
    }

    private TuneJob Job(int steps)
    {
        using var model = TinyModels.Create(_folder, TinyModels.Llama, deviation: 0.1);
        return new TuneJob
        {
            Model = model.Path, Output = _folder.File("tuned"), Data = SidecarHarness.WriteData(_folder, TinyModels.Samples(20)),
            Steps = steps, SamplesPerStep = 4, LearningRate = 0.001, Threads = 1,
        };
    }

    private Process Start(string executable, params string[] args)
    {
        var start = new ProcessStartInfo(executable, args)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        // An executable-memory mapping of the runtime is a file, which the limit of the full-disk test would cut.
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        var process = Process.Start(start)!;
        _started.Add(process);
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        return process;
    }

    private static string Executable => Path.Combine(TorchSetup.SidecarFolder, "Shad.Sidecar");

    private static SidecarEvent? ReadUntil(Process process, Func<SidecarEvent, bool> found)
    {
        SidecarEvent? last = null;
        while (process.StandardOutput.ReadLine() is { } line)
        {
            last = JsonSerializer.Deserialize(line, SidecarJson.Default.SidecarEvent)!;
            if (found(last)) return last;
        }

        return last;
    }

    [Test]
    public void SIGTERM_and_SIGINT_write_a_checkpoint_and_exit_130([Values(15, 2)] int signal)
    {
        if (IsIgnoredHere(signal)) Assert.Ignore($"Signal {signal} is ignored by this process, and so by what it starts: a shell does that to background jobs.");
        var job = Job(1_000_000);
        var process = Start(Executable, "tune", "--job", SidecarHarness.WriteJob(_folder, job));
        ReadUntil(process, static line => line is TuneProgress { Step: 5 });
        Assert.That(Kill(process.Id, signal), Is.Zero);
        var last = ReadUntil(process, static _ => false);
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.EqualTo(130));
        Assert.That(last, Is.TypeOf<SidecarError>());
        Assert.That(((SidecarError)last!).Code, Is.EqualTo("interrupted"));
        Assert.That(Directory.GetFiles(job.Output + ".checkpoints"), Has.Length.EqualTo(1));
    }

    private static bool IsIgnoredHere(int signal)
    {
        const string status = "/proc/self/status", field = "SigIgn:";
        string? ignored = File.Exists(status) ? File.ReadLines(status).FirstOrDefault(static line => line.StartsWith(field, StringComparison.Ordinal)) : null;
        return ignored is not null && (Convert.ToUInt64(ignored[field.Length..].Trim(), 16) & (1UL << (signal - 1))) != 0;
    }

    [Test]
    public void Killed_outright_a_tune_continues_from_its_last_checkpoint_and_ends_the_same()
    {
        var job = Job(60) with { CheckpointEvery = 7 };
        Assert.That(SidecarHarness.Tune(_folder, job with { Output = _folder.File("whole") }).ExitCode, Is.Zero);

        var process = Start(Executable, "tune", "--job", SidecarHarness.WriteJob(_folder, job));
        ReadUntil(process, static line => line is TuneProgress { Step: >= 16 });
        process.Kill();
        process.WaitForExit();

        Assert.That(Directory.Exists(job.Output), Is.False);
        var run = SidecarHarness.Tune(_folder, job);
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Events.OfType<TuneStarted>().Single().FirstStep, Is.GreaterThan(0));
        Assert.That(
            File.ReadAllBytes(Path.Combine(job.Output, ModelWeights.FileName)),
            Is.EqualTo(File.ReadAllBytes(_folder.File("whole/" + ModelWeights.FileName))));
    }

    /// <summary>
    /// Killed again and again: at random moments, and while a checkpoint is being written (as its temporary file shows). Whatever is left,
    /// the next process continues from it, and in the end the weights are those of a tune that nobody killed.
    /// </summary>
    [Test]
    public void Killed_at_any_moment_also_within_a_checkpoint_it_ends_with_the_same_weights()
    {
        // A vocabulary that makes a checkpoint of 12 MB, so that writing it takes a good part of a step.
        using var model = TinyModels.Create(_folder, TinyModels.Llama with { VocabularySize = 40_000 }, deviation: 0.1);
        var job = Job(24) with
        {
            Model = model.Path, CheckpointEvery = 1, Lora = null, Precision = TunePrecision.Float32, TokensPerBatch = 60,
        };
        Assert.That(SidecarHarness.Tune(_folder, job with { Output = _folder.File("whole"), CheckpointEvery = 0 }).ExitCode, Is.Zero);

        string jobPath = SidecarHarness.WriteJob(_folder, job);
        string points = job.Output + ".checkpoints";
        var random = new Random(5);
        int killedWhileWriting = 0, killed = 0;
        for (; killed < 12 && killedWhileWriting < 3; killed++)
        {
            var process = Start(Executable, "tune", "--job", jobPath);
            var first = ReadUntil(process, static line => line is TuneProgress or TuneDone);
            if (first is not TuneProgress { Step: < 20 }) break;
            if (killed % 3 == 0)
            {
                Thread.Sleep(random.Next(60));
            }
            else
            {
                var patience = System.Diagnostics.Stopwatch.StartNew();
                while (!process.HasExited && patience.Elapsed.TotalSeconds < 10 && !Unfinished().Any()) Thread.SpinWait(50);
            }

            process.Kill();
            process.WaitForExit();
            if (Unfinished().Any()) killedWhileWriting++;
        }

        Assert.That(killedWhileWriting, Is.GreaterThan(0), $"none of {killed} kills met a checkpoint being written");
        var run = SidecarHarness.Tune(_folder, job);
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Events.OfType<SidecarWarning>(), Is.Empty, "no checkpoint may be damaged by a kill");
        Assert.That(
            File.ReadAllBytes(Path.Combine(job.Output, ModelWeights.FileName)),
            Is.EqualTo(File.ReadAllBytes(_folder.File("whole/" + ModelWeights.FileName))));
        Assert.That(Directory.Exists(points), Is.False);

        IEnumerable<string> Unfinished() => Directory.Exists(points) ? Directory.EnumerateFiles(points, "*.tmp") : [];
    }

    /// <summary>
    /// The plan against the peak of resident memory of a process that follows it. What both have in common with the smallest tune, the
    /// runtime and libtorch, is taken off: the plan's difference must be the measured one within a factor of 1.5 either way.
    /// </summary>
    [Test]
    public void The_memory_planned_is_the_memory_taken_within_a_factor_of_1_5()
    {
        var config = TinyModels.LlamaUntiedGrouped with
        {
            HiddenSize = 256, AttentionHeads = 8, KeyValueHeads = 4, HeadSize = 32, IntermediateSize = 704, LayerCount = 6, VocabularySize = 4000,
            ContextLength = 512,
        };
        using var small = TinyModels.Create(_folder, TinyModels.Llama);
        using var large = TinyModels.Create(_folder, config, deviation: 0.02);
        var samples = Enumerable.Range(0, 16).Select(s =>
        {
            int[] ids = [.. Enumerable.Range(0, 256).Select(i => (s * 7 + i * 13) % 4000)];
            return new Core.Samples.TokenizedSample($"s{s}", ids, [.. ids.Select(static (id, i) => i < 192 ? -100 : id)]);
        });
        string data = SidecarHarness.WriteData(_folder, samples);
        var job = Job(2) with { Precision = TunePrecision.Float32, SamplesPerStep = 16, TokensPerBatch = 4096, Threads = 2 };
        var (basePlan, basePeak) = Measure(job with { Model = small.Path, Output = _folder.File("small") });
        job = job with { Model = large.Path, Data = data };
        var cases = new (string Name, TuneJob Job)[]
        {
            ("full", job),
            ("bfloat16", job with { Precision = TunePrecision.BFloat16 }),
            ("recomputed", job with { GradientCheckpointing = true, TokensPerBatch = 4096 }),
            ("adapters", job with { Lora = new LoraSettings { Dropout = 0.1 } }),
            ("last two layers", job with { LastLayers = 2 }),
        };
        var report = new List<string>();
        bool fits = true;
        foreach (var (name, which) in cases)
        {
            var (plan, peak) = Measure(which with { Output = _folder.File(name) });
            double planned = plan.Total - basePlan.Total, taken = peak - basePeak;
            report.Add($"{name}: planned {planned / (1 << 20):0} MiB, taken {taken / (1 << 20):0} MiB, {planned / taken:0.00}");
            fits &= planned / taken is > 1 / 1.5 and < 1.5;
        }

        TestContext.Out.WriteLine(string.Join('\n', report));
        Assert.That(fits, Is.True, string.Join('\n', report));

        (MemoryPlanned Plan, long Peak) Measure(TuneJob which)
        {
            var process = Start(Executable, "tune", "--job", SidecarHarness.WriteJob(_folder, which));
            var plan = (MemoryPlanned)ReadUntil(process, static line => line is MemoryPlanned)!;
            var last = (TuneProgress)ReadUntil(process, static line => line is TuneProgress { Step: 2 })!;
            ReadUntil(process, static _ => false);
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Zero);
            return (plan, last.PeakMemory);
        }
    }

    [Test]
    public void It_ends_with_its_stdin_where_asked_to()
    {
        var job = Job(1_000_000);
        var process = Start(Executable, "tune", "--job", SidecarHarness.WriteJob(_folder, job), SidecarProgram.EndWithStdin);
        ReadUntil(process, static line => line is TuneProgress { Step: 3 });
        process.StandardInput.Close();
        ReadUntil(process, static _ => false);
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.EqualTo(130));
    }

    [Test]
    public void It_ends_with_a_checkpoint_when_nobody_reads_its_events()
    {
        var job = Job(1_000_000);
        var process = Start(Executable, "tune", "--job", SidecarHarness.WriteJob(_folder, job));
        ReadUntil(process, static line => line is TuneProgress { Step: 3 });
        process.StandardOutput.Close();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.EqualTo(130));
        Assert.That(Directory.GetFiles(job.Output + ".checkpoints"), Has.Length.EqualTo(1));
    }

    [Test]
    public void On_a_full_disk_it_says_so_and_leaves_nothing_half_written()
    {
        var job = Job(2);
        string jobPath = SidecarHarness.WriteJob(_folder, job);
        var before = Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories);

        // No file may grow beyond 16 KiB; writes beyond fail as they do on a full disk.
        var process = Start(
            "/bin/bash", "-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" tune --job \"$1\"", Executable, jobPath);
        var last = ReadUntil(process, static _ => false);
        process.WaitForExit();

        Assert.That(process.ExitCode, Is.EqualTo(1));
        Assert.That(last, Is.TypeOf<SidecarError>());
        Assert.That(((SidecarError)last!).Code, Is.Not.EqualTo("internal"), ((SidecarError)last).Message);
        Assert.That(Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories), Is.EquivalentTo(before));
    }

    [Test]
    public void Doctor_says_what_tuning_works_with()
    {
        var process = Start(Executable, "doctor");
        var diagnosis = ReadUntil(process, static _ => false) as SidecarDiagnosis;
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero);
        Assert.That(diagnosis, Is.Not.Null);
        Assert.That(diagnosis!.Torch, Does.StartWith("2."));
        Assert.That(diagnosis.Threads, Is.GreaterThan(0));
        Assert.That(diagnosis.Bfloat16Speedup, Is.GreaterThan(0));
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
