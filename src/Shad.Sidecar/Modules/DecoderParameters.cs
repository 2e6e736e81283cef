using Shad.Core.Randomness;
using Shad.Core.Tuning;
using Shad.Models.Adapters;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>
/// The values of a decoder. All tuned parameters lie in one float32 buffer and their gradients in another of the same layout, so
/// that an optimizer step is a few operations on long vectors instead of many on small tensors; frozen parameters lie in a third.
/// </summary>
/// <remarks>
/// Layout of the tuned buffer, chosen so that each of the ranges below is contiguous:
/// <code>
/// | untied head | projections | biases | tied embedding | norms | untied embedding, positions |
/// |&lt;------- decays ---------&gt;|
/// |&lt;----------- has a bfloat16 copy ------------------&gt;|
///               |&lt;- gradient arrives in bfloat16 -&gt;|
/// </code>
/// The head's gradient is computed outside of autograd (<see cref="HeadLoss"/>) and added in float32. Low-rank adapters
/// (<see cref="TunedPart.Adapter"/>) count as projections; where there are any, the tuned buffer holds nothing else.
/// </remarks>
public sealed class DecoderParameters : IDisposable
{
    private readonly List<ParameterBlock> _blocks = [];
    private readonly List<ParameterBlock> _adapterBlocks = [];
    private readonly List<IDisposable> _owned = [];
    private readonly Dictionary<string, Tensor> _byName = [];
    private readonly TunePrecision _precision;
    private Tensor? _halfValues;
    private Tensor? _halfGradient;
    private long _halfGradientStart;

