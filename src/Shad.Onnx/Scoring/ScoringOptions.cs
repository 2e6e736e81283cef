using Shad.Onnx.Sessions;

namespace Shad.Onnx.Scoring;

/// <summary>How samples are scored. The losses do not depend on it (float32: to 1e-5 nats), but on the precision.</summary>
public sealed record ScoringOptions : SessionSettings
{
    /// <summary>Most tokens in one forward pass, padding included. A longer single sample goes alone.</summary>
    public int TokensPerBatch { get; init; } = 8192;

    /// <summary>The same on CUDA, in place of <see cref="TokensPerBatch"/>: more, since there the free memory bounds it as well.</summary>
    public int TokensPerBatchOnCuda { get; init; } = 32_768;

    /// <summary>Samples read ahead and cut into batches together: sorted by length, and by the tokens they begin with. More finds more
    /// that begin alike, and waits longer for the first result; memory holds two windows of samples.</summary>
    public int Window { get; init; } = 1024;

    /// <summary>Memory a forward pass may take beside the weights, in bytes; null takes 384 MiB, and on CUDA what is free on the
    /// device. Smaller batches, blocks of rows and blocks of the LM head are cut to keep to it; a single sequence longer than that
    /// still goes through.</summary>
    public long? Memory { get; init; }

    /// <summary>True to compute tokens that samples of a batch begin with once for all of them. On a device that takes padded batches
    /// only, each sample computes its own.</summary>
    public bool SharePrefixes { get; init; } = true;

    /// <summary>True to pad batches where they need not be.</summary>
    internal bool Pad { get; init; }

    /// <summary>Least <see cref="Memory"/>: 16 MiB.</summary>
    public const long LeastMemory = 16L << 20;

    /// <summary>Bind the graph's values to the device; null does where the device is no CPU.</summary>
    internal bool? BindValues { get; init; }

    internal override void Validate()
    {
        base.Validate();
        if (TokensPerBatch < 1) throw OnnxErrors.BadOption("tokens per batch", TokensPerBatch, "at least 1");
        if (TokensPerBatchOnCuda < 1) throw OnnxErrors.BadOption("tokens per batch on CUDA", TokensPerBatchOnCuda, "at least 1");
        if (Memory < LeastMemory) throw OnnxErrors.BadOption("memory", Memory, $"at least {LeastMemory} bytes");
        if (Window < 1) throw OnnxErrors.BadOption("window", Window, "at least 1 sample");
    }
}
