using Shad.Models.Configuration;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Scoring;

/// <summary>How large the pieces of a forward pass may be.</summary>
/// <param name="TokensPerBatch">Most padded tokens of a batch.</param>
/// <param name="HeadRows">Most rows the LM head takes at a time.</param>
internal readonly record struct MemoryPlan(int TokensPerBatch, int HeadRows)
{
    /// <summary>Sizes that keep to the options: to the tokens asked for, and to the memory where it is bounded.</summary>
    /// <param name="options">The options.</param>
    /// <param name="trunk">The models.</param>
    /// <param name="valueSize">Bytes of an activation's value.</param>
    public static MemoryPlan Of(ScoringOptions options, SharedTrunk trunk, int valueSize = sizeof(float))
    {
        int vocabulary = trunk.Models.Max(static model => model.Config.VocabularySize);
        if (options.Memory is not { } memory) return new MemoryPlan(options.TokensPerBatch, ScoringGraph.BlockRows(vocabulary));

        // A quarter for the block of logits, the rest for the layers: they are not at work at the same time, but the runtime's
        // arena keeps the pieces of both. It also leaves gaps between pieces, about a third of what is in use.
        long perToken = trunk.Models.Max(model => BytesPerToken(model.Config, valueSize))
            + (long)valueSize * (trunk.ModelCount - 1) * trunk.ConfigOf(0).HiddenSize;
        long tokens = memory / 4 * 3 * 3 / 4 / perToken;
        return new MemoryPlan(
            (int)Math.Clamp(tokens, 1, options.TokensPerBatch), ScoringGraph.BlockRows(vocabulary, memory / 4));
    }

    /// <summary>
    /// Bytes a token takes while a layer is at work. In the MLP live the residual stream, its norm, and four vectors of
    /// the inner width: gate, its activation, up, product. In the attention live the residual stream, its norm, the queries four times
    /// (projected, rotated, attended, reshaped) and keys and values three times (projected, rotated or copied, present).
    /// </summary>
    public static long BytesPerToken(DecoderConfig config, int valueSize = sizeof(float))
    {
        long stream = 2L * config.HiddenSize;
        long mlp = stream + 4L * config.IntermediateSize + config.HiddenSize;
        long attention = stream + config.HeadSize * (4L * config.AttentionHeads + 6L * config.KeyValueHeads);
        return valueSize * Math.Max(mlp, attention);
    }
}
