using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;
using Shad.Onnx.Sessions;

namespace Shad.Onnx.Generation;

/// <summary>
/// Continues prompts with the most probable token each time, with a key and value cache, many prompts at once. A look at what a
/// model does; for serving, load the export in onnxruntime-genai.
/// </summary>
/// <remarks>
/// Prompts of a batch begin in the same column and are padded on the right; afterwards each sequence writes its next token right
/// behind its own last one, so that none sees padding, and its positions are those it has alone. A sequence that has ended leaves the
/// batch, which goes on with the others. The sums of a matrix product may be taken in another order for another batch size: where two
/// tokens are as probable as float32 can tell, the choice between them may depend on it.
/// </remarks>
public sealed class GreedyGenerator : ITokenGenerator
{
    private readonly InferenceSession _session;
    private readonly DecoderConfig _config;

    private GreedyGenerator(InferenceSession session, DecoderConfig config)
    {
        _session = session;
        _config = config;
    }

    /// <summary>Loads a model for generation. Nothing is written to its folder.</summary>
    /// <param name="model">The model folder; it may be disposed afterwards.</param>
    /// <param name="settings">Threads; null takes the defaults. Generation runs on the CPU.</param>
    /// <exception cref="Core.Errors.ShadException">The runtime refuses the model.</exception>
    public static GreedyGenerator Open(ModelFolder model, SessionSettings? settings = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        settings = (settings ?? new SessionSettings()) with { Device = ComputeDevice.Cpu };
        settings.Validate();
        var trunk = SharedTrunk.Of(model);
        var session = DecoderSession.Load(
            trunk, settings, (weightsOf, _) => GenerationGraph.Build(trunk, weightsOf, lastPositionOnly: true), out _);
        return new GreedyGenerator(session, model.Config);
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">Token ids; at least one.</param>
    /// <param name="maximumNewTokens">Most tokens to add.</param>
    /// <param name="endOfSequence">Ids that end the text; null takes the model's own. The ending id is part of the result.</param>
    /// <param name="cancellationToken">Ends the generation between tokens.</param>
    /// <returns>The new tokens.</returns>
    /// <exception cref="Core.Errors.ShadException">The prompt is empty, has an id outside the vocabulary, or does not fit the
    /// context together with the new tokens.</exception>
    public int[] Generate(
        IReadOnlyList<int> prompt, int maximumNewTokens, IReadOnlyCollection<int>? endOfSequence = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maximumNewTokens);
        var options = new GenerationOptions { MaximumNewTokens = maximumNewTokens, EndOfSequence = endOfSequence };
        return Generate([prompt], options, null, cancellationToken)[0];
    }

    /// <inheritdoc/>
    /// <remarks>They go in batches of similar length.</remarks>
    public IReadOnlyList<int[]> Generate(
        IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions? options = null, Action<int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        options ??= new GenerationOptions();
        PromptCheck.Check(prompts, options, _config);
        var generated = new int[prompts.Count][];
        if (options.MaximumNewTokens == 0)
        {
            Array.Fill(generated, []);
            return generated;
        }

        // Longest first: what memory cannot hold shows at once.
        int[] order = [.. Enumerable.Range(0, prompts.Count).OrderByDescending(i => prompts[i].Count)];
        for (int start = 0; start < order.Length;)
        {
            int capacity = prompts[order[start]].Count + options.MaximumNewTokens;
            int size = Math.Min(order.Length - start, Math.Clamp(options.TokensPerBatch / capacity, 1, options.BatchSize));
            size = Math.Min(size, AlikeFrom(prompts, order.AsSpan(start), options.MaximumNewTokens));
            GenerateBatch(prompts, order.AsSpan(start, size), capacity, options, generated, progress, cancellationToken);
            start += size;
        }

        return generated;
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    /// <summary>How many prompts, the longest first, are on one side of the model's length boundaries all the time: a step goes by the longest
    /// sequence of its batch. A prompt that grows across one goes alone.</summary>
    private int AlikeFrom(IReadOnlyList<IReadOnlyList<int>> prompts, ReadOnlySpan<int> order, int newTokens)
    {
        int count = order.Length;
        foreach (int boundary in _config.LengthBoundaries)
        {
            int length = prompts[order[0]].Count;
            if (length + newTokens <= boundary) continue;
            if (length <= boundary) return 1;
            for (int i = 1; i < count; i++)
            {
                if (prompts[order[i]].Count <= boundary) count = i;
            }
        }

        return count;
    }

    /// <summary>Continues the prompts of one batch, the longest first.</summary>
    private void GenerateBatch(
        IReadOnlyList<IReadOnlyList<int>> prompts, ReadOnlySpan<int> batch, int capacity, GenerationOptions options, int[][] generated,
        Action<int>? progress, CancellationToken cancellationToken)
    {
        var ends = options.EndOfSequence ?? _config.EndOfSequenceIds;
        var active = new List<Sequence>();
        int width = prompts[batch[0]].Count;
        long[] step = new long[batch.Length * width];
        for (int i = 0; i < batch.Length; i++)
        {
            var prompt = prompts[batch[i]];
            for (int k = 0; k < prompt.Count; k++) step[i * width + k] = prompt[k];
            active.Add(new Sequence(batch[i], prompt.Count));
        }

        using var cache = new KeyValueCache(_config, batch.Length, capacity);
        using var run = new RunOptions();
        float[] logits = new float[(long)batch.Length * _config.VocabularySize];
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int[] known = [.. active.Select(static sequence => sequence.Known)];
            using (var logitsValue = OrtValue.CreateTensorValueFromMemory(
                OrtMemoryInfo.DefaultInstance, logits.AsMemory(0, active.Count * _config.VocabularySize), [active.Count, 1, _config.VocabularySize]))
            {
                cache.Run(_session, run, step, known, logitsValue);
            }

            for (int i = 0; i < active.Count; i++)
            {
                active[i].Tokens.Add(TensorPrimitives.IndexOfMax<float>(logits.AsSpan(i * _config.VocabularySize, _config.VocabularySize)));
                active[i].Known++;
            }

            // From the last to the first, so that the sequence that moves into a gap has been looked at.
            int before = active.Count;
            for (int i = active.Count - 1; i >= 0; i--)
            {
                var sequence = active[i];
                if (sequence.Tokens.Count < options.MaximumNewTokens && !ends.Contains(sequence.Tokens[^1])) continue;
                generated[sequence.Prompt] = [.. sequence.Tokens];
                cache.Remove(i);
                active[i] = active[^1];
                active.RemoveAt(active.Count - 1);
            }

            if (active.Count < before) progress?.Invoke(before - active.Count);
            if (active.Count == 0) return;
            step = [.. active.Select(static sequence => (long)sequence.Tokens[^1])];
        }
    }

    /// <summary>A sequence of a batch.</summary>
    /// <param name="prompt">Index of its prompt.</param>
    /// <param name="known">Tokens of the prompt.</param>
    private sealed class Sequence(int prompt, int known)
    {
        public int Prompt { get; } = prompt;

        /// <summary>Tokens of the sequence, those that the model is given next included.</summary>
        public int Known { get; set; } = known;

        public List<int> Tokens { get; } = [];
    }
}
