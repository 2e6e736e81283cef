namespace Shad.Data.Corpora;

/// <summary>How a corpus is read.</summary>
public sealed record CorpusOptions
{
    /// <summary>Bad rows after which reading ends with an error: 0 is strict (the first bad row is the error), null accepts any number.
    /// Accepted ones are counted and listed in <see cref="CorpusReport"/>.</summary>
    public int? MaximumBadRows { get; init; }

    /// <summary>Token ids of already tokenized rows must be below it; null does not check.</summary>
    public int? VocabularySize { get; init; }
}
