using Shad.Onnx.Sessions;

namespace Shad.Onnx.Scoring;

/// <summary>How samples are scored. The losses do not depend on it (float32: to 1e-5 nats).</summary>
public sealed record ScoringOptions : SessionSettings
{
    /// <summary>Most tokens in one forward pass, padding included. A longer single sample goes alone.</summary>
    public int TokensPerBatch { get; init; } = 4096;

    /// <summary>Samples read ahead and cut into batches together: sorted by length, and by the tokens they begin with. More finds more
    /// that begin alike, and waits longer for the first result; memory holds two windows of samples.</summary>
    public int Window { get; init; } = 1024;

    /// <summary>Memory a forward pass may take beside the weights, in bytes; null takes 384 MiB. Smaller batches, blocks of
    /// rows and blocks of the LM head are cut to keep to it; a single sequence longer than that still goes through.</summary>
    public long? Memory { get; init; }

    /// <summary>True to compute tokens that samples of a batch begin with once for all of them. On a device that takes padded batches
    /// only, each sample computes its own.</summary>
    public bool SharePrefixes { get; init; } = true;

    /// <summary>True to pad batches where they need not be.</summary>
    internal bool Pad { get; init; }

    /// <summary>Least <see cref="Memory"/>: 16 MiB.</summary>
    public const long LeastMemory = 16L << 20;

    internal override void Validate()
    {
        base.Validate();
        if (TokensPerBatch < 1) throw OnnxErrors.BadOption("tokens per batch", TokensPerBatch, "at least 1");
        if (Memory < LeastMemory) throw OnnxErrors.BadOption("memory", Memory, $"at least {LeastMemory} bytes");
        if (Window < 1) throw OnnxErrors.BadOption("window", Window, "at least 1 sample");
    }
}
