namespace Shad.Data.Corpora;

/// <summary>How a corpus is read.</summary>
public sealed record CorpusOptions
{
    /// <summary>Bad rows after which reading ends with an error: 0 is strict (the first bad row is the error), null accepts any number.
    /// Accepted ones are counted and listed in <see cref="CorpusReport"/>.</summary>
    public int? MaximumBadRows { get; init; }

    /// <summary>Rows drawn at random from the whole corpus, in its order; null takes all. A drawn row that is bad is counted and not made up
    /// for. The corpus is read twice, the first time for its number of rows.</summary>
    public int? Sample { get; init; }

    /// <summary>Seed of <see cref="Sample"/>: the same seed and corpus give the same rows.</summary>
    public ulong SampleSeed { get; init; } = 1;

    /// <summary>Token ids of already tokenized rows must be below it; null does not check.</summary>
    public int? VocabularySize { get; init; }
}
