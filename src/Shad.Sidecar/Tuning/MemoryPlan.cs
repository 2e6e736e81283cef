using System.Globalization;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Models.Adapters;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Sidecar.Modules;
using TorchSharp;

namespace Shad.Sidecar.Tuning;

/// <summary>
/// What a tune takes of the memory, worked out from the shapes before anything is allocated.
/// </summary>
/// <remarks>
/// With <c>P</c> tuned of <c>A</c> parameters, a micro-batch of <c>T</c> tokens, widths <c>H</c> (hidden), <c>Q</c> (heads · D), <c>K</c> (KV
/// heads · D), <c>I</c> (intermediate), <c>V</c> (vocabulary), and <c>e</c> bytes a value of a product (4, or 2 in bfloat16):
/// <code>
/// parameters   4·A, and 2 more for each that has a bfloat16 copy
/// gradient     4·P, and 2 more likewise
/// optimizer    8·P, and 4·P where early stopping keeps the best weights
/// a layer      norms       2 · (x, x̂: 2·4H; their product as a matrix operand: e·H)
///  (a token)   attention   rotated query and key 4(Q+K), key and value for each query head 2·4Q, projection e(Q+2K),
///                          output 4Q and its turned copy 4Q (in bfloat16 once more, 2Q); with head norms 2·4(Q+K)
///              MLP         gate and up 2·eI, silu(gate) and the product e·2I
///              bounded scores, where the model has them: 3·4·heads·longest
///              adapters    dropout's masks, 4 bytes for each input of an adapted product
/// activations  T · Σ of the layers from the lowest tuned one up; recomputed: T·4H of each, and one layer
///              whole twice: what its forward pass let go of lies in holes too small for its second one
/// workspace    one layer's gradients on their way (as much as it keeps), the largest tensor once (its gradient before it is added),
///              states of the targets 3·4H·T, three blocks of logits, the file of weights as it is read, buffers of the libraries
/// </code>
/// T is the largest a micro-batch of these samples can be: <c>max(longest, min(tokens_per_batch, samples_per_step · longest))</c>.
/// </remarks>
public sealed record MemoryPlan
{
    /// <summary>Buffers that libtorch and its matrix libraries make on first use, and code they load: measured between 100 and 200 MB.</summary>
    private const long Libraries = 160L << 20;

    private readonly long _largestTensor, _head, _layer, _states;

