namespace Shad.Models.Configuration;

/// <summary>What a norm computes.</summary>
public enum NormKind
{
    /// <summary><c>x / √(mean(x²) + ε) · w</c> (Zhang and Sennrich, arXiv:1910.07467).</summary>
    RootMeanSquare,

    /// <summary>The same with <c>1 + w</c> in place of <c>w</c> (Gemma).</summary>
    RootMeanSquareOfOnePlus,

    /// <summary><c>(x − mean(x)) / √(var(x) + ε) · w + b</c> (Ba et al., arXiv:1607.06450).</summary>
    LayerNorm,
}

/// <summary>Where the norms of a layer are.</summary>
public enum NormPlacement
{
    /// <summary>Before attention and before the MLP.</summary>
    Before,

    /// <summary>Behind attention and behind the MLP, before their sums with the residual stream (OLMo 2).</summary>
    Behind,

    /// <summary>Both (Gemma 2 and 3).</summary>
    BeforeAndBehind,
}

/// <summary>Norms of queries and keys before they are rotated.</summary>
public enum QueryKeyNorm
{
    /// <summary>None.</summary>
    None,

    /// <summary>Over each head by itself, with one weight for all heads, <c>[headSize]</c> (Qwen3, Gemma 3).</summary>
    EachHead,

    /// <summary>Over all heads together, <c>[heads · headSize]</c> (OLMo 2).</summary>
    WholeWidth,
}

/// <summary>The function between the MLP's products.</summary>
public enum Activation
{
    /// <summary><c>x · sigmoid(x)</c>: <c>silu</c>, <c>swish</c>.</summary>
    Silu,

    /// <summary><c>x · Φ(x)</c> (Hendrycks and Gimpel, arXiv:1606.08415): <c>gelu</c>.</summary>
    Gelu,

    /// <summary><c>x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))</c>: <c>gelu_pytorch_tanh</c>, <c>gelu_new</c>.</summary>
    GeluTanh,
}
