using Shad.Models.Configuration;

namespace Shad.Models.Weights;

/// <summary>A norm's tensors.</summary>
/// <param name="Path">The module, without <c>.weight</c>.</param>
/// <param name="Width">Values of each tensor.</param>
/// <param name="HasBias">True where it has a bias.</param>
public sealed record NormModule(string Path, long Width, bool HasBias)
{
    /// <summary>The scale, <c>[width]</c>.</summary>
    public string Weight => Path + ".weight";

    /// <summary>The bias, <c>[width]</c>; null where it has none.</summary>
    public string? Bias => HasBias ? Path + ".bias" : null;

    /// <summary>The norm after the last layer.</summary>
    public static NormModule Final(DecoderConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return new NormModule(config.Naming.FinalNorm, config.HiddenSize, config.Norm == NormKind.LayerNorm);
    }
}

/// <summary>A matrix of a layer, as it is stored.</summary>
/// <param name="Path">The module, without <c>.weight</c>.</param>
/// <param name="Outputs">Width of its results.</param>
/// <param name="Inputs">Width of what it is applied to.</param>
/// <param name="HasBias">True where it has a bias.</param>
/// <param name="InputsFirst">True where it is stored <c>[in, out]</c>.</param>
public sealed record LinearModule(string Path, long Outputs, long Inputs, bool HasBias, bool InputsFirst)
{
    /// <summary>The matrix.</summary>
    public string Weight => Path + ".weight";

    /// <summary>The bias, <c>[out]</c>; null where it has none.</summary>
    public string? Bias => HasBias ? Path + ".bias" : null;

    /// <summary>Shape of the matrix as stored.</summary>
    public long[] Shape => InputsFirst ? [Inputs, Outputs] : [Outputs, Inputs];

    /// <summary>The name within its layer by which PEFT knows it: <c>q_proj</c>.</summary>
    public string Name => Path[(Path.LastIndexOf('.') + 1)..];
}

/// <summary>A projection: some of the results of a matrix, or all.</summary>
/// <param name="Module">The matrix.</param>
/// <param name="First">The first result that belongs to the projection.</param>
/// <param name="Width">How many do.</param>
public readonly record struct Projection(LinearModule Module, long First, long Width)
{
    /// <summary>True where the matrix is this projection and nothing else.</summary>
    public bool IsWhole => Width == Module.Outputs;
}

/// <summary>The modules of one layer: which there are, what they are called, and which are stored as one.</summary>
public sealed class LayerModules
{
    private LayerModules(IReadOnlyList<LinearModule> attention, LinearModule output, IReadOnlyList<LinearModule> mlp, LinearModule down)
    {
        Attention = attention;
        OutputModule = output;
        Mlp = mlp;
        DownModule = down;
    }

    /// <summary>Norm before attention; null for none.</summary>
    public NormModule? AttentionNorm { get; private init; }

    /// <summary>Norm behind attention; null for none.</summary>
    public NormModule? AfterAttentionNorm { get; private init; }

    /// <summary>Norm before the MLP; null for none.</summary>
    public NormModule? MlpNorm { get; private init; }

    /// <summary>Norm behind the MLP; null for none.</summary>
    public NormModule? AfterMlpNorm { get; private init; }

    /// <summary>Norm of the queries; null for none.</summary>
    public NormModule? QueryNorm { get; private init; }

    /// <summary>Norm of the keys; null for none.</summary>
    public NormModule? KeyNorm { get; private init; }

    /// <summary>The matrices of query, key and value, one below the other: three, or one of all.</summary>
    public IReadOnlyList<LinearModule> Attention { get; }

    /// <summary>The matrix of the attention's output.</summary>
    public LinearModule OutputModule { get; }

    /// <summary>The matrices of gate and up, one below the other: two, or one of both; one where the MLP has no gate.</summary>
    public IReadOnlyList<LinearModule> Mlp { get; }

    /// <summary>The MLP's last matrix.</summary>
    public LinearModule DownModule { get; }

    /// <summary>Query projection, <c>[heads · headSize, H]</c>.</summary>
    public Projection Query { get; private init; }

