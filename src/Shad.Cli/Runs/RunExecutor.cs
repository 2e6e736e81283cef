using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Core.Errors;

namespace Shad.Cli.Runs;

/// <summary>Runs stages one after the other in a run folder: those whose inputs have not changed are not run again.</summary>
/// <param name="run">The run folder.</param>
/// <param name="observe">Receives every event, after <c>events.jsonl</c>; called from several threads.</param>
public sealed class RunExecutor(RunFolder run, Action<RunEvent>? observe = null)
{
    private const string StartedFile = ".started.json";

    /// <summary>Runs all stages.</summary>
    /// <exception cref="ShadException">A stage failed; what it had done stays where the stage can go on from it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; as above.</exception>
    public async Task ExecuteAsync(string name, ulong seed, IReadOnlyList<Stage> stages, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stages);
        long started = Stopwatch.GetTimestamp();
        Observe(new RunStarted(name, run.Path, [.. stages.Select(stage => stage.Name)], seed, EnvironmentRecord.Current));
        foreach (Stage stage in stages) await ExecuteAsync(stage, cancellationToken).ConfigureAwait(false);
        run.Hashes.Save();
        Observe(new RunDone(Stopwatch.GetElapsedTime(started).TotalSeconds));
    }

    private async Task ExecuteAsync(Stage stage, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            StageInputs inputs = stage.Inputs(run);
            Dictionary<string, string> hashes = await HashInputsAsync(stage, inputs, cancellationToken).ConfigureAwait(false);
            string fingerprint = Fingerprint(stage, inputs, hashes);

            StageRecord? record = run.RecordOf(stage.Name);
            string reason = record is null ? "new" : record.Fingerprint != fingerprint ? "inputs changed" : "outputs changed";
            if (record?.Fingerprint == fingerprint && await AreOutputsIntactAsync(record, cancellationToken).ConfigureAwait(false))
            {
                Observe(new StageSkipped(stage.Name, stage.Title, record.Seconds));
                return;
            }

            StageStart start = PreparePartialFolder(stage, fingerprint);
            Observe(new StageStarted(stage.Name, stage.Title, start.Seconds > 0 ? "continued" : reason));
            await WorkAsync(stage, inputs, hashes, fingerprint, start, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Observe(new StageFailed(stage.Name, "interrupted", "Interrupted"));
            throw;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            ShadException error = RunErrors.CannotWrite(run.Path, e);
            Observe(new StageFailed(stage.Name, error.Code, error.Message));
            throw error;
        }
        catch (Exception e)
        {
            Observe(new StageFailed(stage.Name, (e as ShadException)?.Code ?? "internal", e.Message));
            throw;
        }
    }

    private async Task WorkAsync(
        Stage stage, StageInputs inputs, Dictionary<string, string> hashes, string fingerprint, StageStart start,
        CancellationToken cancellationToken)
    {
        DateTimeOffset startedAt = DateTimeOffset.Now;
        long clock = Stopwatch.GetTimestamp();
        string partial = run.PartialFolder(stage.Name);
        var context = new StageContext(run, stage.Name, partial, Observe);
        StageOutcome outcome;
        double seconds;
        try
        {
            outcome = await stage.RunAsync(context, cancellationToken).ConfigureAwait(false);
            seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
            File.Delete(Path.Combine(partial, StartedFile));
            await CompleteAsync(outcome).ConfigureAwait(false);
        }
        catch
        {
            // What a stage can go on from stays, with the time it took so far; anything else would only be in the way.
            if (!stage.IsResumable) TryDelete(partial);
            else if (Directory.Exists(partial))
                WriteStart(partial, start with { Seconds = start.Seconds + Stopwatch.GetElapsedTime(clock).TotalSeconds });
            throw;
        }

        Observe(new StageDone(stage.Name, seconds, outcome.Summary));

        async Task CompleteAsync(StageOutcome done)
        {
            var outputs = new SortedDictionary<string, string>(StringComparer.Ordinal);
            IEnumerable<string> files = Directory.EnumerateFiles(partial, "*", SearchOption.AllDirectories).Concat(done.OutputsElsewhere);
            foreach (string file in files)
            {
                string place = Path.GetRelativePath(partial, file).Replace('\\', '/');
                outputs[place] = await run.Hashes.OfAsync(file, cancellationToken).ConfigureAwait(false);
            }

            var record = new StageRecord
            {
                Stage = stage.Name,
                Fingerprint = fingerprint,
                Settings = inputs.Settings,
                Inputs = hashes,
                Outputs = outputs,
                StartedAt = startedAt,
                Seconds = start.Seconds + seconds,
                Tokens = done.Tokens,
                Summary = done.Summary,
                Warnings = context.Warnings,
                Result = done.Result,
                Environment = EnvironmentRecord.Current,
            };
            AtomicText.Write(Path.Combine(partial, StageRecord.FileName), JsonSerializer.Serialize(record, RunJson.Indented));
            run.Commit(stage.Name);
        }
    }

    /// <summary>Empties the partial folder, unless the stage was begun there with the same inputs and can go on.</summary>
    private StageStart PreparePartialFolder(Stage stage, string fingerprint)
    {
        string partial = run.PartialFolder(stage.Name);
        if (stage.IsResumable && ReadStart(partial) is { } start && start.Fingerprint == fingerprint) return start;
        if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
        Directory.CreateDirectory(partial);
        start = new StageStart(fingerprint, 0);
        WriteStart(partial, start);
        return start;
    }

    private async Task<Dictionary<string, string>> HashInputsAsync(Stage stage, StageInputs inputs, CancellationToken cancellationToken)
    {
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, string path) in inputs.Files.OrderBy(file => file.Key, StringComparer.Ordinal))
        {
            if (!File.Exists(path) && !Directory.Exists(path)) throw RunErrors.InputMissing(stage.Name, name, path);
            hashes[name] = await run.Hashes.OfAsync(path, cancellationToken).ConfigureAwait(false);
        }

        return hashes;
    }

    private async Task<bool> AreOutputsIntactAsync(StageRecord record, CancellationToken cancellationToken)
    {
        string folder = run.StageFolder(record.Stage);
        foreach ((string place, string hash) in record.Outputs)
        {
            string path = Path.Combine(folder, place);
            if (!File.Exists(path) || await run.Hashes.OfAsync(path, cancellationToken).ConfigureAwait(false) != hash) return false;
        }

        return true;
    }

    private static string Fingerprint(Stage stage, StageInputs inputs, Dictionary<string, string> hashes)
    {
        var content = new JsonObject
        {
            ["stage"] = stage.Name,
            ["version"] = stage.Version,
            ["settings"] = inputs.Settings.DeepClone(),
            ["files"] = JsonSerializer.SerializeToNode(hashes),
        };
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content.ToJsonString())));
    }

    private void Observe(RunEvent item)
    {
        run.Events.Write(item);
        observe?.Invoke(item);
    }

    private static StageStart? ReadStart(string partial)
    {
        try
        {
            string path = Path.Combine(partial, StartedFile);
            return File.Exists(path) ? JsonSerializer.Deserialize<StageStart>(File.ReadAllText(path), RunJson.Line) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void WriteStart(string partial, StageStart start) =>
        AtomicText.Write(Path.Combine(partial, StartedFile), JsonSerializer.Serialize(start, RunJson.Line));

    private static void TryDelete(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // The next run empties it; the error that brought us here matters more.
        }
    }

    /// <summary>What a partial folder was begun with.</summary>
    /// <param name="Fingerprint">Hash of the inputs.</param>
    /// <param name="Seconds">Time spent by processes that ended in an orderly way before the stage did.</param>
    private sealed record StageStart(string Fingerprint, double Seconds);
}
