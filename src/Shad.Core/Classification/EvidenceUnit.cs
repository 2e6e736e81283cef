namespace Shad.Core.Classification;

/// <summary>What a rule decides on at once.</summary>
public enum EvidenceUnit
{
    /// <summary>Each token by its own loss difference, as in the paper.</summary>
    Token,

    /// <summary>
    /// Each word by the largest loss difference among its tokens. Where the tokenizer cuts a value into pieces, the prompt tells the
    /// first and the first tells the others: those are as specific to the sample, but both models foresee them.
    /// </summary>
    Word,
}
