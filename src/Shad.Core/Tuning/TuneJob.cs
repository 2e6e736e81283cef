using System.Text.Json.Serialization;

namespace Shad.Core.Tuning;

/// <summary>What a tune minimises.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TuneObjective>))]
public enum TuneObjective
{
    /// <summary>Mean loss over all response tokens of the optimizer step.</summary>
    [JsonStringEnumMemberName("sft")] Sft,

    /// <summary>The paper's loss: <c>ω_b · L_b + ω_r · L_r</c> with <c>(ω_b, ω_r) = softmax(L_b/τ, L_r/τ)</c>. Needs roles.</summary>
    [JsonStringEnumMemberName("rft")] Rft,

    /// <summary><c>Σ wᵢ·lossᵢ / Σ wᵢ</c> over the response tokens of the optimizer step, with the samples' own weights.</summary>
    [JsonStringEnumMemberName("weighted")] Weighted,

    /// <summary>Mean loss over the reasoning tokens of the optimizer step; boilerplate is left out. A step without a reasoning token
    /// has objective and gradient 0. Needs roles.</summary>
    [JsonStringEnumMemberName("mask")] Mask,
}

/// <summary>Number format of the matrix products in the forward and backward pass. Weights and optimizer state stay float32.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TunePrecision>))]
public enum TunePrecision
{
    /// <summary>float32 throughout.</summary>
    [JsonStringEnumMemberName("float32")] Float32,

    /// <summary>Matrix products in bfloat16; norms, softmax, loss and master weights in float32.</summary>
    [JsonStringEnumMemberName("bfloat16")] BFloat16,

    /// <summary><see cref="BFloat16"/> where the processor multiplies it in hardware (AVX-512 BF16, AMX) or the device is a GPU, else
    /// <see cref="Float32"/>.</summary>
    [JsonStringEnumMemberName("auto")] Auto,
}

/// <summary>Everything a tune needs to know: the content of the sidecar's <c>job.json</c> (snake_case).</summary>
public sealed record TuneJob
{
    /// <summary>Model folder to start from.</summary>
    public required string Model { get; init; }

    /// <summary>Folder to write the tuned model to (Hugging Face layout). Must not exist or be a previous output of this job.</summary>
    public required string Output { get; init; }

    /// <summary>Training samples: tokenized rows (<c>input_ids</c>, <c>labels</c>, optionally <c>role</c>, <c>weight</c>) as .jsonl
    /// or .parquet, in the columns of the annotation format.</summary>
    public required string Data { get; init; }

    /// <summary>Samples in the same format whose loss is measured before, during (<see cref="EvaluateEvery"/>) and after.</summary>
    public string? HeldOut { get; init; }

    /// <summary>What is minimised.</summary>
    public TuneObjective Objective { get; init; } = TuneObjective.Sft;

    /// <summary>τ of the RFT loss, in nats.</summary>
    public double Temperature { get; init; } = 1.0;

    /// <summary>Let ω of the RFT loss follow the groups' sizes as well: <see cref="Weighting.RftWeighting.BySize"/>.</summary>
    public bool WeightBySize { get; init; }

    /// <summary>Least weight of a boilerplate token in the RFT loss, as a share of its weight in supervised fine-tuning, from 0 to 1:
    /// <see cref="Weighting.RftWeighting.BoilerplateFloor"/>.</summary>
    public double BoilerplateFloor { get; init; }

    /// <summary>Share of the steps after which the weights of the RFT loss go over to those of supervised fine-tuning, from 0 to 1, which
    /// is never: <see cref="Weighting.RftWeighting.AnnealFrom"/>.</summary>
    public double AnnealFrom { get; init; } = 1;

    /// <summary>Tune only the last k layers (with the final norm and an untied head); null tunes every parameter.</summary>
    public int? LastLayers { get; init; }

    /// <summary>Tune low-rank adapters instead of the weights themselves; null tunes the weights. With <see cref="LastLayers"/>,
    /// only the last k layers get adapters. The output is the merged model, with the adapter itself in its folder
    /// <c>adapter</c>, in PEFT's layout.</summary>
    public LoraSettings? Lora { get; init; }

