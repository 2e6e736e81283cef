using Shad.Core.Errors;

namespace Shad.Cli.Commands;

/// <summary>Every error of the command line itself.</summary>
internal static class CommandErrors
{
    public static ShadException BundledModelMissing(string baseFolder) => new(
        "demo.model_missing",
        "The bundled model models/shad-mini was not found beside the program nor in a folder above it",
        baseFolder, mend: "Name a model folder with --model");

    public static ShadException OutputExists(string path) => new(
        "output.exists", "The output exists already and was not written by this command", path,
        mend: "Choose another name, or delete it first");
}
