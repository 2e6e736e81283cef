using Shad.Core.Errors;

namespace Shad.Sidecar;

/// <summary>Every error a user of the sidecar can cause, in one place.</summary>
internal static class SidecarErrors
{
    public static ShadException LibraryMissing(string path) => new(
        "sidecar.library_missing", "the native library is missing", path,
        "libtorch beside the sidecar", "Build src/Shad.Sidecar for this system again");

    public static ShadException LibraryNotLoaded(string path, Exception inner) => new(
        "sidecar.library_not_loaded", $"the native library does not load: {inner.Message}", path,
        "a 64-bit system with glibc 2.34 or newer", "Run `shad doctor` for what this system has", inner);

    public static ShadException LibraryDoesNotFit(string path, string symbol, Exception inner) => new(
        "sidecar.library_does_not_fit", $"the libtorch that was loaded before it lacks the symbol {symbol}", path,
        "a libtorch of the version that this TorchSharp was built against",
        $"Unset {Native.TorchLibraries.FolderVariable} or set it to a libtorch of another version", inner);

    public static ShadException NoCuda(string why, string mend) => new(
        "sidecar.no_cuda", $"CUDA cannot be used: {why}", "job field 'device'", "a libtorch with CUDA, a driver and a device", mend);

    public static ShadException DeviceMemory(Exception inner) => new(
        "tune.device_memory", $"the GPU's memory does not hold the tune: {inner.Message.Split('\n')[0]}", null,
        "memory for the weights, the optimizer and a micro-batch",
        "Take fewer tokens_per_batch, gradient_checkpointing, fewer last_layers or lora, or use device cpu", inner);

    public static ShadException LibraryNotRepaired(string path, Exception inner) => new(
        "sidecar.library_not_repaired",
        $"the host's libstdc++ is older than the library needs, and the repaired copy cannot be made: {inner.Message}", path,
        mend: "Free space in the cache folder (XDG_CACHE_HOME), or install libstdc++ of GCC 13 or newer", inner: inner);

    public static ShadException Usage(string what) => new(
        "sidecar.usage", what, null, "`Shad.Sidecar tune|score --job FILE [--end-with-stdin]` or `Shad.Sidecar doctor`", null);

    public static ShadException JobMissing(string path) => new(
        "job.missing", "the job file does not exist", path);

    public static ShadException JobUnreadable(string path, Exception inner) => new(
        "job.unreadable", $"the job is not valid: {inner.Message}", path,
        "one JSON object with the fields of the sidecar's job, in snake_case", null, inner);

    public static ShadException JobValue(string field, object? value, string expected) => new(
        "job.value", $"the value {value ?? "null"} cannot be used", $"job field '{field}'", expected);

    public static ShadException FileMissing(string field, string path) => new(
        "job.file_missing", "the file does not exist", path, $"the file that job field '{field}' names");

    public static ShadException OutputExists(string path) => new(
        "tune.output_exists", "the output folder exists and is not an earlier output of this job", path,
        "a folder that does not exist yet", "Name another output folder or remove this one");

    public static ShadException NoSamples(string path, int skipped, int maximumLength) => new(
        "tune.no_samples",
        skipped == 0
            ? "there is no sample"
            : $"no sample is left: {skipped} were skipped because their responses do not fit in {maximumLength} tokens",
        path, "at least one sample with a response token",
        skipped == 0 ? null : "Raise maximum_length");

    public static ShadException RoleMissing(string path, string sample, int token) => new(
        "tune.role_missing", $"response token {token} of sample '{sample}' has no role", path,
        "a role for every response token, which the objectives 'rft' and 'mask' go by", "Run `shad annotate` first, or use objective 'sft'");

    public static ShadException WeightMissing(string path, string sample) => new(
        "tune.weight_missing", $"sample '{sample}' has no weights", path,
        "a `weight` list for every sample, which the objective 'weighted' needs", "Annotate the corpus, or use objective 'sft'");

    public static ShadException WeightUnusable(string path, string sample, int token, float weight) => new(
        "tune.weight_unusable", $"token {token} of sample '{sample}' has weight {weight}", path, "a finite number, at least 0");

    public static ShadException NonFinite(int step, string what, IEnumerable<string> samples, string? checkpoint) => new(
        "tune.non_finite", $"the {what} of step {step} is not a finite number; its samples are {Listed(samples)}", null,
        "finite numbers",
        (checkpoint is null ? "Nothing was written" : $"The last good checkpoint is kept: {checkpoint}")
            + ". Lower the learning rate, or look at these samples");

    public static ShadException DoesNotFit(string needed, string free, IReadOnlyList<string> ways) => new(
        "tune.memory", $"the tune needs about {needed} of memory; {free} may be taken", null, "memory for the largest micro-batch",
        ways.Count > 0
            ? "One of these fits: " + string.Join("; ", ways)
            : "Tune fewer layers (last_layers), cut long samples (maximum_length), or use a machine with more memory");

    public static ShadException NotWritten(string path, Exception inner) => new(
        "sidecar.not_written", $"writing failed: {inner.Message}", path, "room on the disk and the right to write there",
        "Nothing half-written was left; free space and run the job again, it continues from its last checkpoint", inner);

    public static ShadException LongerThanContext(string path, string sample, int length, int context) => new(
        "score.longer_than_context", $"sample '{sample}' has {length} tokens", path, $"at most the model's context of {context} tokens",
        "Cut the sample");

    public static ShadException LossNotFinite(string path, string sample, int token) => new(
        "score.non_finite", $"the loss of token {token} of sample '{sample}' is not a finite number", path, "finite losses",
        "The model's weights are damaged or too large for float32");

    private static string Listed(IEnumerable<string> samples)
    {
        var names = samples.Take(17).ToList();
        string text = string.Join(", ", names.Take(16).Select(name => $"'{name}'"));
        return names.Count > 16 ? text + ", …" : text;
    }
}
