namespace Shad.Onnx.Kernels;

/// <summary>Sizes and settings of an attention, the same at every run.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key and value heads; a divisor of <paramref name="Heads"/>.</param>
/// <param name="HeadSize">Numbers of a head, even.</param>
/// <param name="Scale">Factor of the scores.</param>
/// <param name="Window">Keys that a query sees, itself among them; <see cref="int.MaxValue"/> where it sees all before it.</param>
/// <param name="Cap">Bound c of the scores, <c>c·tanh(score/c)</c>; 0 for none.</param>
internal readonly record struct AttentionShape(int Heads, int KeyValueHeads, int HeadSize, float Scale, int Window, float Cap)
{
    /// <summary>Query heads that share a key and value head.</summary>
    public int Group => Heads / KeyValueHeads;
}

/// <summary>The tensors of one run.</summary>
internal readonly unsafe struct AttentionInputs
{
    /// <summary><c>[Nq, heads·D]</c>.</summary>
    public required float* Query { get; init; }

    /// <summary><c>[Nk, KV heads·D]</c>.</summary>
    public required float* Key { get; init; }

    /// <summary><c>[Nk, KV heads·D]</c>.</summary>
    public required float* Value { get; init; }

    /// <summary><c>[positions, R/2]</c>.</summary>
    public required float* Cosine { get; init; }

    /// <summary><c>[positions, R/2]</c>.</summary>
    public required float* Sine { get; init; }

    /// <summary>Pairs of coordinates of a head that are rotated, R/2.</summary>
    public required int RotatedPairs { get; init; }

    /// <summary><c>[Nq]</c>.</summary>
    public required long* Positions { get; init; }

    /// <summary><c>[Nq, heads·D]</c>.</summary>
    public required float* Output { get; init; }
}
