namespace Shad.Onnx.Scoring;

/// <summary>How far a scoring has come.</summary>
/// <param name="Samples">Samples scored.</param>
/// <param name="Tokens">Tokens of those samples.</param>
/// <param name="Targets">Targets among them.</param>
/// <param name="ComputedTokens">Tokens that went through the model: up to each sample's last target, without those that were shared.</param>
/// <param name="SharedTokens">Tokens that did not, since another sample of the batch begins with the same.</param>
/// <param name="PaddedTokens">Padding that went through the model beside them.</param>
/// <param name="Splits">Batches that memory did not hold and that were halved.</param>
/// <param name="Elapsed">Time since the first batch began.</param>
public readonly record struct ScoringProgress(
    long Samples, long Tokens, long Targets, long ComputedTokens, long SharedTokens, long PaddedTokens, int Splits,
    TimeSpan Elapsed)
{
    /// <summary>Share of what went through the model that was padding.</summary>
    public double Padding => ComputedTokens > 0 ? PaddedTokens / (double)(ComputedTokens + PaddedTokens) : 0;

    /// <summary>Share of the tokens up to each sample's last target that did not have to go through the model, since another sample
    /// begins with the same.</summary>
    public double Shared => SharedTokens > 0 ? SharedTokens / (double)(ComputedTokens + SharedTokens) : 0;

    /// <summary>Tokens of the samples scored, per second.</summary>
    public double TokensPerSecond => Elapsed > TimeSpan.Zero ? Tokens / Elapsed.TotalSeconds : 0;
}
