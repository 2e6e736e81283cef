using System.Security.Cryptography;
using System.Text.Json;
using Shad.Core.Tuning;
using Shad.Models;

namespace Shad.Sidecar.Tuning;

/// <summary>Checks of a job's values, and the identity by which checkpoints and outputs are told to be its own.</summary>
public static class TunePlan
{
    /// <summary>Refuses values that cannot be used.</summary>
    /// <exception cref="Core.Errors.ShadException">A value is out of range or a file is missing.</exception>
    public static void Check(TuneJob job)
    {
        ArgumentNullException.ThrowIfNull(job);
        static void Require(bool holds, string field, object? value, string expected)
        {
            if (!holds) throw SidecarErrors.JobValue(field, value, expected);
        }

        Require(job.Output.Length > 0, "output", "''", "the path of a folder");
        Require(double.IsFinite(job.Temperature) && job.Temperature > 0, "temperature", job.Temperature, "a number above 0, in nats");
        Require(job.LastLayers is null or > 0, "last_layers", job.LastLayers, "at least 1, or null for the whole model");
        Require(job.Steps is null or > 0, "steps", job.Steps, "at least 1, or null to count epochs");
        Require(double.IsFinite(job.Epochs) && job.Epochs > 0, "epochs", job.Epochs, "a number above 0");
        Require(job.TokensPerBatch > 0, "tokens_per_batch", job.TokensPerBatch, "at least 1");
        Require(job.SamplesPerStep > 0, "samples_per_step", job.SamplesPerStep, "at least 1");
        Require(double.IsFinite(job.LearningRate) && job.LearningRate > 0, "learning_rate", job.LearningRate, "a number above 0");
        Require(job.WarmupRatio is >= 0 and <= 1, "warmup_ratio", job.WarmupRatio, "a share from 0 to 1");
        Require(
            job.MinimumLearningRateRatio is >= 0 and <= 1,
            "minimum_learning_rate_ratio", job.MinimumLearningRateRatio, "a share from 0 to 1");
        Require(double.IsFinite(job.WeightDecay) && job.WeightDecay >= 0, "weight_decay", job.WeightDecay, "a number, at least 0");
        Require(job.Beta1 is >= 0 and < 1, "beta1", job.Beta1, "a number from 0, below 1");
        Require(job.Beta2 is >= 0 and < 1, "beta2", job.Beta2, "a number from 0, below 1");
        Require(
            double.IsFinite(job.MaximumGradientNorm) && job.MaximumGradientNorm >= 0,
            "maximum_gradient_norm", job.MaximumGradientNorm, "a number, at least 0; 0 turns clipping off");
        Require(job.MaximumLength is null or > 1, "maximum_length", job.MaximumLength, "at least 2 tokens");
        Require(job.CheckpointEvery >= 0, "checkpoint_every", job.CheckpointEvery, "at least 0");
        Require(job.EvaluateEvery >= 0, "evaluate_every", job.EvaluateEvery, "at least 0");
        Require(job.ReportEvery > 0, "report_every", job.ReportEvery, "at least 1");
        Require(
            job.SaveDtype is null or "float32" or "bfloat16" or "float16",
            "save_dtype", job.SaveDtype, "float32, bfloat16 or float16, or null for that of the model");
        Require(job.Threads is null or > 0, "threads", job.Threads, "at least 1, or null for all cores");
        if (!File.Exists(job.Data)) throw SidecarErrors.FileMissing("data", job.Data);
        if (job.HeldOut is { } heldOut && !File.Exists(heldOut)) throw SidecarErrors.FileMissing("held_out", heldOut);
    }

    /// <summary>
    /// The identity of a tune: a hash of all that decides its result — the model's and the data's content and the fields of the job
    /// but for places, reporting and threads.
    /// </summary>
    public static string Identity(TuneJob job, ModelFolder model)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(model);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var decisive = job with
        {
            Model = "", Output = "", Data = "", HeldOut = null, CheckpointEvery = 0, CheckpointFolder = null, EvaluateEvery = 0,
            ReportEvery = 1, SaveDtype = null, ChangesOnly = false, Threads = null,
        };
        hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(decisive, SidecarJson.Default.TuneJob));
        hash.AppendData(HashOf(job.Data));
        foreach (string file in model.Weights.Files.Order(StringComparer.Ordinal)) hash.AppendData(HashOf(file));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static byte[] HashOf(string path)
    {
        using var stream = File.OpenRead(path);
        return SHA256.HashData(stream);
    }
}
