using System.Text.Json.Serialization;

namespace Shad.Core.Tuning;

/// <summary>One line the sidecar writes to stdout. Everything a person reads goes to stderr.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(MemoryPlanned), "memory_planned")]
[JsonDerivedType(typeof(TuneStarted), "started")]
[JsonDerivedType(typeof(TuneProgress), "progress")]
[JsonDerivedType(typeof(HeldOutMeasured), "held_out")]
[JsonDerivedType(typeof(SidecarWarning), "warning")]
[JsonDerivedType(typeof(TuneDone), "done")]
[JsonDerivedType(typeof(SidecarError), "error")]
[JsonDerivedType(typeof(SidecarDiagnosis), "diagnosis")]
public abstract record SidecarEvent;

/// <summary>What a tune will take of the memory, told before it is taken; in bytes.</summary>
public sealed record MemoryPlanned : SidecarEvent
{
    /// <summary>All parameters, with their bfloat16 copies.</summary>
    public required long Parameters { get; init; }

    /// <summary>Gradient of the tuned parameters.</summary>
    public required long Gradient { get; init; }

    /// <summary>The optimizer's moments, and the best weights where early stopping keeps them.</summary>
    public required long OptimizerState { get; init; }

    /// <summary>What a micro-batch of the largest size keeps for its backward pass.</summary>
    public required long Activations { get; init; }

    /// <summary>Passing needs: logits, gradients on their way, buffers of the libraries.</summary>
    public required long Workspace { get; init; }

    /// <summary>Their sum.</summary>
    public required long Total { get; init; }

    /// <summary>What may be taken; null where that is not known.</summary>
    public long? Available { get; init; }

    /// <summary>The plan in a line for people: <c>needs about 3.1 GiB; 24 GiB free</c>.</summary>
    public required string Summary { get; init; }
}

/// <summary>The job was read and the model loaded; what will be done.</summary>
public sealed record TuneStarted : SidecarEvent
{
    /// <summary>Samples in the data, after truncation and skipping.</summary>
    public required int Samples { get; init; }

    /// <summary>Samples skipped because their responses alone exceed the context.</summary>
    public int Skipped { get; init; }

    /// <summary>Samples truncated from the left of the prompt.</summary>
    public int Truncated { get; init; }

    /// <summary>Optimizer steps of the whole tune.</summary>
    public required int Steps { get; init; }

    /// <summary>First step to run: above 0 after a resume.</summary>
    public int FirstStep { get; init; }

    /// <summary>Parameters that are tuned.</summary>
    public required long TunedParameters { get; init; }

    /// <summary>All parameters of the model.</summary>
    public required long Parameters { get; init; }

    /// <summary>Version of libtorch.</summary>
    public string? Torch { get; init; }

    /// <summary>Device of the tensors: <c>cpu</c>, <c>cuda:0</c>.</summary>
    public string? Device { get; init; }

    /// <summary>Number format of the products: what <see cref="TunePrecision.Auto"/> came to.</summary>
    public TunePrecision Precision { get; init; }

    /// <summary>Checkpoints of this tune that were damaged and passed over.</summary>
    public int BrokenCheckpoints { get; init; }
}

/// <summary>State after an optimizer step. Losses are means over the tokens of the steps since the last such event, in nats.</summary>
public sealed record TuneProgress : SidecarEvent
{
    /// <summary>Optimizer steps done.</summary>
    public required int Step { get; init; }

    /// <summary>Optimizer steps of the whole tune.</summary>
    public required int Steps { get; init; }

    /// <summary>The objective's value.</summary>
    public required double Loss { get; init; }

    /// <summary>Mean loss of boilerplate tokens; null without roles.</summary>
    public double? BoilerplateLoss { get; init; }

    /// <summary>Mean loss of reasoning tokens; null without roles.</summary>
    public double? ReasoningLoss { get; init; }

    /// <summary>ω_r of the RFT loss; ω_b is one less it. Null for other objectives.</summary>
    public double? ReasoningWeight { get; init; }

    /// <summary>L2 norm of the gradient before clipping.</summary>
    public double GradientNorm { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public double LearningRate { get; init; }

    /// <summary>Unpadded tokens per second since the last such event.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Estimated seconds until the end.</summary>
    public double SecondsLeft { get; init; }

    /// <summary>Most memory the process has had so far, resident, in bytes.</summary>
    public long PeakMemory { get; init; }
}

/// <summary>Mean losses on the held-out samples, in nats per response token.</summary>
public sealed record HeldOutMeasured : SidecarEvent
{
    /// <summary>Optimizer steps done.</summary>
    public required int Step { get; init; }

    /// <summary>Mean over all response tokens.</summary>
    public required double Loss { get; init; }

    /// <summary>Mean over boilerplate tokens; null without roles.</summary>
    public double? BoilerplateLoss { get; init; }

    /// <summary>Mean over reasoning tokens; null without roles.</summary>
    public double? ReasoningLoss { get; init; }
}

/// <summary>Something the user should know that does not stop the job.</summary>
public sealed record SidecarWarning : SidecarEvent
{
    /// <summary>Stable, dotted code.</summary>
    public required string Code { get; init; }

    /// <summary>Text for a person.</summary>
    public required string Message { get; init; }
}

/// <summary>The last line of a successful job.</summary>
public sealed record TuneDone : SidecarEvent
{
    /// <summary>The folder written.</summary>
    public required string Output { get; init; }

    /// <summary>Optimizer steps done in all: fewer than planned where the tune stopped early.</summary>
    public int Steps { get; init; }

    /// <summary>Step whose weights were written, where early stopping chose them; null where they are the last.</summary>
    public int? BestStep { get; init; }

    /// <summary>Unpadded tokens passed through the model, this process.</summary>
    public long Tokens { get; init; }

    /// <summary>Seconds of this process.</summary>
    public double Seconds { get; init; }

    /// <summary>The last progress event's loss.</summary>
    public double? Loss { get; init; }
}

/// <summary>The last line of a failed job. The process then exits with a code other than 0 (130 when interrupted).</summary>
public sealed record SidecarError : SidecarEvent
{
    /// <summary>Stable, dotted code: that of the <see cref="Errors.ShadException"/>, <c>interrupted</c> or <c>internal</c>.</summary>
    public required string Code { get; init; }

    /// <summary>Text for a person.</summary>
    public required string Message { get; init; }
}
