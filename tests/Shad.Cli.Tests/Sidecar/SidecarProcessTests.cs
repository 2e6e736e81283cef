using System.Diagnostics;
using Shad.Cli.Sidecar;
using Shad.Core.Errors;
using Shad.Core.Tuning;

namespace Shad.Cli.Tests.Sidecar;

/// <summary>The client against scripts that play the sidecar.</summary>
[Platform(Exclude = "Win")]
public sealed class SidecarProcessTests
{
    private TemporaryFolder _folder = null!;
    private readonly List<SidecarEvent> _events = [];

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _events.Clear();
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public async Task Events_come_in_order_and_done_is_the_result()
    {
        SidecarProcess sidecar = Sidecar(
            """
            echo "a human log line" >&2
            echo '{"event":"started","samples":3,"steps":2,"tuned_parameters":10,"parameters":20}'
            echo '{"event":"progress","step":1,"steps":2,"loss":1.5}'
            echo 'a library prints to stdout'
            echo '{"event":"progress","step":2,"steps":2,"loss":"NaN"}'
            echo "{\"event\":\"done\",\"output\":\"$1 $2 $3\",\"steps\":2}"
            """);
        TuneDone done = await RunAsync(sidecar);

        Assert.That(done.Output, Is.EqualTo("tune --job job.json"));
        Assert.That(
            _events.Select(item => item.GetType()),
            Is.EqualTo(new[] { typeof(TuneStarted), typeof(TuneProgress), typeof(TuneProgress), typeof(TuneDone) }));
        Assert.That(File.ReadAllLines(Log), Is.EquivalentTo(new[] { "a human log line", "a library prints to stdout" }));
        Assert.That(File.Exists(_folder.PathOf("sidecar.pid")), Is.False);
    }

    [Test]
    public async Task An_error_event_becomes_the_error() => Assert.That(
        (await Assert.ThrowsAsync<ShadException>(() => RunAsync(Sidecar(
            """
            echo '{"event":"error","code":"tune.non_finite","message":"The loss of step 3 is not a number."}'
            exit 1
            """))))!,
        Has.Property("Code").EqualTo("tune.non_finite").And.Message.EqualTo("The loss of step 3 is not a number."));

    [Test]
    public async Task A_crash_without_an_error_event_shows_the_end_of_the_log()
    {
        ShadException error = (await Assert.ThrowsAsync<ShadException>(() => RunAsync(Sidecar(
            """
            for i in $(seq 1 100); do echo "line $i" >&2; done
            exit 7
            """))))!;
        Assert.That(error.Code, Is.EqualTo("sidecar.crashed"));
        Assert.That(error.Message, Does.Contain("exit code 7").And.Contain("line 100").And.Not.Contain("line 50\n").And.Contain(Log));
        Assert.That(File.ReadAllLines(Log), Has.Length.EqualTo(100));
    }

    [Test]
    public async Task Death_by_a_signal_is_named() => Assert.That(
        (await Assert.ThrowsAsync<ShadException>(() => RunAsync(Sidecar("kill -SEGV $$"))))!.Message, Does.Contain("signal 11"));

    [Test]
    public async Task Exit_code_0_without_a_result_is_an_error() => Assert.That(
        (await Assert.ThrowsAsync<ShadException>(() => RunAsync(Sidecar("exit 0"))))!.Code, Is.EqualTo("sidecar.crashed"));

