namespace Shad.Core.Tuning;

/// <summary>
/// Low-rank adaptation (Hu et al., arXiv:2106.09685): every chosen projection computes <c>W·x + s·B·(A·dropout(x))</c>, and only
/// A <c>[r, in]</c> and B <c>[out, r]</c> are tuned; <c>s = alpha / r</c>, or <c>alpha / √r</c> where rank-stabilized (arXiv:2312.03732).
/// Names and layout are those of Hugging Face PEFT.
/// </summary>
public sealed record LoraSettings
{
    /// <summary>The name in <see cref="Targets"/> that stands for every projection of the layers.</summary>
    public const string AllLinear = "all-linear";

    /// <summary><see cref="Rank"/> where neither it nor <see cref="From"/> is given.</summary>
    public const int DefaultRank = 8;

    /// <summary>Rank r; null is <see cref="DefaultRank"/>, or that of <see cref="From"/>.</summary>
    public int? Rank { get; init; }

    /// <summary>alpha; null is twice the rank, or that of <see cref="From"/>.</summary>
    public double? Alpha { get; init; }

    /// <summary>Share of the inputs of A that are set to 0 in a training step, the others scaled up to make up for it; from 0, below 1.
    /// Projections that share their input (query, key and value; gate and up) share its mask.</summary>
    public double Dropout { get; init; }

    /// <summary>The adapted projections: <c>q_proj</c>, <c>k_proj</c>, <c>v_proj</c>, <c>o_proj</c>, <c>gate_proj</c>, <c>up_proj</c>,
    /// <c>down_proj</c>, or <see cref="AllLinear"/>, which is the default; null with <see cref="From"/> takes those of the adapter.</summary>
    public IReadOnlyList<string>? Targets { get; init; }

    /// <summary>Scale by <c>alpha / √r</c>; null is false, or as <see cref="From"/> has it.</summary>
    public bool? RankStabilized { get; init; }

    /// <summary>Folder of an adapter in PEFT's layout to start from; null starts with B = 0, so with the model as it is.</summary>
    public string? From { get; init; }
}
