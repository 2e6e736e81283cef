using System.Security.Cryptography;
using System.Text.Json;
using Shad.Core.Tuning;
using Shad.Models;
using Shad.Models.Adapters;
using Shad.Models.Configuration;

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
        Require(job.BoilerplateFloor is >= 0 and <= 1, "boilerplate_floor", job.BoilerplateFloor, "a share from 0 to 1");
        Require(job.AnnealFrom is >= 0 and <= 1, "anneal_from", job.AnnealFrom, "a share from 0 to 1, where 1 is never");
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
        Require(job.CheckpointsKept > 0, "checkpoints_kept", job.CheckpointsKept, "at least 1");
        Require(job.MemoryLimit is null or > 0, "memory_limit", job.MemoryLimit, "a number of bytes above 0, or null for what is free");
        if (job.EarlyStopping is { } stopping)
        {
            Require(stopping.Patience > 0, "early_stopping.patience", stopping.Patience, "at least 1");
            Require(
                double.IsFinite(stopping.MinimumImprovement) && stopping.MinimumImprovement >= 0,
                "early_stopping.minimum_improvement", stopping.MinimumImprovement, "a number of nats, at least 0");
            Require(job.HeldOut is not null, "held_out", null, "a file of samples, since early_stopping goes by their loss");
            Require(job.EvaluateEvery > 0, "evaluate_every", job.EvaluateEvery, "at least 1 with early_stopping");
        }

        Require(job.EvaluateEvery >= 0, "evaluate_every", job.EvaluateEvery, "at least 0");
        Require(job.ReportEvery > 0, "report_every", job.ReportEvery, "at least 1");
        Require(
            job.SaveDtype is null or "float32" or "bfloat16" or "float16",
            "save_dtype", job.SaveDtype, "float32, bfloat16 or float16, or null for that of the model");
        Require(job.Threads is null or > 0, "threads", job.Threads, "at least 1, or null for all cores");
        if (job.Lora is { } lora) Check(lora, Require);
        if (!File.Exists(job.Data)) throw SidecarErrors.FileMissing("data", job.Data);
        if (job.HeldOut is { } heldOut && !File.Exists(heldOut)) throw SidecarErrors.FileMissing("held_out", heldOut);
    }

    private static void Check(LoraSettings lora, Action<bool, string, object?, string> require)
    {
        require(lora.Rank is null or > 0, "lora.rank", lora.Rank, "at least 1");
        require(lora.Alpha is null || (double.IsFinite(lora.Alpha.Value) && lora.Alpha > 0), "lora.alpha", lora.Alpha, "a number above 0");
        require(lora.Dropout is >= 0 and < 1, "lora.dropout", lora.Dropout, "a share from 0, below 1");
        if (lora.Targets is { } targets)
        {
            string expected = $"{LoraSettings.AllLinear}, or some of {string.Join(", ", AdapterModules.Names)}";
            require(targets.Count > 0, "lora.targets", "[]", expected);
            foreach (string target in targets)
                require(target == LoraSettings.AllLinear || AdapterModules.Names.Contains(target), "lora.targets", $"'{target}'", expected);
        }

        if (lora.From is null) return;
        const string ofAdapter = "null, since it is the adapter's own where lora.from is given";
        require(lora.Rank is null, "lora.rank", lora.Rank, ofAdapter);
        require(lora.Alpha is null, "lora.alpha", lora.Alpha, ofAdapter);
        require(lora.Targets is null, "lora.targets", "a list", ofAdapter);
        require(lora.RankStabilized is null, "lora.rank_stabilized", lora.RankStabilized, ofAdapter);
    }

    /// <summary>The adapter that a job tunes; null where it tunes the weights themselves.</summary>
    /// <param name="job">The job, checked.</param>
    /// <param name="model">The model.</param>
    /// <param name="from">The adapter to start from, where the job names one.</param>
    /// <exception cref="Core.Errors.ShadException">The job names a projection that the model has not.</exception>
    public static AdapterConfig? AdapterOf(TuneJob job, DecoderConfig model, AdapterFolder? from)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(model);
        if (job.Lora is not { } lora) return null;
        if (from is not null)
        {
            if (job.LastLayers is not null)
                throw SidecarErrors.JobValue("last_layers", job.LastLayers, "null, since the layers are the adapter's own where lora.from is given");
            return from.Config with { Dropout = lora.Dropout, BaseModel = job.Model };
        }

        int rank = lora.Rank ?? LoraSettings.DefaultRank;
        var targets = lora.Targets ?? [LoraSettings.AllLinear];
        var names = AdapterModules.NamesOf(model);
        if (targets.FirstOrDefault(target => target != LoraSettings.AllLinear && !names.Contains(target)) is { } unknown)
        {
            throw SidecarErrors.JobValue(
                "lora.targets", $"'{unknown}', which a model of type {model.ModelType} has not",
                $"{LoraSettings.AllLinear}, or some of {string.Join(", ", names)}");
        }

        return new AdapterConfig
        {
            Rank = rank,
            Alpha = lora.Alpha ?? 2 * rank,
            Dropout = lora.Dropout,
            RankStabilized = lora.RankStabilized ?? false,
            Targets = [.. names.Where(name => targets.Contains(LoraSettings.AllLinear) || targets.Contains(name))],
            Layers = job.LastLayers is { } last && last < model.LayerCount ? [.. Enumerable.Range(model.LayerCount - last, last)] : null,
            BaseModel = job.Model,
        };
    }

    /// <summary>
    /// The identity of a tune: a hash of all that decides its result — the model's and the data's content and the fields of the job
    /// but for places, reporting and threads; with early stopping, the held-out samples and when they are measured as well.
    /// </summary>
    public static string Identity(TuneJob job, ModelFolder model)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(model);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var decisive = job with
        {
            Model = "", Output = "", Data = "", HeldOut = null, CheckpointEvery = 0, CheckpointsKept = 1, CheckpointFolder = null,
            EvaluateEvery = job.EarlyStopping is null ? 0 : job.EvaluateEvery, TensorBoard = null, MemoryLimit = null, ReportEvery = 1,
            SaveDtype = null, ChangesOnly = false, Threads = null, GradientCheckpointing = false, Device = "auto",
            Lora = job.Lora is null ? null : job.Lora with { From = null },
        };
        hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(decisive, SidecarJson.Default.TuneJob));
        hash.AppendData(HashOf(job.Data));
        foreach (string file in model.Weights.Files.Order(StringComparer.Ordinal)) hash.AppendData(HashOf(file));
        if (job.EarlyStopping is not null && job.HeldOut is { } heldOut) hash.AppendData(HashOf(heldOut));
        if (job.Lora?.From is { } from)
        {
            hash.AppendData(HashOf(Path.Combine(from, AdapterConfig.FileName)));
            hash.AppendData(HashOf(Path.Combine(from, AdapterFolder.WeightsFileName)));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static byte[] HashOf(string path)
    {
        using var stream = File.OpenRead(path);
        return SHA256.HashData(stream);
    }
}