    [Test]
    public async Task Cancelling_interrupts_the_sidecar_and_waits_for_its_checkpoint()
    {
        SidecarProcess sidecar = Sidecar(
            $$"""
            trap 'echo "saved" > "{{_folder.PathOf("checkpoint")}}"; echo "{\"event\":\"error\",\"code\":\"interrupted\",\"message\":\"x\"}"; exit 130' TERM INT
            echo '{"event":"progress","step":1,"steps":2,"loss":1}'
            while true; do sleep 0.05; done
            """);
        using var stop = new CancellationTokenSource();
        await Assert.ThatAsync(
            () => sidecar.RunAsync("tune", "job.json", Log, _ => stop.Cancel(), stop.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(File.ReadAllText(_folder.PathOf("checkpoint")), Is.EqualTo("saved\n"));
    }

    [Test]
    public async Task A_sidecar_that_ignores_the_interrupt_is_killed()
    {
        var sidecar = new SidecarProcess(Script(
            """
            trap '' TERM INT
            echo '{"event":"progress","step":1,"steps":2,"loss":1}'
            while true; do sleep 0.05; done
            """)) { InterruptGrace = TimeSpan.FromMilliseconds(300) };
        using var stop = new CancellationTokenSource();
        await Assert.ThatAsync(
            () => sidecar.RunAsync("tune", "job.json", Log, _ => stop.Cancel(), stop.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_sidecar_left_behind_by_a_killed_run_is_ended_before_the_next_begins()
    {
        using Process orphan = Process.Start(Script(
            $$"""
            trap 'echo "ended" > "{{_folder.PathOf("orphan")}}"; exit 130' TERM
            while true; do sleep 0.05; done
            """, "orphan.sh"));
        await Task.Delay(300);
        File.WriteAllText(_folder.PathOf("sidecar.pid"), $"{orphan.Id} {orphan.StartTime.ToUniversalTime().Ticks}");

        await RunAsync(Sidecar($"cat \"{_folder.PathOf("orphan")}\" >&2; echo '{{\"event\":\"done\",\"output\":\"x\"}}'"));

        Assert.That(File.ReadAllText(Log), Is.EqualTo("ended\n"), "the orphan had ended when the sidecar began");
        Assert.That(orphan.HasExited);
    }

    [Test]
    public async Task A_process_that_only_has_the_number_of_a_former_sidecar_is_left_alone()
    {
        using Process other = Process.Start("sleep", "30");
        File.WriteAllText(_folder.PathOf("sidecar.pid"), $"{other.Id} {DateTime.UtcNow.AddHours(-1).Ticks}");
        try
        {
            await RunAsync(Sidecar("echo '{\"event\":\"done\",\"output\":\"x\"}'"));
            Assert.That(other.HasExited, Is.False);
        }
        finally
        {
            other.Kill();
        }
    }

    [Test]
    public async Task What_a_receiver_throws_comes_out_and_the_sidecar_is_not_blocked()
    {
        SidecarProcess sidecar = Sidecar(
            """
            for i in $(seq 1 5000); do echo '{"event":"warning","code":"a.b","message":"a rather long message that fills the pipe in no time"}'; done
            echo '{"event":"done","output":"x"}'
            """);
        await Assert.ThatAsync(
            () => sidecar.RunAsync("tune", "job.json", Log, _ => throw new InvalidOperationException("full"), CancellationToken.None),
            Throws.InvalidOperationException.With.Message.EqualTo("full"));
    }

    [Test]
    public async Task A_sidecar_that_cannot_be_started_is_a_clear_error()
    {
        string text = _folder.Write("text", "no program");
        Assert.That((await Assert.ThrowsAsync<ShadException>(() => RunAsync(new SidecarProcess(text))))!.Code, Is.EqualTo("sidecar.cannot_start"));
    }

    [Test]
    public void The_sidecar_is_found_where_the_variable_says_beside_the_program_or_in_the_build_tree()
    {
        string named = _folder.Write("named", "");
        string beside = _folder.Write("app/sidecar/Shad.Sidecar", "");
        string built = _folder.Write("bin/Shad.Sidecar/release/Shad.Sidecar", "");
        Assert.Multiple(() =>
        {
            Assert.That(SidecarLocation.Find(named, _folder.PathOf("app")), Is.EqualTo(named));
            Assert.That(SidecarLocation.Find(null, _folder.PathOf("app")), Is.EqualTo(beside));
            Assert.That(SidecarLocation.Find("", _folder.PathOf("bin", "Shad.Cli", "release") + "/"), Is.EqualTo(built));
        });
    }

    [Test]
    public void Where_there_is_no_sidecar_the_error_says_where_it_was_looked_for()
    {
        ShadException error = Assert.Throws<ShadException>(() => SidecarLocation.Find(null, _folder.PathOf("app")))!;
        Assert.That(error.Code, Is.EqualTo("sidecar.not_found"));
        Assert.That(error.Message, Does.Contain(_folder.PathOf("app", "sidecar", "Shad.Sidecar")).And.Contain("SHAD_SIDECAR"));
        Assert.That(
            Assert.Throws<ShadException>(() => SidecarLocation.Find("/no/such/file", _folder.Path))!.Code, Is.EqualTo("sidecar.not_found"));
    }

    private string Log => _folder.PathOf("sidecar.log");

    private SidecarProcess Sidecar(string body) => new(Script(body));

    private Task<TuneDone> RunAsync(SidecarProcess sidecar) =>
        sidecar.RunAsync("tune", "job.json", Log, _events.Add, CancellationToken.None);

    private string Script(string body, string name = "sidecar.sh")
    {
        string path = _folder.Write(name, "#!/bin/bash\n" + body + "\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