    /// <summary>Allocates the parameters of a model; their values are undefined until <see cref="Load"/>.</summary>
    /// <param name="config">The model.</param>
    /// <param name="tuned">What is tuned.</param>
    /// <param name="precision">Number format of the matrix products.</param>
    /// <param name="device">Where the values live.</param>
    public DecoderParameters(DecoderConfig config, TunedPart tuned, TunePrecision precision, Device device)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tuned);
        Config = config;
        Tuned = tuned;
        _precision = precision;
        Embedding = Add(ParameterKind.Embedding, tuned.IncludesEmbedding, new ParameterPart(config.Naming.Embedding, [config.VocabularySize, config.HiddenSize]));
        if (config.LearnedPositions)
        {
            Positions = Add(
                ParameterKind.Embedding, tuned.IncludesEmbedding, new ParameterPart(config.Naming.Positions, [config.ContextLength, config.HiddenSize]));
        }

        Layers = new LayerParameters[config.LayerCount];
        for (int i = 0; i < Layers.Length; i++)
        {
            Layers[i] = AddLayer(i, tuned.Includes(i, config.LayerCount));
            foreach (var block in Layers[i].Projections) Adapt(block, i);
        }

        FinalNorm = AddNorm(NormModule.Final(config), tuned.IncludesTop);
        Head = config.TiedHead
            ? Embedding
            : Add(ParameterKind.Matrix, tuned.IncludesTop, new ParameterPart(config.Naming.Head, [config.VocabularySize, config.HiddenSize]));
        Allocate(device);
    }

    /// <summary>The model.</summary>
    public DecoderConfig Config { get; }

    /// <summary>What is tuned.</summary>
    public TunedPart Tuned { get; }

    /// <summary>Token embedding, <c>[V,H]</c>.</summary>
    public ParameterBlock Embedding { get; }

    /// <summary>The layers, <c>[L]</c>.</summary>
    internal LayerParameters[] Layers { get; }

    /// <summary>Learned positions, <c>[context length, H]</c>; null where the model has none.</summary>
    public ParameterBlock? Positions { get; }

    /// <summary>The last norm.</summary>
    internal NormParameters FinalNorm { get; }

    /// <summary>LM head, <c>[V,H]</c>: the very same block as <see cref="Embedding"/> where the head is tied.</summary>
    public ParameterBlock Head { get; }

    /// <summary>All tuned values, float32 <c>[P]</c>.</summary>
    public Tensor Values { get; private set; } = null!;

    /// <summary>Their gradient, float32 <c>[P]</c>.</summary>
    public Tensor Gradient { get; private set; } = null!;

    /// <summary>Leading values of <see cref="Values"/> on which weight decay acts.</summary>
    public long DecayedCount { get; private set; }

    /// <summary>Tuned parameters, <c>P</c>.</summary>
    public long TunedCount { get; private set; }

    /// <summary>All parameters, those of adapters included.</summary>
    public long TotalCount { get; private set; }

    /// <summary>The blocks of the model, in its order.</summary>
    public IReadOnlyList<ParameterBlock> Blocks => _blocks;

    /// <summary>The blocks of the adapters, in the order of the model; empty where there are none.</summary>
    public IReadOnlyList<ParameterBlock> AdapterBlocks => _adapterBlocks;

    /// <summary>Names of the Hugging Face tensors, in the order of the model.</summary>
    public IEnumerable<ParameterPart> Parts => _blocks.SelectMany(static block => block.Parts);

    /// <summary>The tensors of the adapters by PEFT's names, in the order of the model.</summary>
    public IEnumerable<ParameterPart> AdapterParts => _adapterBlocks.SelectMany(static block => block.Parts);

    /// <summary>The float32 values of a Hugging Face tensor, of the shape it has in the file, or of one of an adapter; a view, not a
    /// copy.</summary>
    public Tensor this[string name] => _byName[name];

    /// <summary>Reads all values from a model's weights, one tensor at a time.</summary>
    public void Load(ModelWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        foreach (var part in Parts)
        {
            if (part.IsTransposed) _byName[part.Name].copy_(tensor(weights.ReadFloat32(part.Name), part.StoredShape));
            else TensorMemory.Write(_byName[part.Name], weights.ReadFloat32(part.Name));
        }

        foreach (var block in _blocks)
        {
            if (block is { IsTuned: false, Half: { } half }) half.copy_(block.Master);
        }

        RefreshHalf();
    }

    /// <summary>
    /// Begins the adapters as PEFT does, with the model unchanged: B = 0 and A uniform within <c>±1/√in</c> (Kaiming, a = √5).
    /// </summary>
    /// <param name="seed">Seed of A.</param>
    public void BeginAdapters(ulong seed)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        Values.zero_();
        ulong stream = 0;
        foreach (var adapter in Layers.SelectMany(static layer => layer.Projections).Select(static block => block.Adapter))
        {
            if (adapter is null) continue;
            var random = new SeededRandom(seed).Fork(stream++);
            double bound = 1 / Math.Sqrt(adapter.Down.Shape[1]);
            var values = new float[adapter.Down.ElementCount];
            for (int i = 0; i < values.Length; i++) values[i] = (float)((random.NextDouble() * 2 - 1) * bound);
            TensorMemory.Write(adapter.Down.Master, values);
        }

        RefreshHalf();
    }

    /// <summary>Begins with the values of an adapter that was trained before.</summary>
    /// <param name="adapter">One of the same rank and targets.</param>
    public void BeginAdapters(AdapterFolder adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        Values.zero_();
        foreach (string weight in adapter.AdaptedWeights)
        {
            TensorMemory.Write(_byName[AdapterModules.Down(weight)], adapter.ReadDown(weight));
            TensorMemory.Write(_byName[AdapterModules.Up(weight)], adapter.ReadUp(weight));
        }

        RefreshHalf();
    }

    /// <summary>Brings the bfloat16 copies up to date after <see cref="Values"/> changed.</summary>
    public void RefreshHalf()
    {
        if (_halfValues is null) return;
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        _halfValues.copy_(Values.narrow(0, 0, _halfValues.shape[0]));
    }

    /// <summary>Adds the gradients that arrived in bfloat16 since the last call to <see cref="Gradient"/>.</summary>
    public void CollectHalfGradient()
    {
        if (_halfGradient is null) return;
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        Gradient.narrow(0, _halfGradientStart, _halfGradient.shape[0]).add_(_halfGradient);
        _halfGradient.zero_();
    }

    /// <summary>Sets every gradient to zero.</summary>
    public void ClearGradient()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        Gradient.zero_();
        _halfGradient?.zero_();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _owned) tensor.Dispose();
        _owned.Clear();
    }

    private LayerParameters AddLayer(int index, bool tuned)
    {
        var modules = LayerModules.Of(Config, index);
        return new LayerParameters
        {
            AttentionNorm = Norm(modules.AttentionNorm),
            QueryKeyValue = Matrix(modules.Attention),
            QueryKeyValueBias = Bias(modules.Attention),
            QueryNorm = Norm(modules.QueryNorm),
            KeyNorm = Norm(modules.KeyNorm),
            Output = Matrix([modules.OutputModule]),
            OutputBias = Bias([modules.OutputModule]),
            AfterAttentionNorm = Norm(modules.AfterAttentionNorm),
            MlpNorm = Norm(modules.MlpNorm),
            Inner = Matrix(modules.Mlp),
            InnerBias = Bias(modules.Mlp),
            Down = Matrix([modules.DownModule]),
            DownBias = Bias([modules.DownModule]),
            AfterMlpNorm = Norm(modules.AfterMlpNorm),
            IsTuned = tuned || AdapterModules.NamesOf(Config).Any(module => Tuned.Adapts(index, module)),
        };

        NormParameters? Norm(NormModule? module) => module is null ? null : AddNorm(module, tuned);

        ParameterBlock Matrix(IReadOnlyList<LinearModule> modules) => Add(
            ParameterKind.Matrix, tuned,
            [.. modules.Select(static module => new ParameterPart(module.Weight, [module.Outputs, module.Inputs], module.InputsFirst))]);

        ParameterBlock? Bias(IReadOnlyList<LinearModule> modules) => modules[0].HasBias
            ? Add(ParameterKind.Bias, tuned, [.. modules.Select(static module => new ParameterPart(module.Bias!, [module.Outputs]))])
            : null;
    }

    private NormParameters AddNorm(NormModule module, bool tuned) => new(
        Add(ParameterKind.Norm, tuned, new ParameterPart(module.Weight, [module.Width])),
        module.Bias is { } bias ? Add(ParameterKind.Norm, tuned, new ParameterPart(bias, [module.Width])) : null);

    private ParameterBlock Add(ParameterKind kind, bool tuned, params ParameterPart[] parts)
    {
        var block = new ParameterBlock(kind, tuned, parts);
        _blocks.Add(block);
        return block;
    }

    /// <summary>Gives a projection's block the adapters of its parts that get one.</summary>
    private void Adapt(ParameterBlock block, int layer)
    {
        if (Tuned.Adapter is not { } adapter) return;
        var adapted = block.Parts.Where(part => Tuned.Adapts(layer, AdapterModules.NameOf(part.Name))).ToList();
        if (adapted.Count == 0) return;
        ParameterBlock New(IEnumerable<ParameterPart> parts)
        {
            var added = new ParameterBlock(ParameterKind.Matrix, true, [.. parts]);
            _adapterBlocks.Add(added);
            return added;
        }

        var down = New(adapted.Select(part => new ParameterPart(AdapterModules.Down(part.Name), [adapter.Rank, part.Shape[1]])));
        var up = block.Parts.Select(part =>
            adapted.Contains(part) ? New([new ParameterPart(AdapterModules.Up(part.Name), [part.Shape[0], adapter.Rank])]) : null);
        block.Adapter = new BlockAdapter(down, [.. up], adapter.Rank, adapter.Scale);
    }

    private void Allocate(Device device)
    {
        bool half = _precision == TunePrecision.BFloat16;
        var tuned = _blocks.Where(static block => block.IsTuned).Concat(_adapterBlocks).OrderBy(Place).ToList();
        var frozen = _blocks.Where(static block => !block.IsTuned).ToList();
        TunedCount = tuned.Sum(static block => block.ElementCount);
        TotalCount = TunedCount + frozen.Sum(static block => block.ElementCount);
        DecayedCount = tuned.Where(static block => block.Kind == ParameterKind.Matrix).Sum(static block => block.ElementCount);

        Values = Own(zeros(TunedCount, float32, device));
        Gradient = Own(zeros(TunedCount, float32, device));
        View(tuned, Values, static (block, view) => block.Master = view);
        View(tuned, Gradient, static (block, view) => block.Gradient = view);
        if (frozen.Count > 0)
        {
            var values = Own(zeros(TotalCount - TunedCount, float32, device));
            View(frozen, values, static (block, view) => block.Master = view);
        }

        var inHalfProducts = tuned.Where(HasHalf).ToList();
        var halfGradients = inHalfProducts.Where(block => block != Head && block != Embedding).ToList();
        if (half)
        {
            _halfValues = Own(zeros(inHalfProducts.Sum(static block => block.ElementCount), bfloat16, device));
            View(inHalfProducts, _halfValues, static (block, view) => block.Half = view);
            foreach (var block in frozen.Where(HasHalf)) block.Half = Own(zeros(block.Shape, bfloat16, device));
            _halfGradientStart = Head is { Kind: ParameterKind.Matrix, IsTuned: true } ? Head.ElementCount : 0;
            _halfGradient = Own(zeros(halfGradients.Sum(static block => block.ElementCount), bfloat16, device));
            View(halfGradients, _halfGradient, static (block, view) => block.Half!.requires_grad_().grad = view);
        }

        foreach (var block in tuned)
        {
            // The head's gradient does not pass through autograd; a projection's arrives at its copy, if it has one.
            bool reached = block == Embedding || (block != Head && !(half && halfGradients.Contains(block)));
            if (reached) block.Master.requires_grad_().grad = block.Gradient!;
        }

        foreach (var block in _blocks.Concat(_adapterBlocks))
        {
            long row = 0;
            foreach (var part in block.Parts)
            {
                using var detached = block.Master.detach();
                var view = detached.narrow(0, row, part.Shape[0]);
                _byName[part.Name] = Own(part.IsTransposed ? view.t() : view);
                row += part.Shape[0];
            }
        }
    }

    /// <summary>The place of a tuned block in the layout of the remarks above.</summary>
    private int Place(ParameterBlock block) => block.Kind switch
    {
        ParameterKind.Matrix => block == Head ? 0 : 1,
        ParameterKind.Bias => 2,
        ParameterKind.Embedding => block == Embedding && Config.TiedHead ? 3 : 5,
        _ => 4,
    };

    private bool HasHalf(ParameterBlock block) =>
        block.Kind is ParameterKind.Matrix or ParameterKind.Bias || (block == Embedding && Config.TiedHead);

    private void View(IEnumerable<ParameterBlock> members, Tensor buffer, Action<ParameterBlock, Tensor> assign)
    {
        long start = 0;
        foreach (var block in members)
        {
            using var slice = buffer.narrow(0, start, block.ElementCount);
            assign(block, Own(slice.view(block.Shape)));
            start += block.ElementCount;
        }
    }

    private Tensor Own(Tensor tensor)
    {
        var kept = tensor.DetachFromDisposeScope();
        _owned.Add(kept);
        return kept;
    }
}

