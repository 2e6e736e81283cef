using Shad.Models.Configuration;
using Shad.Models.Families;
using Shad.Models.Weights;

namespace Shad.Models.Adapters;

/// <summary>Which projections an adapter can change, and the names of its tensors in PEFT's layout.</summary>
public static class AdapterModules
{
    private const string Prefix = "base_model.model.", WeightSuffix = ".weight";
    private const string DownSuffix = ".lora_A.weight", UpSuffix = ".lora_B.weight";

    /// <summary>The matrices of a layer that an adapter can change, by PEFT's names: those of the Llama family, and what other families
    /// call theirs.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", .. NamesOfOthers()];

    /// <summary>The names of a model's matrices, each once, in the order of the forward pass.</summary>
    public static IReadOnlyList<string> NamesOf(DecoderConfig config) =>
        [.. LayerModules.Of(config, 0).Linears.Select(static module => module.Name).Distinct()];

    /// <summary>The name of a projection within its layer: <c>q_proj</c> of <c>model.layers.0.self_attn.q_proj.weight</c>.</summary>
    /// <param name="weight">Name of the projection's matrix.</param>
    public static string NameOf(string weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        string module = weight[..^WeightSuffix.Length];
        return module[(module.LastIndexOf('.') + 1)..];
    }

    /// <summary>Name of A, <c>[r, in]</c>, in an adapter's file.</summary>
    /// <param name="weight">Name of the matrix it adapts.</param>
    public static string Down(string weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return PathOf(weight) + DownSuffix;
    }

    /// <summary>Name of B, <c>[out, r]</c>, in an adapter's file.</summary>
    /// <param name="weight">Name of the matrix it adapts.</param>
    public static string Up(string weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return PathOf(weight) + UpSuffix;
    }

    // PEFT knows a module by its place in the model with its head, however the base model's tensors are called.
    private static string PathOf(string weight)
    {
        string module = weight[..^WeightSuffix.Length];
        var naming = DecoderFamily.All.Select(static family => family.Naming)
            .FirstOrDefault(naming => module.StartsWith(naming.WithoutBase().Layers, StringComparison.Ordinal));
        return Prefix + naming?.Base + module;
    }

    private static IEnumerable<string> NamesOfOthers() => DecoderFamily.All
        .SelectMany(static family => (string[])[
            family.Naming.Query, family.Naming.Key, family.Naming.Value, family.Naming.Output, family.Naming.Gate, family.Naming.Up,
            family.Naming.Down,
        ])
        .Select(static path => path[(path.LastIndexOf('.') + 1)..])
        .Distinct()
        .Except(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]);
}
