using Shad.Models.Weights;

namespace Shad.Models.Adapters;

/// <summary>Which projections an adapter can change, and the names of its tensors in PEFT's layout.</summary>
public static class AdapterModules
{
    private const string Prefix = "base_model.model.", WeightSuffix = ".weight";
    private const string DownSuffix = ".lora_A.weight", UpSuffix = ".lora_B.weight";

    /// <summary>The projections of a layer, by PEFT's names.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>The projections of a layer, in the order of <see cref="Names"/>.</summary>
    public static IReadOnlyList<LinearTensorNames> Of(LayerTensorNames layer) =>
        [layer.Query, layer.Key, layer.Value, layer.Output, layer.Gate, layer.Up, layer.Down];

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
        return Prefix + weight[..^WeightSuffix.Length] + DownSuffix;
    }

    /// <summary>Name of B, <c>[out, r]</c>, in an adapter's file.</summary>
    /// <param name="weight">Name of the matrix it adapts.</param>
    public static string Up(string weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return Prefix + weight[..^WeightSuffix.Length] + UpSuffix;
    }
}
