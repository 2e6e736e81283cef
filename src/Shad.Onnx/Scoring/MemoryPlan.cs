using Shad.Models.Configuration;
using Shad.Onnx.Graphs;
using Shad.Onnx.Sessions;

namespace Shad.Onnx.Scoring;

/// <summary>How large the pieces of a forward pass may be.</summary>
/// <param name="TokensPerBatch">Most tokens of a batch, padding included.</param>
/// <param name="LayerRows">Most rows that a layer of packed rows takes at a time between one attention and the next.</param>
/// <param name="HeadRows">Most rows the LM head of a padded batch takes at a time.</param>
internal readonly record struct MemoryPlan(int TokensPerBatch, int LayerRows, int HeadRows)
{
    /// <summary>Memory of a pass where nothing else is asked for, in bytes.</summary>
    public const long DefaultMemory = 384L << 20;

    // Inner vectors of so many rows stay in the processor's cache, and a matrix product of as many is as fast as one of more.
    private const int MostLayerRows = 512;

    /// <summary>Sizes that keep to the options: to the tokens asked for, and to the memory.</summary>
    /// <param name="options">The options.</param>
    /// <param name="trunk">The models of the graph.</param>
    /// <param name="isPacked">True for rows without padding, which are computed in blocks.</param>
    /// <param name="valueSize">Bytes of an activation's value.</param>
    public static MemoryPlan Of(ScoringOptions options, SharedTrunk trunk, bool isPacked, int valueSize = sizeof(float))
    {
        int vocabulary = trunk.Models.Max(static model => model.Config.VocabularySize);
        long memory = options.Memory ?? DefaultMemory;

        // A quarter for the head, the rest for the layers: they are not at work at the same time, but the runtime's arena keeps the
        // pieces of both. It also leaves gaps between pieces, about a third of what is in use.
        long layers = memory / 4 * 3 * 3 / 4;

        // On a device small blocks would read the head's weights more often than they multiply with them.
        long head = options.Device == ComputeDevice.Cuda ? memory / 4 : Math.Min(memory / 4, ScoringGraph.HeadMemory);
        int headRows = ScoringGraph.BlockRows(vocabulary, head);
        int layerRows = 0;
        if (isPacked)
        {
            long block = layers / 4;
            layerRows = (int)Math.Clamp(block / trunk.Models.Max(static model => BytesPerRow(model.Config)), 1, MostLayerRows);
            layers -= block;
        }

        long perToken = trunk.Models.Max(model => isPacked ? BytesPerPackedToken(model.Config) : BytesPerToken(model.Config, valueSize))
            + (long)valueSize * (trunk.ModelCount - 1) * trunk.ConfigOf(0).HiddenSize;
        return new MemoryPlan((int)Math.Clamp(layers / perToken, 1, options.TokensPerBatch), layerRows, headRows);
    }

    /// <summary>
    /// Bytes a token of a padded batch takes while a layer is at work. In the MLP live the residual stream, its norm, and
    /// four vectors of the inner width: gate, its activation, up, product. In the attention live the residual stream, its norm, the
    /// queries four times (projected, rotated, attended, reshaped) and keys and values three times (projected, rotated or copied,
    /// present).
    /// </summary>
    public static long BytesPerToken(DecoderConfig config, int valueSize = sizeof(float))
    {
        long stream = 2L * config.HiddenSize;
        long mlp = stream + 4L * config.IntermediateSize + config.HiddenSize;
        long attention = stream + config.HeadSize * (4L * config.AttentionHeads + 6L * config.KeyValueHeads);
        return valueSize * Math.Max(mlp, attention);
    }

    /// <summary>
    /// Bytes a token of a packed batch takes while a layer is at work, in float32: the residual stream before and after it, the queries,
    /// what they attended to, the keys and the values. All else lives in blocks (<see cref="BytesPerRow"/>).
    /// </summary>
    public static long BytesPerPackedToken(DecoderConfig config) =>
        sizeof(float) * (2L * config.HiddenSize + 2L * config.HeadSize * (config.AttentionHeads + config.KeyValueHeads));

    /// <summary>
    /// Bytes a row takes while its block is at work, in float32: the attention's output, the residual stream, its norm, the MLP's output,
    /// and four vectors of the inner width.
    /// </summary>
    private static long BytesPerRow(DecoderConfig config) =>
        sizeof(float) * (4L * config.HiddenSize + 4L * config.IntermediateSize);
}