    /// <summary>Key projection, <c>[KV heads · headSize, H]</c>.</summary>
    public Projection Key { get; private init; }

    /// <summary>Value projection, <c>[KV heads · headSize, H]</c>.</summary>
    public Projection Value { get; private init; }

    /// <summary>Gate projection, <c>[intermediate, H]</c>; null where the MLP has none.</summary>
    public Projection? Gate { get; private init; }

    /// <summary>Up projection, <c>[intermediate, H]</c>.</summary>
    public Projection Up { get; private init; }

    /// <summary>Attention output projection, <c>[H, heads · headSize]</c>.</summary>
    public Projection Output => new(OutputModule, 0, OutputModule.Outputs);

    /// <summary>Down projection, <c>[H, intermediate]</c>.</summary>
    public Projection Down => new(DownModule, 0, DownModule.Outputs);

    /// <summary>All matrices, in the order of the forward pass.</summary>
    public IEnumerable<LinearModule> Linears => [.. Attention, OutputModule, .. Mlp, DownModule];

    /// <summary>The modules of a layer.</summary>
    public static LayerModules Of(DecoderConfig config, int layer)
    {
        ArgumentNullException.ThrowIfNull(config);
        var names = config.Naming;
        string prefix = names.PrefixOf(layer);
        long hidden = config.HiddenSize, inner = config.IntermediateSize;
        long queries = (long)config.AttentionHeads * config.HeadSize, keys = (long)config.KeyValueHeads * config.HeadSize;
        bool isBefore = config.NormPlacement != NormPlacement.Behind, isBehind = config.NormPlacement != NormPlacement.Before;
        bool each = config.QueryKeyNorm == QueryKeyNorm.EachHead;
        var attention = Stacked(config.QueryKeyValueBias, (names.Query, queries), (names.Key, keys), (names.Value, keys));
        var mlp = config.GatedMlp
            ? Stacked(config.MlpBias, (names.Gate, inner), (names.Up, inner))
            : Stacked(config.MlpBias, (names.Up, inner));
        return new LayerModules(
            [.. attention.Select(static part => part.Module).Distinct()], Linear(names.Output, hidden, queries, config.OutputBias),
            [.. mlp.Select(static part => part.Module).Distinct()], Linear(names.Down, hidden, inner, config.MlpBias))
        {
            AttentionNorm = Norm(isBefore, names.AttentionNorm, hidden),
            AfterAttentionNorm = Norm(isBehind, names.AfterAttentionNorm, hidden),
            MlpNorm = Norm(isBefore, names.MlpNorm, hidden),
            AfterMlpNorm = Norm(isBehind, names.AfterMlpNorm, hidden),
            QueryNorm = Norm(config.QueryKeyNorm != QueryKeyNorm.None, names.QueryNorm, each ? config.HeadSize : queries),
            KeyNorm = Norm(config.QueryKeyNorm != QueryKeyNorm.None, names.KeyNorm, each ? config.HeadSize : keys),
            Query = attention[0],
            Key = attention[1],
            Value = attention[2],
            Gate = config.GatedMlp ? mlp[0] : null,
            Up = mlp[^1],
        };

        NormModule? Norm(bool exists, string name, long width) =>
            exists ? new NormModule(prefix + name, width, config.Norm == NormKind.LayerNorm) : null;

        LinearModule Linear(string name, long outputs, long inputs, bool bias) => new(prefix + name, outputs, inputs, bias, names.InputsFirst);

        Projection[] Stacked(bool bias, params (string Name, long Width)[] projections)
        {
            var parts = new Projection[projections.Length];
            long first = 0;
            for (int i = 0; i < parts.Length; i++)
            {
                string name = projections[i].Name;
                if (i == 0 || projections[i - 1].Name != name) first = 0;
                long outputs = projections.Where(projection => projection.Name == name).Sum(static projection => projection.Width);
                parts[i] = new Projection(Linear(name, outputs, hidden, bias), first, projections[i].Width);
                first += projections[i].Width;
            }

            return parts;
        }
    }
}