    /// <summary>Plans a tune.</summary>
    /// <param name="config">The model.</param>
    /// <param name="tuned">What is tuned.</param>
    /// <param name="job">How; its precision is resolved.</param>
    /// <param name="samples">The training samples.</param>
    public MemoryPlan(DecoderConfig config, TunedPart tuned, TuneJob job, IReadOnlyList<TokenizedSample> samples)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tuned);
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(samples);
        bool half = job.Precision == TunePrecision.BFloat16;
        long e = half ? 2 : 4, h = config.HiddenSize, inner = config.IntermediateSize;
        long q = (long)config.AttentionHeads * config.HeadSize, k = (long)config.KeyValueHeads * config.HeadSize;
        long embedding = config.VocabularySize * h;

        var sizes = TensorLayout.Expected(config).ToDictionary(
            static spec => spec.Name, static spec => spec.Shape.Aggregate(1L, static (product, size) => product * size));
        long all = sizes.Values.Sum(), ofTuned = 0, adapterInputs = 0;
        int lowest = config.LayerCount;
        for (int i = 0; i < config.LayerCount; i++)
        {
            string prefix = config.Naming.PrefixOf(i);
            if (tuned.Includes(i, config.LayerCount))
            {
                ofTuned += sizes.Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal)).Sum(static pair => pair.Value);
                lowest = Math.Min(lowest, i);
            }

            foreach (var module in LayerModules.Of(config, i).Linears)
            {
                if (!tuned.Adapts(i, module.Name)) continue;
                ofTuned += tuned.Adapter!.Rank * (module.Outputs + module.Inputs);
                lowest = Math.Min(lowest, i);
                if (tuned.Adapter.Dropout > 0) adapterInputs = Math.Max(adapterInputs, 2 * h + q + inner);
            }
        }

        if (tuned.IncludesEmbedding) ofTuned += embedding + (config.LearnedPositions ? config.ContextLength * h : 0);
        if (tuned.IncludesTop) ofTuned += (config.Norm == NormKind.LayerNorm ? 2 : 1) * h + (config.TiedHead ? 0 : embedding);
        if (tuned.Adapter is not null) all += ofTuned;
        if (tuned.IncludesEmbedding) lowest = 0;

        long longest = samples.Max(static sample => sample.Length);
        Tokens = Math.Max(longest, Math.Min(job.TokensPerBatch, job.SamplesPerStep * longest));
        double targetShare = samples.Max(static sample => (double)sample.TargetCount / sample.Length);
        _layer = Tokens * (2 * (8 * h + e * h)
            + 4 * (q + k) + 8 * q + e * (q + 2 * k) + 8 * q + (half ? 2 * q : 0) + (config.QueryKeyNorm != QueryKeyNorm.None ? 8 * (q + k) : 0)
            + (config.ScoreCap is null ? 0 : 3 * 4 * config.AttentionHeads * longest)
            + 4 * e * inner + 4 * adapterInputs);
        int layers = config.LayerCount - lowest;
        _states = (long)(Tokens * targetShare) * 12 * h;
        _head = 3 * 4 * Math.Max(1L << 22, 32L * config.VocabularySize);
        _largestTensor = 4 * Math.Max(embedding, 2 * inner * h);

        Parameters = 4 * all + (half ? 2 * all : 0);
        Gradient = 4 * ofTuned + (half ? 2 * ofTuned : 0);
        OptimizerState = 8 * ofTuned + (job.EarlyStopping is null ? 0 : 4 * ofTuned);
        Activations = job.GradientCheckpointing ? layers * Tokens * 4 * h + 2 * _layer : layers * _layer;
        Workspace = _layer + _states + _head + _largestTensor + Libraries;
    }

    /// <summary>Tokens of the largest micro-batch, T.</summary>
    public long Tokens { get; }

    /// <summary>All parameters with their copies, bytes.</summary>
    public long Parameters { get; }

    /// <summary>Gradient, bytes.</summary>
    public long Gradient { get; }

    /// <summary>Moments and best weights, bytes.</summary>
    public long OptimizerState { get; }

    /// <summary>What the layers keep for the backward pass, bytes.</summary>
    public long Activations { get; }

    /// <summary>Passing needs, bytes.</summary>
    public long Workspace { get; }

    /// <summary>All together, bytes.</summary>
    public long Total => Parameters + Gradient + OptimizerState + Activations + Workspace;

    /// <summary>Bytes that a process may still take here: what the system calls available, within the limit of its container. Null
    /// where the tensors do not live in the host's memory.</summary>
    public static long? Available(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.type != DeviceType.CPU) return null;
        if (Field("/proc/meminfo", "MemAvailable:") is not { } kilobytes)
        {
            var info = GC.GetGCMemoryInfo();
            return Math.Max(0, info.TotalAvailableMemoryBytes - info.MemoryLoadBytes);
        }

        long free = kilobytes << 10;
        // A container's limit (cgroup v2); file pages that nobody uses make room.
        const string group = "/sys/fs/cgroup/memory";
        if (Number(group + ".max") is not { } limit || Number(group + ".current") is not { } used) return free;
        return Math.Min(free, Math.Max(0, limit - used + (Field(group + ".stat", "inactive_file") ?? 0)));

        static long? Number(string path) =>
            File.Exists(path) && long.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out long value) ? value : null;

        static long? Field(string path, string name)
        {
            if (!File.Exists(path)) return null;
            foreach (string line in File.ReadLines(path))
            {
                string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (words.Length > 1 && words[0] == name && long.TryParse(words[1], CultureInfo.InvariantCulture, out long value)) return value;
            }

            return null;
        }
    }

    /// <summary>The event that tells the plan.</summary>
    /// <param name="available">What may be taken; null where not known.</param>
    public MemoryPlanned Event(long? available) => new()
    {
        Parameters = Parameters, Gradient = Gradient, OptimizerState = OptimizerState, Activations = Activations, Workspace = Workspace,
        Total = Total, Available = available,
        Summary = $"needs about {Size(Total)}" + (available is { } free ? $"; {Size(free)} free" : ""),
    };

    /// <summary>Refuses a tune that does not fit, with what would.</summary>
    /// <exception cref="Core.Errors.ShadException">It takes more than there is.</exception>
    public static void Require(
        DecoderConfig config, TunedPart tuned, TuneJob job, IReadOnlyList<TokenizedSample> samples, long total, long available)
    {
        ArgumentNullException.ThrowIfNull(job);
        if (total <= available) return;
        var ways = new List<string>();
        bool Fits(TuneJob other, TunedPart part, out long need) => (need = new MemoryPlan(config, part, other, samples).Total) <= available;
        void Try(string way, TuneJob other, TunedPart part)
        {
            if (Fits(other, part, out long need)) ways.Add($"{way} (about {Size(need)})");
        }

        for (int tokens = job.TokensPerBatch / 2; tokens >= 256; tokens /= 2)
        {
            var smaller = job with { TokensPerBatch = tokens };
            if (!Fits(smaller, tuned, out long need)) continue;
            ways.Add($"tokens_per_batch: {tokens} (about {Size(need)})");
            break;
        }

        if (!job.GradientCheckpointing) Try("gradient_checkpointing: true", job with { GradientCheckpointing = true }, tuned);
        var adapters = TunedPart.Of(new AdapterConfig { Rank = LoraSettings.DefaultRank, Alpha = 1, Targets = AdapterModules.NamesOf(config) });
        if (tuned.Adapter is null)
        {
            Try("adapters (lora)", job, adapters);
            Try("adapters with gradient_checkpointing", job with { GradientCheckpointing = true, TokensPerBatch = 1 }, adapters);
        }

        throw SidecarErrors.DoesNotFit(Size(total), Size(available), ways);
    }

    /// <summary>A size for people: <c>3.1 GiB</c>.</summary>
    public static string Size(long bytes) => bytes >= 1L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(bytes / (double)(1L << 20)):0} MiB");
}
