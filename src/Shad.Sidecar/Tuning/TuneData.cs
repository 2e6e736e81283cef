using Shad.Core.Samples;
using Shad.Data.Corpora;

namespace Shad.Sidecar.Tuning;

/// <summary>The samples of a file that a tune can use, fitted to the context.</summary>
public sealed class TuneData
{
    private TuneData(IReadOnlyList<TokenizedSample> samples, int truncated, int skipped)
    {
        Samples = samples;
        Truncated = truncated;
        Skipped = skipped;
    }

    /// <summary>The samples, each with at least one target and none longer than the limit.</summary>
    public IReadOnlyList<TokenizedSample> Samples { get; }

    /// <summary>Samples cut from the left of the prompt.</summary>
    public int Truncated { get; }

    /// <summary>Samples left out because what follows their first response token does not fit.</summary>
    public int Skipped { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">Tokenized samples.</param>
    /// <param name="vocabularySize">Token ids must be below it.</param>
    /// <param name="maximumLength">Longest sequence in tokens.</param>
    /// <param name="beginningOfSequence">The model's beginning-of-sequence token, which a cut prompt keeps; null where it has none.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="Core.Errors.ShadException">A row is wrong, or no usable sample is left.</exception>
    public static async Task<TuneData> ReadAsync(
        string path, int vocabularySize, int maximumLength, int? beginningOfSequence, CancellationToken cancellationToken)
    {
        var samples = new List<TokenizedSample>();
        int truncated = 0, skipped = 0;
        await foreach (var sample in TokenizedSampleReader.ReadAsync(path, vocabularySize, cancellationToken).ConfigureAwait(false))
        {
            if (sample.Length <= maximumLength)
            {
                samples.Add(sample);
            }
            else if (Truncate(sample, maximumLength, sample.InputIds[0] == beginningOfSequence) is { } shorter)
            {
                samples.Add(shorter);
                truncated++;
            }
            else
            {
                skipped++;
            }
        }

        if (samples.Count == 0) throw SidecarErrors.NoSamples(path, skipped, maximumLength);
        return new TuneData(samples, truncated, skipped);
    }

    /// <summary>
    /// The sample with its prompt cut from the left, or null where that is not enough: the first response token and all after it,
    /// with at least one token of context, must fit.
    /// </summary>
    /// <param name="sample">The sample.</param>
    /// <param name="maximumLength">Longest sequence in tokens, at least 2.</param>
    /// <param name="keepFirst">True where the first token begins the sequence and is no part of the prompt proper.</param>
    public static TokenizedSample? Truncate(TokenizedSample sample, int maximumLength, bool keepFirst)
    {
        ArgumentNullException.ThrowIfNull(sample);
        int firstTarget = Array.FindIndex(sample.Labels, static label => label != TokenizedSample.IgnoredLabel);
        int from = sample.Length - maximumLength + (keepFirst ? 1 : 0);
        // What remains must begin with a token of context: that is the first token, or the one at the cut.
        if (firstTarget < 0 || from > firstTarget - (keepFirst ? 0 : 1)) return null;
        T[] Cut<T>(T[] values) => keepFirst ? [values[0], .. values[from..]] : values[from..];

        return new TokenizedSample(sample.Id, Cut(sample.InputIds), Cut(sample.Labels))
        {
            Weights = sample.Weights is { } weights ? Cut(weights) : null,
            Roles = sample.Roles is { } roles ? Cut(roles) : null,
        };
    }
}
