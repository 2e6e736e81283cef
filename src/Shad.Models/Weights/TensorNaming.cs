namespace Shad.Models.Weights;

/// <summary>
/// What the tensors of an architecture are called. Names of a layer's modules are given without the layer's prefix and without
/// <c>.weight</c>. Projections of one name are one matrix, their rows below each other in the order query, key, value or gate, up.
/// </summary>
public sealed record TensorNaming
{
    /// <summary>The names of the Llama family, which most others took over.</summary>
    public static TensorNaming Llama { get; } = new();

    /// <summary>Token embedding, <c>[V,H]</c>.</summary>
    public string Embedding { get; init; } = TensorNames.Embedding;

    /// <summary>Learned positions, <c>[context length, H]</c>.</summary>
    public string Positions { get; init; } = "";

    /// <summary>LM head, <c>[V,H]</c>; absent where it is tied to the embedding.</summary>
    public string Head { get; init; } = TensorNames.Head;

    /// <summary>Norm after the last layer.</summary>
    public string FinalNorm { get; init; } = "model.norm";

    /// <summary>What begins the names of a layer's tensors, before its number.</summary>
    public string Layers { get; init; } = "model.layers.";

    /// <summary>Norm before attention.</summary>
    public string AttentionNorm { get; init; } = "input_layernorm";

    /// <summary>Norm behind attention.</summary>
    public string AfterAttentionNorm { get; init; } = "post_attention_layernorm";

    /// <summary>Norm before the MLP.</summary>
    public string MlpNorm { get; init; } = "post_attention_layernorm";

    /// <summary>Norm behind the MLP.</summary>
    public string AfterMlpNorm { get; init; } = "post_feedforward_layernorm";

    /// <summary>Norm of the queries.</summary>
    public string QueryNorm { get; init; } = "self_attn.q_norm";

    /// <summary>Norm of the keys.</summary>
    public string KeyNorm { get; init; } = "self_attn.k_norm";

    /// <summary>Query projection.</summary>
    public string Query { get; init; } = "self_attn.q_proj";

    /// <summary>Key projection.</summary>
    public string Key { get; init; } = "self_attn.k_proj";

    /// <summary>Value projection.</summary>
    public string Value { get; init; } = "self_attn.v_proj";

    /// <summary>Attention output projection.</summary>
    public string Output { get; init; } = "self_attn.o_proj";

    /// <summary>Gate projection of the MLP.</summary>
    public string Gate { get; init; } = "mlp.gate_proj";

    /// <summary>Up projection of the MLP.</summary>
    public string Up { get; init; } = "mlp.up_proj";

    /// <summary>Down projection of the MLP.</summary>
    public string Down { get; init; } = "mlp.down_proj";

    /// <summary>True where the matrices of the layers are stored <c>[in, out]</c> (GPT-2's <c>Conv1D</c>).</summary>
    public bool InputsFirst { get; init; }

    /// <summary>Ends of the names of buffers that checkpoints may hold and that are computed from the config.</summary>
    public IReadOnlyList<string> Buffers { get; init; } = [".rotary_emb.inv_freq"];

    /// <summary>What the model with its head puts before the names of the model without: <c>model.</c></summary>
    public string Base => Layers[..(Layers.IndexOf('.') + 1)];

    /// <summary>The same names without <see cref="Base"/>, as a model without its head is saved.</summary>
    public TensorNaming WithoutBase()
    {
        int length = Base.Length;
        return this with
        {
            Embedding = Embedding[length..], Positions = Positions.Length > 0 ? Positions[length..] : "", FinalNorm = FinalNorm[length..],
            Layers = Layers[length..],
        };
    }

    /// <summary>What begins the names of a layer's tensors, the dot behind its number included.</summary>
    public string PrefixOf(int layer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        return $"{Layers}{layer}.";
    }
}
