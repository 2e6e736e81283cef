using System.Text.Json.Nodes;
using Shad.Cli.Runs;
using Shad.Core.Errors;

namespace Shad.Cli.Tests.Runs;

public sealed class RunExecutorTests
{
    private TemporaryFolder _folder = null!;
    private string _input = "";
    private readonly List<RunEvent> _events = [];

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _input = _folder.Write("input.txt", "in");
        _events.Clear();
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public async Task A_stage_whose_inputs_have_not_changed_is_not_run_again()
    {
        var stage = new CopyStage("copy", _input);
        await RunAsync(stage);
        await RunAsync(stage);

        Assert.That(stage.Runs, Is.EqualTo(1));
        Assert.That(Output("copy"), Is.EqualTo("in"));
        Assert.That(_events.OfType<StageSkipped>().Count(), Is.EqualTo(1));
    }

    [Test]
    public async Task A_stage_runs_again_when_the_content_of_an_input_has_changed()
    {
        var stage = new CopyStage("copy", _input);
        await RunAsync(stage);
        File.WriteAllText(_input, "other");
        await RunAsync(stage);

        Assert.That(stage.Runs, Is.EqualTo(2));
        Assert.That(Output("copy"), Is.EqualTo("other"));
        Assert.That(_events.OfType<StageStarted>().Select(started => started.Reason), Is.EqualTo(new[] { "new", "inputs changed" }));
    }

    [Test]
    public async Task A_file_that_was_only_touched_has_not_changed()
    {
        var stage = new CopyStage("copy", _input);
        await RunAsync(stage);
        File.SetLastWriteTimeUtc(_input, DateTime.UtcNow.AddHours(1));
        await RunAsync(stage);

        Assert.That(stage.Runs, Is.EqualTo(1));
    }

