using Shad.Models.Families;
using Shad.Models.Weights;

namespace Shad.Models.Configuration;

/// <summary>
/// What a decoder-only transformer is, read from <c>config.json</c> and the tensors present. Both backends — the TorchSharp
/// module and the ONNX graph — are built from this record and from nothing else.
/// </summary>
public sealed record DecoderConfig
{
    /// <summary><c>model_type</c>: llama, mistral, qwen2 and so on. It decides the names of the tensors, and with the other fields all
    /// else.</summary>
    public required string ModelType { get; init; }

    /// <summary>Width of the residual stream, <c>H</c>.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the MLP.</summary>
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

    /// <summary>ε of every norm.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Rotary position embedding, of the layers that <see cref="RotaryOf"/> says.</summary>
    public required RotaryEmbedding Rotary { get; init; }

    /// <summary>Rotary embedding of the layers with a sliding window (Gemma 3); null where it is <see cref="Rotary"/> as well.</summary>
    public RotaryEmbedding? WindowRotary { get; init; }

    /// <summary>Which layers rotate queries and keys, <c>[L]</c>; null means all (SmolLM3 leaves some out).</summary>
    public IReadOnlyList<bool>? RotaryLayers { get; init; }

    /// <summary>True where a learned vector of each position is added to the embedding (GPT-2).</summary>
    public bool LearnedPositions { get; init; }

    /// <summary>What every norm computes.</summary>
    public NormKind Norm { get; init; }

    /// <summary>Where the norms of a layer are.</summary>
    public NormPlacement NormPlacement { get; init; }

    /// <summary>The MLP's activation.</summary>
    public Activation Activation { get; init; }

    /// <summary>True where the MLP multiplies the activated gate with another product (SwiGLU and its kin); false for one product,
    /// activated.</summary>
    public bool GatedMlp { get; init; } = true;

    /// <summary>Factor of the embedded tokens.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Factor of what attention and MLP add to the residual stream.</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>Factor of the attention scores; null is <c>1/√headSize</c>.</summary>
    public double? ScoreScale { get; init; }

    /// <summary>Bound c of the attention scores, <c>c·tanh(score/c)</c> (Gemma 2); null for none.</summary>
    public double? ScoreCap { get; init; }

    /// <summary>Divisor of the logits.</summary>
    public double LogitDivisor { get; init; } = 1;

    /// <summary>Bound c of the logits, <c>c·tanh(logit/c)</c> (Gemma 2); null for none.</summary>
    public double? LogitCap { get; init; }

    /// <summary>Bias on the query, key and value projections (Qwen2, or <c>attention_bias</c>).</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Bias on the attention output projection.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Bias on the MLP projections (<c>mlp_bias</c>).</summary>
    public bool MlpBias { get; init; }

    /// <summary>Norms of queries and keys before rotation.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>Tokens each position attends to, itself included, in the layers of <see cref="SlidingWindowLayers"/>; null is all.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>Which layers use <see cref="SlidingWindow"/>, <c>[L]</c>; null means all layers where a window is set.</summary>
    public IReadOnlyList<bool>? SlidingWindowLayers { get; init; }

    /// <summary>True where the LM head is the embedding matrix. Decided by the weights file: a head tensor of its own wins over
    /// <c>tie_word_embeddings</c>.</summary>
    public required bool TiedHead { get; init; }

    /// <summary>True where the names of the tensors lack what the model with its head puts before those of the model without
    /// (<c>h.0.ln_1.weight</c> for <c>transformer.h.0.ln_1.weight</c>, as GPT-2 was published). Decided by the weights file.</summary>
    public bool HasBareNames { get; init; }

    /// <summary>Beginning-of-sequence token id; null where the model has none.</summary>
    public int? BeginningOfSequenceId { get; init; }

    /// <summary>End-of-sequence token ids; a config may name several.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; init; } = [];

    /// <summary>Factor of the attention scores.</summary>
    public double AttentionScale => ScoreScale ?? 1 / Math.Sqrt(HeadSize);

    /// <summary>Lengths beyond which sequences are rotated otherwise (<see cref="RotaryEmbedding.Boundary"/>): a sequence within one and a
    /// sequence beyond it cannot go through the model together. Ascending; most models have none.</summary>
    public IReadOnlyList<int> LengthBoundaries =>
        [.. new[] { Rotary.Boundary, WindowRotary?.Boundary }.OfType<int>().Where(boundary => boundary < ContextLength).Distinct().Order()];

    /// <summary>How many of <see cref="LengthBoundaries"/> a sequence is beyond.</summary>
    /// <param name="boundaries">The boundaries.</param>
    /// <param name="length">Tokens of the sequence.</param>
    public static int SideOf(IReadOnlyList<int> boundaries, int length) => boundaries.Count(boundary => length > boundary);

    /// <summary>Names of the tensors.</summary>
    public TensorNaming Naming
    {
        get
        {
            var naming = DecoderFamily.OfModelType(ModelType)?.Naming ?? TensorNaming.Llama;
            return HasBareNames ? naming.WithoutBase() : naming;
        }
    }

    /// <summary>The rotary embedding of a layer.</summary>
    public RotaryEmbedding RotaryOf(int layer)
    {
        if (RotaryLayers is not null && !RotaryLayers[layer]) return RotaryEmbedding.None;
        return WindowRotary is not null && WindowOf(layer) is not null ? WindowRotary : Rotary;
    }

    /// <summary>The window of a layer, or null where it attends to all tokens before it.</summary>
    public int? WindowOf(int layer) =>
        SlidingWindow is { } window && (SlidingWindowLayers is null || SlidingWindowLayers[layer]) ? window : null;
}