/// <summary>The parameters of a norm.</summary>
/// <param name="Scale">Its scale.</param>
/// <param name="Bias">Its bias; null where it has none.</param>
internal sealed record NormParameters(ParameterBlock Scale, ParameterBlock? Bias);

/// <summary>The parameters of one layer.</summary>
internal sealed class LayerParameters
{
    public NormParameters? AttentionNorm { get; init; }

    /// <summary><c>[(heads + 2 · KV heads) · D, H]</c>.</summary>
    public required ParameterBlock QueryKeyValue { get; init; }

    public ParameterBlock? QueryKeyValueBias { get; init; }

    public NormParameters? QueryNorm { get; init; }

    public NormParameters? KeyNorm { get; init; }

    public required ParameterBlock Output { get; init; }

    public ParameterBlock? OutputBias { get; init; }

    public NormParameters? AfterAttentionNorm { get; init; }

    public NormParameters? MlpNorm { get; init; }

    /// <summary>Gate and up, <c>[2 · intermediate, H]</c>; up alone where the MLP has no gate.</summary>
    public required ParameterBlock Inner { get; init; }

    public ParameterBlock? InnerBias { get; init; }

    public required ParameterBlock Down { get; init; }

    public ParameterBlock? DownBias { get; init; }

    public NormParameters? AfterMlpNorm { get; init; }

    /// <summary>True where the layer, or an adapter of it, is tuned.</summary>
    public required bool IsTuned { get; init; }

    /// <summary>The blocks of matrix products, in the order of the forward pass.</summary>
    public IEnumerable<ParameterBlock> Projections => [QueryKeyValue, Output, Inner, Down];
}
