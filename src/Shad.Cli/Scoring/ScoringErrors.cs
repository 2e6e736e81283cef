using System.Globalization;
using Shad.Core.Classification;
using Shad.Core.Errors;

namespace Shad.Cli.Scoring;

/// <summary>Every error of scoring a corpus and of reading what was scored.</summary>
internal static class ScoringErrors
{
    public static ShadException CountDiffers(string model, long expected, long found) => new(
        "score.count_differs", $"{found} samples came back from {expected}", model, "as many losses as samples");

    public static ShadException LossesMissing(string path, string sample, string column, string mend) => new(
        "annotate.losses_missing", $"The sample '{sample}' has no {column}", path, $"'{column}' for every sample", mend);

    public static ShadException OnlyNoise(string path, double falseShare) => new(
        "annotate.only_noise",
        string.Create(
            CultureInfo.InvariantCulture,
            $"No margin up to {MarginEstimate.Largest} nats can be found: above each more than {falseShare:P0} of the tokens would be boilerplate, by the differences below zero"),
        path,
        "many more loss differences above a margin than below its negative",
        "Tune probe and control longer or on more samples (--epochs, --fraction), allow a larger share, or give a margin (--margin)");

    public static ShadException Empty(string path) => new(
        "annotate.empty", "There is no sample in it", path, "a file that 'shad score' wrote");
}
