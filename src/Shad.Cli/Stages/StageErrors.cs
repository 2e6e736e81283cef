using Shad.Core.Errors;

namespace Shad.Cli.Stages;

/// <summary>Every error of the stages themselves; models, corpora and the sidecar have their own.</summary>
internal static class StageErrors
{
    public static ShadException NothingToUse(IReadOnlyList<string> files, long skipped) => new(
        "corpus.nothing_fits",
        skipped == 1 ? "The only sample does not fit the context" : $"None of the {skipped} samples fits the context",
        string.Join(", ", files), mend: "Raise corpus.max_length, or use a model with a longer context");
}
