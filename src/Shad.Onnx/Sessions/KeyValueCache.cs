using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;

namespace Shad.Onnx.Sessions;

/// <summary>
/// Keys and values of every layer for a batch of sequences, <c>[B, KV heads, capacity, head size]</c>, float32. Past and present are
/// one buffer: a step writes its own positions and copies nothing. Sequences that have ended are taken out.
/// </summary>
internal sealed class KeyValueCache : IDisposable
{
    private readonly List<string> _inputs = [GenerationGraph.InputIds, GenerationGraph.AttentionMask];
    private readonly List<string> _outputs = [GenerationGraph.Logits];
    private readonly List<OrtValue> _buffers = [];
    private readonly List<OrtValue> _values = [];
    private readonly long[] _shape;

    /// <param name="config">The model.</param>
    /// <param name="sequences">Sequences, at least 1.</param>
    /// <param name="capacity">Most tokens of one sequence.</param>
    public KeyValueCache(DecoderConfig config, int sequences, int capacity)
    {
        _shape = [sequences, config.KeyValueHeads, capacity, PaddedLayout.CacheHeadSize(config)];
        try
        {
            for (int layer = 0; layer < config.LayerCount; layer++)
            {
                var names = GenerationGraph.CacheOf(layer);
                _inputs.AddRange([names.PastKey, names.PastValue]);
                _outputs.AddRange([names.PresentKey, names.PresentValue]);
                for (int i = 0; i < 2; i++)
                {
                    var buffer = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, _shape);
                    _buffers.Add(buffer);

                    // The runtime does not clear memory, and what is masked is still multiplied: 0 · NaN is NaN.
                    buffer.GetTensorMutableDataAsSpan<float>().Clear();
                }
            }

            ShowSequences();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Sequences that are in the cache, B.</summary>
    public int Sequences => (int)_shape[0];

    private long ElementsPerSequence => _shape[1] * _shape[2] * _shape[3];

    /// <summary>Takes a sequence out; the last one gets its place.</summary>
    public void Remove(int sequence)
    {
        int last = Sequences - 1;
        if (sequence < last)
        {
            int size = checked((int)ElementsPerSequence);
            foreach (var value in _values)
            {
                // A span holds at most 2³¹ elements of the whole buffer, which the constructor's clearing has checked.
                var data = value.GetTensorMutableDataAsSpan<float>();
                data.Slice(last * size, size).CopyTo(data.Slice(sequence * size, size));
            }
        }

        _shape[0] = last;
        ShowSequences();
    }

    /// <summary>Runs the generation graph on the tokens that are new to the cache.</summary>
    /// <param name="session">The graph.</param>
    /// <param name="run">Its run options.</param>
    /// <param name="step">The new tokens <c>[B,S]</c>; sequences shorter than S are padded on the right.</param>
    /// <param name="known">Tokens of each sequence so far, the new ones included, <c>[B]</c>.</param>
    /// <param name="logits">Receives the logits <c>[B,1,V]</c>.</param>
    public void Run(InferenceSession session, RunOptions run, long[] step, ReadOnlySpan<int> known, OrtValue logits)
    {
        int longest = 0;
        foreach (int count in known) longest = Math.Max(longest, count);
        long[] mask = new long[Sequences * longest];
        for (int i = 0; i < known.Length; i++) mask.AsSpan(i * longest, known[i]).Fill(1);
        using var idsValue = OrtValue.CreateTensorValueFromMemory(step, [Sequences, step.Length / Sequences]);
        using var maskValue = OrtValue.CreateTensorValueFromMemory(mask, [Sequences, longest]);
        try
        {
            session.Run(run, _inputs, [idsValue, maskValue, .. _values], _outputs, [logits, .. _values]);
        }
        catch (OnnxRuntimeException error)
        {
            throw OnnxErrors.Incomputable($"generation at token {longest}", error);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var value in _values) value.Dispose();
        foreach (var buffer in _buffers) buffer.Dispose();
    }

    /// <summary>Makes the values that the runtime sees: the sequences at the head of each buffer.</summary>
    private unsafe void ShowSequences()
    {
        foreach (var value in _values) value.Dispose();
        _values.Clear();
        if (Sequences == 0) return;
        foreach (var buffer in _buffers)
        {
            fixed (float* start = buffer.GetTensorMutableDataAsSpan<float>())
            {
                // Native memory of the buffer, which outlives the value.
                _values.Add(OrtValue.CreateTensorValueWithData(
                    OrtMemoryInfo.DefaultInstance, TensorElementType.Float, _shape, (nint)start, sizeof(float) * Sequences * ElementsPerSequence));
            }
        }
    }
}