    /// <summary>Optimizer steps; null derives them from <see cref="Epochs"/>.</summary>
    public int? Steps { get; init; }

    /// <summary>Passes over the data where <see cref="Steps"/> is null.</summary>
    public double Epochs { get; init; } = 1;

    /// <summary>Most padded tokens in one forward pass; longer single samples still go alone.</summary>
    public int TokensPerBatch { get; init; } = 4096;

    /// <summary>Samples per optimizer step; the micro-batches are cut from it by <see cref="TokensPerBatch"/> and accumulated.
    /// A step's result does not depend on where they were cut.</summary>
    public int SamplesPerStep { get; init; } = 16;

    /// <summary>Peak learning rate.</summary>
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>Linear warm-up as a share of all steps.</summary>
    public double WarmupRatio { get; init; } = 0.03;

    /// <summary>Floor of the cosine decay as a share of the peak.</summary>
    public double MinimumLearningRateRatio { get; init; } = 0.1;

    /// <summary>AdamW weight decay, on matrices only (not on norms, biases and embeddings).</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>AdamW β₁.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>AdamW β₂.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Largest gradient norm (L2 over all tuned parameters); 0 turns clipping off.</summary>
    public double MaximumGradientNorm { get; init; } = 1.0;

    /// <summary>Where to compute: <c>auto</c> (CUDA where this libtorch and this machine have it), <c>cpu</c>, <c>cuda</c> or
    /// <c>cuda:1</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Number format of the matrix products.</summary>
    public TunePrecision Precision { get; init; } = TunePrecision.Auto;

    /// <summary>Keep only the layers' inputs for the backward pass and run each layer again when its gradient is taken: memory of
    /// one layer's activations instead of all, for about a third more time. The gradients are the same bit for bit.</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>Longest sequence in tokens; null takes the model's context. Longer samples are truncated from the left of the
    /// prompt, or skipped and counted where the responses alone do not fit.</summary>
    public int? MaximumLength { get; init; }

    /// <summary>Shuffle the data each epoch. The probe and its control turn it off so that both see the same order.</summary>
    public bool ShuffleData { get; init; } = true;

    /// <summary>Seed of data order and of random initialisation.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Steps between checkpoints; 0 writes one only when interrupted.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>Checkpoints kept, at least 1: the newest, and older ones to fall back on where it turns out damaged.</summary>
    public int CheckpointsKept { get; init; } = 2;

    /// <summary>Folder of the checkpoints; null is <c>OUTPUT.checkpoints</c> beside the output.</summary>
    public string? CheckpointFolder { get; init; }

    /// <summary>Steps between measurements of <see cref="HeldOut"/>; 0 measures only before and after.</summary>
    public int EvaluateEvery { get; init; }

    /// <summary>Stop where <see cref="HeldOut"/> no longer improves, and keep the weights that were best on it; null runs to the
    /// end and keeps the last.</summary>
    public EarlyStoppingSettings? EarlyStopping { get; init; }

    /// <summary>Folder for TensorBoard's event files; null writes none.</summary>
    public string? TensorBoard { get; init; }

    /// <summary>Memory the tune may take, in bytes; null is what is free. A tune that would take more is refused before it
    /// begins.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Steps between progress events.</summary>
    public int ReportEvery { get; init; } = 1;

    /// <summary>dtype of the written weights: <c>float32</c>, <c>bfloat16</c>, <c>float16</c>; null keeps that of the model read.</summary>
    public string? SaveDtype { get; init; }

    /// <summary>Write only the tensors that were tuned, with a reference to <see cref="Model"/>, instead of a whole model.</summary>
    public bool ChangesOnly { get; init; }

    /// <summary>Threads of the tune; null takes all cores.</summary>
    public int? Threads { get; init; }
}

/// <summary>When a tune stops before its last step: judged by the mean loss of the held-out samples, each time it is measured.</summary>
public sealed record EarlyStoppingSettings
{
    /// <summary>Measurements without improvement after which the tune stops, at least 1.</summary>
    public int Patience { get; init; } = 3;

    /// <summary>By how much the loss must fall below the best so far to count as an improvement, in nats; at least 0.</summary>
    public double MinimumImprovement { get; init; }
}
