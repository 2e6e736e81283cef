using Shad.Core.Errors;

namespace Shad.Cli.Commands;

/// <summary>Every error of the command line itself.</summary>
internal static class CommandErrors
{
    public static ShadException BundledModelMissing(string baseFolder) => new(
        "demo.model_missing",
        "The bundled model models/shad-mini was not found beside the program nor in a folder above it",
        baseFolder, mend: "Name a model folder with --model");

    public static ShadException FileMissing(string file) => new(
        "file.missing", "There is no such file", file, mend: "Check the path");

    public static ShadException TooManyProbes(int count) => new(
        "score.too_many_probes", $"{count} probes are named", "--probe",
        "at most two: the probe, then its aligned control");

    public static ShadException NothingEncoded(IEnumerable<string> files) => new(
        "corpus.nothing_fits", "No sample of the corpus fits the context", string.Join(", ", files),
        mend: "Raise --max-length, or use a model with a longer context");

    public static ShadException OutputIsInput(string path) => new(
        "output.is_input", "The output is one of the inputs", path, mend: "Choose another name with --out");

    public static ShadException RolesMissing(string sample) => new(
        "tune.role_missing", $"The sample '{sample}' has no roles", "--data", "roles for every sample with the objectives rft and mask",
        "Make them with 'shad score' and 'shad annotate', or use --objective sft");

    public static ShadException WeightsNeedOutput(string format) => new(
        "export.needs_output", $"{format} weights are no part of the model folder", "--weights", "--out with them",
        "Name a folder for the variant with --out");

    public static ShadException VariantIsChecked() => new(
        "export.variant_is_checked", "A variant is not written unchecked: how far its losses are off is part of it", "--no-check", "no --out with it",
        "Leave one of them out");

    public static ShadException NoGenAI() => new(
        "eval.no_genai", "This build has no onnxruntime-genai", "--generator", "own",
        "Build with -p:ShadGenAI=true; scripts/make-genai-package makes the package where the feed has none");
}
