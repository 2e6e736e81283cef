namespace Shad.Onnx.Generation;

/// <summary>How prompts are continued.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to add to a prompt.</summary>
    public int MaximumNewTokens { get; init; } = 256;

    /// <summary>Ids that end a text; null takes the model's own. The ending id is part of the result.</summary>
    public IReadOnlyCollection<int>? EndOfSequence { get; init; }

    /// <summary>Most prompts continued at once.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Most tokens that the cache of a batch may hold, padding and new tokens included; bounds memory, changes no token. A
    /// longer single prompt still goes alone.</summary>
    public int TokensPerBatch { get; init; } = 16_384;

    internal void Validate()
    {
        if (MaximumNewTokens < 0) throw OnnxErrors.BadOption("maximum of new tokens", MaximumNewTokens, "at least 0");
        if (BatchSize < 1) throw OnnxErrors.BadOption("batch size", BatchSize, "at least 1");
        if (TokensPerBatch < 1) throw OnnxErrors.BadOption("tokens per batch", TokensPerBatch, "at least 1");
    }
}