    [Test]
    public async Task A_stage_runs_again_when_its_settings_or_its_version_have_changed()
    {
        await RunAsync(new CopyStage("copy", _input));
        var other = new CopyStage("copy", _input) { Setting = 2 };
        await RunAsync(other);
        var newer = new CopyStage("copy", _input) { Setting = 2, StageVersion = 2 };
        await RunAsync(newer);

        Assert.That((other.Runs, newer.Runs), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_stage_runs_again_when_an_output_was_changed_or_deleted()
    {
        var stage = new CopyStage("copy", _input);
        await RunAsync(stage);
        File.WriteAllText(_folder.PathOf("run", "copy", "out.txt"), "tampered");
        await RunAsync(stage);
        File.Delete(_folder.PathOf("run", "copy", "out.txt"));
        await RunAsync(stage);

        Assert.That(stage.Runs, Is.EqualTo(3));
        Assert.That(Output("copy"), Is.EqualTo("in"));
        Assert.That(_events.OfType<StageStarted>().Last().Reason, Is.EqualTo("outputs changed"));
    }

    [Test]
    public async Task An_output_outside_the_stage_folder_counts_as_well()
    {
        var stage = new CopyStage("copy", _input) { Elsewhere = _folder.PathOf("run", "elsewhere.txt") };
        await RunAsync(stage);
        await RunAsync(stage);
        Assert.That(stage.Runs, Is.EqualTo(1));

        File.Delete(stage.Elsewhere);
        await RunAsync(stage);
        Assert.That(stage.Runs, Is.EqualTo(2));
    }

    [Test]
    public async Task Later_stages_run_again_only_when_what_they_read_has_changed()
    {
        var first = new CopyStage("first", _input);
        var second = new CopyStage("second", _folder.PathOf("run", "first", "out.txt"));
        await RunAsync(first, second);
        first.Setting = 5;
        await RunAsync(first, second);

        Assert.That(first.Runs, Is.EqualTo(2), "its settings changed");
        Assert.That(second.Runs, Is.EqualTo(1), "the first stage wrote the same again");
    }

    [Test]
    public async Task A_stage_that_fails_leaves_nothing_and_the_former_output_stays()
    {
        var stage = new CopyStage("copy", _input);
        await RunAsync(stage);
        stage.Setting = 2;
        stage.Fail = new ShadException("test.failed", "It failed");

        await Assert.ThatAsync(() => RunAsync(stage), Throws.TypeOf<ShadException>().With.Property("Code").EqualTo("test.failed"));
        Assert.That(Output("copy"), Is.EqualTo("in"));
        Assert.That(Directory.Exists(_folder.PathOf("run", ".copy.partial")), Is.False);
        Assert.That(_events.OfType<StageFailed>().Single().Code, Is.EqualTo("test.failed"));

        stage.Fail = null;
        await RunAsync(stage);
        Assert.That(stage.Runs, Is.EqualTo(3));
    }

    [Test]
    public async Task A_resumable_stage_finds_what_it_had_written_but_not_after_its_inputs_changed()
    {
        var stage = new CopyStage("copy", _input) { Resumable = true, Fail = new OperationCanceledException() };
        await Assert.ThatAsync(() => RunAsync(stage), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(stage.FoundAtStart, Is.Empty);
        await Assert.ThatAsync(() => RunAsync(stage), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(stage.FoundAtStart, Is.EqualTo(new[] { "out.txt" }));

        File.WriteAllText(_input, "other");
        stage.Fail = null;
        await RunAsync(stage);
        Assert.That(stage.FoundAtStart, Is.Empty);
        Assert.That(Output("copy"), Is.EqualTo("other"));
    }

    [Test]
    public async Task The_record_says_what_the_stage_was_run_with()
    {
        await RunAsync(new CopyStage("copy", _input));
        StageRecord record = StageRecord.Read(_folder.PathOf("run", "copy"))!;

        Assert.Multiple(() =>
        {
            Assert.That(record.Stage, Is.EqualTo("copy"));
            Assert.That(record.Outputs.Keys, Is.EqualTo(new[] { "out.txt" }));
            Assert.That(record.Inputs["in"], Is.EqualTo("582967534d0f909d196b97f9e6921342777aea87b46fa52df165389db1fb8ccf"), "SHA-256 of 'in'");
            Assert.That(record.Environment, Is.EqualTo(EnvironmentRecord.Current));
            Assert.That(record.Warnings.Single().Code, Is.EqualTo("test.warning"));
            Assert.That(record.Result!["answer"]!.GetValue<int>(), Is.EqualTo(42));
            Assert.That(record.Seconds, Is.GreaterThan(0));
        });
    }

    [Test]
    public async Task An_input_that_does_not_exist_is_named()
    {
        var stage = new CopyStage("copy", _folder.PathOf("none"));
        ShadException error = (await Assert.ThrowsAsync<ShadException>(() => RunAsync(stage)))!;
        Assert.That(error.Code, Is.EqualTo("run.input_missing"));
    }

    [Test]
    public async Task Events_are_kept_one_JSON_object_a_line()
    {
        await RunAsync(new CopyStage("copy", _input));
        JsonNode[] lines = [.. File.ReadLines(_folder.PathOf("run", "events.jsonl")).Select(line => JsonNode.Parse(line)!)];

        Assert.That(
            lines.Select(line => line["event"]!.ToString()),
            Is.EqualTo(new[] { "run_started", "stage_started", "warning", "stage_done", "run_done" }));
        foreach (JsonNode line in lines) Assert.That(DateTimeOffset.TryParse(line["time"]!.ToString(), out _));
        Assert.That(lines[0]["environment"]!["cores"]!.GetValue<int>(), Is.GreaterThan(0));
        Assert.That(lines[0]["seed"]!.GetValue<int>(), Is.EqualTo(7));
    }

    private string Output(string stage) => File.ReadAllText(_folder.PathOf("run", stage, "out.txt"));

    private async Task RunAsync(params Stage[] stages)
    {
        using RunFolder run = RunFolder.Open(_folder.PathOf("run"));
        await new RunExecutor(run, _events.Add).ExecuteAsync("test", 7, stages, CancellationToken.None);
    }
}

/// <summary>Copies a file and counts how often.</summary>
internal sealed class CopyStage(string name, string input) : Stage
{
    public override string Name => name;

    public override string Title => "Copy";

    public override int Version => StageVersion;

    public override bool IsResumable => Resumable;

    public int StageVersion { get; init; } = 1;

    public bool Resumable { get; init; }

    public int Setting { get; set; }

    public int Runs { get; private set; }

    public Exception? Fail { get; set; }

    public string? Elsewhere { get; init; }

    public string[] FoundAtStart { get; private set; } = [];

    public override StageInputs Inputs(RunFolder run) =>
        new(new JsonObject { ["setting"] = Setting }, new Dictionary<string, string> { ["in"] = input });

    public override Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        Runs++;
        FoundAtStart = [.. Directory.EnumerateFiles(context.Folder).Select(file => Path.GetFileName(file)!).Where(file => file[0] != '.')];
        context.Warn("test.warning", "A warning");
        File.Copy(input, context.PathOf("out.txt"), overwrite: true);
        if (Elsewhere is not null) File.Copy(input, Elsewhere, overwrite: true);
        if (Fail is not null) throw Fail;
        return Task.FromResult(new StageOutcome
        {
            Result = new JsonObject { ["answer"] = 42 }, OutputsElsewhere = Elsewhere is null ? [] : [Elsewhere],
        });
    }
}
