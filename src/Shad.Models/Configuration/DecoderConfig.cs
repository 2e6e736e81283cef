namespace Shad.Models.Configuration;

/// <summary>
/// What a decoder-only transformer is, read from <c>config.json</c> and the tensors present. Both backends — the TorchSharp
/// module and the ONNX graph — are built from this record and from nothing else.
/// </summary>
public sealed record DecoderConfig
{
    /// <summary><c>model_type</c>: llama, mistral, qwen2, qwen3.</summary>
    public required string ModelType { get; init; }

    /// <summary>Width of the residual stream, <c>H</c>.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the gated MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of decoder layers, <c>L</c>.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Query heads.</summary>
    public required int AttentionHeads { get; init; }

    /// <summary>Key and value heads; divides <see cref="AttentionHeads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Vocabulary size, <c>V</c>.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Context length in tokens (<c>max_position_embeddings</c>).</summary>
    public required int ContextLength { get; init; }

    /// <summary>ε of every RMS norm.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Rotary position embedding.</summary>
    public required RotaryEmbedding Rotary { get; init; }

    /// <summary>Bias on the query, key and value projections (Qwen2, or <c>attention_bias</c>).</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Bias on the attention output projection.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Bias on the MLP projections (<c>mlp_bias</c>).</summary>
    public bool MlpBias { get; init; }

    /// <summary>RMS norm over each query and key head before rotation (Qwen3).</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Tokens each position attends to, itself included, in the layers of <see cref="SlidingWindowLayers"/>; null is all.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>Which layers use <see cref="SlidingWindow"/>, <c>[L]</c>; null means all layers where a window is set.</summary>
    public IReadOnlyList<bool>? SlidingWindowLayers { get; init; }

    /// <summary>True where the LM head is the embedding matrix. Decided by the weights file: a head tensor of its own wins over
    /// <c>tie_word_embeddings</c>.</summary>
    public required bool TiedHead { get; init; }

    /// <summary>Beginning-of-sequence token id; null where the model has none.</summary>
    public int? BeginningOfSequenceId { get; init; }

    /// <summary>End-of-sequence token ids; a config may name several.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>The window of a layer, or null where it attends to all tokens before it.</summary>
    public int? WindowOf(int layer) =>
        SlidingWindow is { } window && (SlidingWindowLayers is null || SlidingWindowLayers[layer]) ? window : null;
}
