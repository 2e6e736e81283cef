using Shad.Onnx.Sessions;

namespace Shad.Onnx.Scoring;

/// <summary>How samples are scored. The losses do not depend on it (float32: to 1e-5 nats).</summary>
public sealed record ScoringOptions : SessionSettings
{
    /// <summary>Most padded tokens in one forward pass. A longer single sample goes alone.</summary>
    public int TokensPerBatch { get; init; } = 4096;

    /// <summary>Samples read ahead and sorted by length together. More gives less padding and longer waits for the first result;
    /// memory holds two windows of samples.</summary>
    public int Window { get; init; } = 1024;

    internal override void Validate()
    {
        base.Validate();
        if (TokensPerBatch < 1) throw OnnxErrors.BadOption("tokens per batch", TokensPerBatch, "at least 1");
        if (Window < 1) throw OnnxErrors.BadOption("window", Window, "at least 1 sample");
    }
}
