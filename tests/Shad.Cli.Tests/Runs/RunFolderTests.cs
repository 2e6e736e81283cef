using Shad.Cli.Runs;
using Shad.Cli.Tests.Commands;
using Shad.Core.Errors;
using Shad.Models;
using Shad.Models.Weights;

namespace Shad.Cli.Tests.Runs;

public sealed class RunFolderTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void A_second_process_on_a_run_folder_is_told_who_has_it()
    {
        using RunFolder first = RunFolder.Open(_folder.Path);
        ShadException error = Assert.Throws<ShadException>(() => RunFolder.Open(_folder.Path))!;
        Assert.That(error.Code, Is.EqualTo("run.in_use"));
        Assert.That(error.Message, Does.Contain($"Process {Environment.ProcessId} "));
    }

    [Test]
    public void The_lock_ends_with_its_holder()
    {
        RunFolder.Open(_folder.Path).Dispose();
        Assert.That(() => RunFolder.Open(_folder.Path).Dispose(), Throws.Nothing);
    }

    // A commit is: record written, former folder moved away, partial folder renamed, former folder deleted. Killed after each:
    [Test]
    public async Task A_commit_killed_after_the_record_was_written_is_ended()
    {
        await WriteStageAsync("first");
        MakePartial("second");
        Assert.That(OutputAfterOpening(), Is.EqualTo("second"));
    }

    [Test]
    public async Task A_commit_killed_after_the_former_folder_was_moved_is_ended()
    {
        await WriteStageAsync("first");
        MakePartial("second");
        Directory.Move(_folder.PathOf("run", "copy"), _folder.PathOf("run", ".copy.old"));
        Assert.That(OutputAfterOpening(), Is.EqualTo("second"));
    }

    [Test]
    public async Task A_commit_killed_before_the_former_folder_was_deleted_is_ended()
    {
        await WriteStageAsync("first");
        Directory.Move(_folder.PathOf("run", "copy"), _folder.PathOf("run", ".copy.old"));
        MakePartial("second");
        Directory.Move(_folder.PathOf("run", ".copy.partial"), _folder.PathOf("run", "copy"));
        Assert.That(OutputAfterOpening(), Is.EqualTo("second"));
    }

    [Test]
    public async Task A_partial_folder_without_a_record_is_no_output()
    {
        await WriteStageAsync("first");
        Directory.CreateDirectory(_folder.PathOf("run", ".copy.partial"));
        File.WriteAllText(_folder.PathOf("run", ".copy.partial", "out.txt"), "half");
        using (RunFolder run = RunFolder.Open(_folder.PathOf("run")))
            Assert.That(File.ReadAllText(run.PathOf("copy", "out.txt")), Is.EqualTo("first"));
    }

    [Test]
    public void A_line_of_events_that_was_cut_by_a_kill_is_dropped()
    {
        _folder.Write("run/events.jsonl", "{\"event\":\"a\"}\n{\"event\":\"b\"}\n{\"eve");
        using (RunFolder run = RunFolder.Open(_folder.PathOf("run"))) run.Events.Write(new RunDone(1));
        string[] lines = File.ReadAllLines(_folder.PathOf("run", "events.jsonl"));
        Assert.That(lines, Has.Length.EqualTo(3));
        Assert.That(lines[1], Is.EqualTo("{\"event\":\"b\"}"));
        Assert.That(lines[2], Does.Contain("run_done"));
    }

    [Test]
    public void A_folder_that_is_no_run_folder_is_refused_where_one_must_exist() => Assert.That(
        Assert.Throws<ShadException>(() => RunFolder.OpenExisting(_folder.Path))!.Code, Is.EqualTo("run.not_a_run_folder"));

    [Test]
    public async Task A_damaged_record_says_how_to_mend_it()
    {
        await WriteStageAsync("first");
        File.WriteAllText(_folder.PathOf("run", "copy", "stage.json"), "{");
        using RunFolder run = RunFolder.Open(_folder.PathOf("run"));
        ShadException error = Assert.Throws<ShadException>(() => run.RecordOf("copy"))!;
        Assert.That(error.Code, Is.EqualTo("run.record_damaged"));
        Assert.That(error.Mend, Does.Contain("Delete"));
    }

    [Test]
    public async Task Clear_forgets_the_stages_and_the_report()
    {
        await WriteStageAsync("first");
        File.WriteAllText(_folder.PathOf("run", "report.html"), "");
        using RunFolder run = RunFolder.Open(_folder.PathOf("run"));
        run.Clear();
        Assert.That(Directory.Exists(run.PathOf("copy")), Is.False);
        Assert.That(File.Exists(run.Report), Is.False);
        Assert.That(run.RecordOf("copy"), Is.Null);
        Assert.That(Assert.Throws<ShadException>(() => run.RequireRecord("copy"))!.Code, Is.EqualTo("run.stage_missing"));
    }

    [Test]
    public async Task A_hash_follows_the_content_and_a_model_folder_is_its_model_files()
    {
        string model = _folder.PathOf("model");
        _folder.Write("model/config.json", "a");
        _folder.Write("model/model.safetensors", "b");
        var hashes = new ContentHashes();
        string before = await hashes.OfAsync(model, CancellationToken.None);
        _folder.Write("model/scoring.onnx", "graph");
        Assert.That(await hashes.OfAsync(model, CancellationToken.None), Is.EqualTo(before), "graphs are made from the model");
        _folder.Write("model/model.safetensors", "bb");
        Assert.That(await hashes.OfAsync(model, CancellationToken.None), Is.Not.EqualTo(before));
    }

    [Test]
    public async Task The_hash_of_a_model_stored_as_changes_follows_its_base_and_not_where_that_lies()
    {
        string Write(string name, ulong seed, string place)
        {
            string whole = _folder.PathOf(place), changes = _folder.PathOf(name);
            ModelInitializer.Write(whole, TinyModel.Config, new InitializationOptions { Seed = seed });
            using ModelFolder model = ModelFolder.Open(whole);
            int size = TinyModel.Config.HiddenSize;
            ModelFolderWriter.WriteChanges(
                changes, model, [TensorToWrite.FromFloat32(TensorNames.FinalNorm, TensorDtype.Float32, [size], () => new float[size])]);
            return changes;
        }

        var hashes = new ContentHashes();
        string one = await hashes.OfAsync(Write("a", 1, "base"), CancellationToken.None);
        Assert.That(await hashes.OfAsync(Write("b", 1, "elsewhere"), CancellationToken.None), Is.EqualTo(one));
        Assert.That(await hashes.OfAsync(Write("c", 2, "other"), CancellationToken.None), Is.Not.EqualTo(one));
    }

    private async Task WriteStageAsync(string text)
    {
        string input = _folder.Write("input.txt", text);
        using RunFolder run = RunFolder.Open(_folder.PathOf("run"));
        await new RunExecutor(run).ExecuteAsync("test", 1, [new CopyStage("copy", input)], CancellationToken.None);
    }

    /// <summary>A partial folder that is whole: as the executor leaves it before it renames.</summary>
    private void MakePartial(string text)
    {
        string partial = _folder.PathOf("run", ".copy.partial");
        Directory.CreateDirectory(partial);
        string source = Directory.Exists(_folder.PathOf("run", "copy")) ? "copy" : ".copy.old";
        File.Copy(_folder.PathOf("run", source, "stage.json"), Path.Combine(partial, "stage.json"));
        File.WriteAllText(Path.Combine(partial, "out.txt"), text);
    }

    private string OutputAfterOpening()
    {
        using RunFolder run = RunFolder.Open(_folder.PathOf("run"));
        Assert.That(Directory.EnumerateDirectories(run.Path).Select(Path.GetFileName), Is.EqualTo(new[] { "copy" }));
        return File.ReadAllText(run.PathOf("copy", "out.txt"));
    }
}
