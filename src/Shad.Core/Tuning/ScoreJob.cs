namespace Shad.Core.Tuning;

/// <summary>
/// The losses of a model by the sidecar's own forward pass, in float32: the content of the job of its command <c>score</c>. Bulk
/// scoring is ONNX Runtime's work; this is for comparing the two.
/// </summary>
public sealed record ScoreJob
{
    /// <summary>Model folder.</summary>
    public required string Model { get; init; }

    /// <summary>Tokenized samples, as in <see cref="TuneJob.Data"/>.</summary>
    public required string Data { get; init; }

    /// <summary>JSON Lines file to write, one object a sample in the order of the data: <c>id</c> and <c>loss</c>, a list aligned with
    /// <c>input_ids</c>, in nats, null where no target.</summary>
    public required string Output { get; init; }

    /// <summary>Most padded tokens in one forward pass; longer single samples still go alone.</summary>
    public int TokensPerBatch { get; init; } = 4096;

    /// <summary>Where to compute, as in <see cref="TuneJob.Device"/>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Threads; null takes all cores.</summary>
    public int? Threads { get; init; }
}
