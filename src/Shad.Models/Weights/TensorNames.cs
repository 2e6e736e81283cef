namespace Shad.Models.Weights;

/// <summary>Names of the tensors of the Llama family in a Hugging Face folder; those of any model are <see cref="TensorNaming"/>'s.</summary>
public static class TensorNames
{
    /// <summary>Token embedding, <c>[V,H]</c>.</summary>
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary>RMS norm after the last layer, <c>[H]</c>.</summary>
    public const string FinalNorm = "model.norm.weight";

    /// <summary>LM head, <c>[V,H]</c>; absent where it is tied to the embedding.</summary>
    public const string Head = "lm_head.weight";

    /// <summary>Names of the tensors of a layer.</summary>
    /// <param name="index">The layer, from 0.</param>
    public static LayerTensorNames Layer(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        return new LayerTensorNames($"model.layers.{index}");
    }
}

/// <summary>Names of the tensors of one layer.</summary>
/// <param name="Prefix"><c>model.layers.N</c>.</param>
public readonly record struct LayerTensorNames(string Prefix)
{
    /// <summary>RMS norm before attention, <c>[H]</c>.</summary>
    public string InputNorm => Prefix + ".input_layernorm.weight";

    /// <summary>Query projection, <c>[heads × headSize, H]</c>.</summary>
    public LinearTensorNames Query => new(Prefix + ".self_attn.q_proj");

    /// <summary>Key projection, <c>[KV heads × headSize, H]</c>.</summary>
    public LinearTensorNames Key => new(Prefix + ".self_attn.k_proj");

    /// <summary>Value projection, <c>[KV heads × headSize, H]</c>.</summary>
    public LinearTensorNames Value => new(Prefix + ".self_attn.v_proj");

    /// <summary>Attention output projection, <c>[H, heads × headSize]</c>.</summary>
    public LinearTensorNames Output => new(Prefix + ".self_attn.o_proj");

    /// <summary>RMS norm of each query head, <c>[headSize]</c> (Qwen3).</summary>
    public string QueryNorm => Prefix + ".self_attn.q_norm.weight";

    /// <summary>RMS norm of each key head, <c>[headSize]</c> (Qwen3).</summary>
    public string KeyNorm => Prefix + ".self_attn.k_norm.weight";

    /// <summary>RMS norm before the MLP, <c>[H]</c>.</summary>
    public string PostAttentionNorm => Prefix + ".post_attention_layernorm.weight";

    /// <summary>Gate projection of the MLP, <c>[intermediate, H]</c>.</summary>
    public LinearTensorNames Gate => new(Prefix + ".mlp.gate_proj");

    /// <summary>Up projection of the MLP, <c>[intermediate, H]</c>.</summary>
    public LinearTensorNames Up => new(Prefix + ".mlp.up_proj");

    /// <summary>Down projection of the MLP, <c>[H, intermediate]</c>.</summary>
    public LinearTensorNames Down => new(Prefix + ".mlp.down_proj");
}

/// <summary>Names of the tensors of one linear layer.</summary>
/// <param name="Path">The module, without <c>.weight</c>: <c>model.layers.0.self_attn.q_proj</c>.</param>
public readonly record struct LinearTensorNames(string Path)
{
    /// <summary>The matrix, <c>[out, in]</c>.</summary>
    public string Weight => Path + ".weight";

    /// <summary>The bias, <c>[out]</c>; not every model has one.</summary>
    public string Bias => Path + ".bias";

    /// <summary>The module's path.</summary>
    public override string ToString() => Path;
}
