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
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="Core.Errors.ShadException">A row is wrong, or no usable sample is left.</exception>
    public static async Task<TuneData> ReadAsync(
        string path, int vocabularySize, int maximumLength, CancellationToken cancellationToken)
    {
        var samples = new List<TokenizedSample>();
        int truncated = 0, skipped = 0;
        await foreach (var sample in TokenizedSampleReader.ReadAsync(path, vocabularySize, cancellationToken).ConfigureAwait(false))
        {
            if (sample.Length <= maximumLength)
            {
                samples.Add(sample);
            }
            else if (Truncate(sample, maximumLength) is { } shorter)
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
    /// with at least one token of context, must fit. A cut prompt keeps its first token where that token stands before the prompt
    /// proper — models are trained with a beginning-of-sequence token — which the cut cannot tell, so it always does.
    /// </summary>
    public static TokenizedSample? Truncate(TokenizedSample sample, int maximumLength)
    {
        ArgumentNullException.ThrowIfNull(sample);
        int firstTarget = Array.FindIndex(sample.Labels, static label => label != TokenizedSample.IgnoredLabel);
        int from = sample.Length - (maximumLength - 1);
        if (firstTarget < 0 || from > firstTarget) return null;
        T[] Cut<T>(T[] values) => [values[0], .. values[from..]];

        return new TokenizedSample(sample.Id, Cut(sample.InputIds), Cut(sample.Labels))
        {
            Weights = sample.Weights is { } weights ? Cut(weights) : null,
            Roles = sample.Roles is { } roles ? Cut(roles) : null,
        };
    }
}
