using System.Globalization;
using Shad.Cli.Recipes;
using Shad.Core.Errors;

namespace Shad.Cli.Runs;

/// <summary>
/// The folder of a run: the resolved recipe, one folder a stage, <c>events.jsonl</c> and <c>report.html</c>. Locked for one
/// process; the lock ends with the process, however it ends.
/// </summary>
/// <remarks>
/// A stage works in <c>.STAGE.partial</c>. Its commit is: write <c>stage.json</c> there (the stage is whole from now on), move a former
/// <c>STAGE</c> to <c>.STAGE.old</c>, rename <c>.STAGE.partial</c> to <c>STAGE</c>, delete <c>.STAGE.old</c>. <see cref="Recover"/> ends a commit that
/// was killed between any two of these steps.
/// </remarks>
public sealed class RunFolder : IDisposable
{
    /// <summary>Name of the resolved recipe.</summary>
    public const string RecipeFile = "recipe.yaml";

    /// <summary>Name of the events file.</summary>
    public const string EventsFile = "events.jsonl";

    /// <summary>Name of the report.</summary>
    public const string ReportFile = "report.html";

    private readonly FileStream _lock;

    private RunFolder(string path, FileStream lockStream)
    {
        Path = path;
        _lock = lockStream;
        Hashes = new ContentHashes(System.IO.Path.Combine(path, ".hashes.json"));
        Events = EventLog.Append(System.IO.Path.Combine(path, EventsFile));
    }

    /// <summary>The folder, absolute.</summary>
    public string Path { get; }

    /// <summary>The run's events.</summary>
    public EventLog Events { get; }

    /// <summary>Hashes of inputs and outputs.</summary>
    public ContentHashes Hashes { get; }

    /// <summary>The report's path.</summary>
    public string Report => PathOf(ReportFile);

    /// <summary>Opens a run folder, making it where there is none, and locks it.</summary>
    /// <exception cref="ShadException">Another process has it (<c>run.in_use</c>), or it cannot be written.</exception>
    public static RunFolder Open(string path)
    {
        string full = System.IO.Path.GetFullPath(path);
        FileStream? lockStream = null;
        try
        {
            Directory.CreateDirectory(full);
            lockStream = Lock(full);
            var run = new RunFolder(full, lockStream);
            run.Recover();
            return run;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            lockStream?.Dispose();
            throw RunErrors.CannotWrite(full, e);
        }
    }

    /// <summary>Opens a run folder that must be there already.</summary>
    /// <exception cref="ShadException">It is none (<c>run.not_a_run_folder</c>), or as for <see cref="Open"/>.</exception>
    public static RunFolder OpenExisting(string path) =>
        File.Exists(System.IO.Path.Combine(path, RecipeFile)) ? Open(path) : throw RunErrors.NotARunFolder(path);

    /// <summary>A path in the run folder.</summary>
    public string PathOf(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>A stage's folder. Whole where it holds <c>stage.json</c>.</summary>
    public string StageFolder(string stage) => PathOf(stage);

    /// <summary>Where a stage works until it is done.</summary>
    public string PartialFolder(string stage) => PathOf($".{stage}.partial");

    /// <summary>The record of a stage; null where it is not done.</summary>
    public StageRecord? RecordOf(string stage) => StageRecord.Read(StageFolder(stage));

    /// <summary>The record of a stage that must be done.</summary>
    /// <exception cref="ShadException">It is not.</exception>
    public StageRecord RequireRecord(string stage) => RecordOf(stage) ?? throw RunErrors.StageMissing(Path, stage);

    /// <summary>Writes the resolved recipe.</summary>
    public void WriteRecipe(Recipe recipe) => AtomicText.Write(PathOf(RecipeFile), RecipeWriter.ToYaml(recipe));

    /// <summary>Puts a partial folder with its record in the stage's place.</summary>
    internal void Commit(string stage)
    {
        string partial = PartialFolder(stage), final = StageFolder(stage), old = OldFolder(stage);
        if (Directory.Exists(final)) Directory.Move(final, old);
        Directory.Move(partial, final);
        Hashes.Renamed(partial, final);
        if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
    }

    /// <summary>Deletes everything a run has written here, but not the folder, its lock and its events.</summary>
    public void Clear()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path).ToList())
        {
            string name = System.IO.Path.GetFileName(folder);
            if (File.Exists(System.IO.Path.Combine(folder, StageRecord.FileName)) || name.EndsWith(".partial", StringComparison.Ordinal))
                Directory.Delete(folder, recursive: true);
        }

        File.Delete(Report);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Events.Dispose();
        _lock.Dispose();
    }

    /// <summary>Ends commits that were killed on the way.</summary>
    private void Recover()
    {
        foreach (string partial in Directory.EnumerateDirectories(Path, ".*.partial").ToList())
        {
            string stage = System.IO.Path.GetFileName(partial)[1..^".partial".Length];
            if (!File.Exists(System.IO.Path.Combine(partial, StageRecord.FileName))) continue;
            if (Directory.Exists(OldFolder(stage)) && Directory.Exists(StageFolder(stage)))
                Directory.Delete(OldFolder(stage), recursive: true);
            Commit(stage);
        }

        foreach (string old in Directory.EnumerateDirectories(Path, ".*.old").ToList())
        {
            string stage = System.IO.Path.GetFileName(old)[1..^".old".Length];
            if (Directory.Exists(StageFolder(stage))) Directory.Delete(old, recursive: true);
            else Directory.Move(old, StageFolder(stage));
        }
    }

    private string OldFolder(string stage) => PathOf($".{stage}.old");

    private static FileStream Lock(string folder)
    {
        string path = System.IO.Path.Combine(folder, ".lock");
        FileStream stream;
        try
        {
            // An advisory lock of the system (flock): it ends with the process, and a child process does not inherit it.
            stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw RunErrors.InUse(folder, OwnerOf(folder));
        }

        // In a file of its own: nobody else may read the locked one.
        File.WriteAllText(OwnerFile(folder), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        return stream;
    }

    private static string OwnerFile(string folder) => System.IO.Path.Combine(folder, ".owner");

    private static string? OwnerOf(string folder)
    {
        try
        {
            return File.ReadAllText(OwnerFile(folder)) is { Length: > 0 } text ? text : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
