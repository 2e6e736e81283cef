using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Sessions;

/// <summary>
/// Keys and values of every layer for one sequence, <c>[1, KV heads, capacity, head size]</c>, float32. Past and present are
/// one buffer: a step writes its own positions and copies nothing.
/// </summary>
internal sealed class KeyValueCache : IDisposable
{
    private readonly List<string> _inputs = [GenerationGraph.InputIds, GenerationGraph.AttentionMask];
    private readonly List<string> _outputs = [GenerationGraph.Logits];
    private readonly List<OrtValue> _values = [];

    public KeyValueCache(DecoderConfig config, int capacity)
    {
        long[] shape = [1, config.KeyValueHeads, capacity, PaddedLayout.CacheHeadSize(config)];
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            var names = GenerationGraph.CacheOf(layer);
            _inputs.AddRange([names.PastKey, names.PastValue]);
            _outputs.AddRange([names.PresentKey, names.PresentValue]);
            for (int i = 0; i < 2; i++)
            {
                var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, shape);

                // The runtime does not clear memory, and what is masked is still multiplied: 0 · NaN is NaN.
                value.GetTensorMutableDataAsSpan<float>().Clear();
                _values.Add(value);
            }
        }
    }

    /// <summary>Runs the generation graph on the tokens that are new to the cache.</summary>
    /// <param name="session">The graph.</param>
    /// <param name="run">Its run options.</param>
    /// <param name="step">The new tokens.</param>
    /// <param name="known">Tokens of the sequence so far, the new ones included.</param>
    /// <param name="logits">Receives the logits.</param>
    public void Run(InferenceSession session, RunOptions run, long[] step, int known, OrtValue logits)
    {
        long[] mask = new long[known];
        Array.Fill(mask, 1);
        using var idsValue = OrtValue.CreateTensorValueFromMemory(step, [1, step.Length]);
        using var maskValue = OrtValue.CreateTensorValueFromMemory(mask, [1, known]);
        try
        {
            session.Run(run, _inputs, [idsValue, maskValue, .. _values], _outputs, [logits, .. _values]);
        }
        catch (OnnxRuntimeException error)
        {
            throw OnnxErrors.Incomputable($"generation at token {known}", error);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var value in _values) value.Dispose();
    }
}
