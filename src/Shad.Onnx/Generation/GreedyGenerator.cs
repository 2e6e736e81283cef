using Microsoft.ML.OnnxRuntime;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Onnx.Graphs;
using Shad.Onnx.Sessions;

namespace Shad.Onnx.Generation;

/// <summary>
/// Continues a prompt with the most probable token each time, with a key and value cache. A cheap look at what a model does;
/// for serving, load the export in onnxruntime-genai.
/// </summary>
public sealed class GreedyGenerator : IDisposable
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
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentOutOfRangeException.ThrowIfNegative(maximumNewTokens);
        if (prompt.Count == 0) throw OnnxErrors.EmptyPrompt();
        for (int i = 0; i < prompt.Count; i++)
        {
            if (prompt[i] < 0 || prompt[i] >= _config.VocabularySize)
                throw OnnxErrors.PromptIdOutsideVocabulary(i, prompt[i], _config.VocabularySize);
        }

        int capacity = prompt.Count + maximumNewTokens;
        if (capacity > _config.ContextLength)
            throw OnnxErrors.PromptTooLong(prompt.Count, maximumNewTokens, _config.ContextLength);

        endOfSequence ??= _config.EndOfSequenceIds;
        var generated = new List<int>();
        using var cache = new KeyValueCache(_config, capacity);
        using var run = new RunOptions();
        long[] step = [.. prompt.Select(static id => (long)id)];
        for (int known = prompt.Count; generated.Count < maximumNewTokens; known++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int token = Next(step, known, cache, run);
            generated.Add(token);
            if (endOfSequence.Contains(token)) break;
            step = [token];
        }

        return [.. generated];
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    /// <summary>Runs the tokens that are new to the cache and takes the best token after them.</summary>
    private int Next(long[] step, int known, KeyValueCache cache, RunOptions run)
    {
        float[] logits = new float[_config.VocabularySize];
        using var logitsValue = OrtValue.CreateTensorValueFromMemory(logits, [1, 1, _config.VocabularySize]);
        cache.Run(_session, run, step, known, logitsValue);
        return System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
    }
}
