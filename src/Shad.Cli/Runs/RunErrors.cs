using Shad.Core.Errors;

namespace Shad.Cli.Runs;

/// <summary>Every error of run folders and their stages.</summary>
internal static class RunErrors
{
    public static ShadException InUse(string folder, string? owner) => new(
        "run.in_use",
        owner is null ? "Another process works on this run folder" : $"Process {owner} works on this run folder",
        folder, mend: "Wait for it to end or stop it, or give this run another name");

    public static ShadException CannotWrite(string folder, Exception inner) => new(
        "run.cannot_write", $"The run folder cannot be written: {inner.Message}", folder,
        mend: "Check free space and permissions; the run continues where it stopped", inner: inner);

    public static ShadException NotARunFolder(string folder) => new(
        "run.not_a_run_folder", "This is no run folder", folder, "a folder that 'shad run' or 'shad demo' has written, with recipe.yaml in it");

    public static ShadException StageMissing(string folder, string stage) => new(
        "run.stage_missing", $"The stage '{stage}' has not been run to its end here", folder,
        mend: $"Run it: shad run {Path.Combine(folder, RunFolder.RecipeFile)}");

    public static ShadException RecordDamaged(string path, Exception inner) => new(
        "run.record_damaged", $"The stage record cannot be read: {inner.Message}", path,
        mend: "Delete the stage's folder; it is run again", inner: inner);

    public static ShadException InputMissing(string stage, string name, string path) => new(
        "run.input_missing", $"The input '{name}' of the stage '{stage}' does not exist", path);
}
