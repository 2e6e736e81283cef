using Shad.Core.Tuning;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>How a batch goes through a <see cref="TorchDecoder"/>.</summary>
/// <param name="Batch">The batch.</param>
/// <param name="Precision">Number format of the products; bfloat16 only where the parameters were made for it.</param>
/// <param name="Dropout">Dropout of the adapters; null where the model is not being trained.</param>
public sealed record PassSettings(TokenBatch Batch, TunePrecision Precision, StepDropout? Dropout = null);

/// <summary>
/// A batch's way through the decoder and back with recomputed layers: forward keeps each layer's input only, and backward runs a
/// layer again just before its gradient is taken (gradient checkpointing; Chen et al., arXiv:1604.06174). The operations are those of
/// the plain pass in the same order, so the gradients are the same bit for bit; a third more time buys the memory of all layers
/// but one.
/// </summary>
internal sealed class ForwardPass : IDisposable
{
    private readonly TorchDecoder _decoder;
    private readonly PassSettings _settings;
    private readonly Tensor?[] _inputs;
    private readonly int _first;

    private ForwardPass(TorchDecoder decoder, PassSettings settings)
    {
        _decoder = decoder;
        _settings = settings;
        int layers = decoder.Parameters.Layers.Length;
        _inputs = new Tensor?[layers + 1];
        _first = decoder.Parameters.Embedding.IsTuned ? 0 : Array.FindIndex(decoder.Parameters.Layers, static layer => layer.IsTuned);
        if (_first < 0) _first = layers;
    }

    /// <summary>The states of the batch's targets, float32 <c>[N,H]</c>, without a graph.</summary>
    public Tensor States { get; private set; } = null!;

    /// <summary>Runs the batch through the decoder.</summary>
    public static ForwardPass Run(TorchDecoder decoder, PassSettings settings)
    {
        var pass = new ForwardPass(decoder, settings);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        int layers = pass._inputs.Length - 1;
        var x = decoder.Embed(settings.Batch);
        for (int i = 0; i < layers; i++)
        {
            if (i >= pass._first) pass._inputs[i] = x.alias().DetachFromDisposeScope();
            var input = x;
            x = decoder.Layer(i, x, settings);
            input.Dispose();
        }

        pass._inputs[layers] = x.DetachFromDisposeScope();
        pass.States = decoder.FinalStates(x).DetachFromDisposeScope();
        return pass;
    }

    /// <summary>Adds the gradient of the tuned parameters to their buffers.</summary>
    /// <param name="gradient">Gradient of <see cref="States"/>, <c>[N,H]</c>.</param>
    public void Backward(Tensor gradient)
    {
        int layers = _inputs.Length - 1;
        using var scope = NewDisposeScope();
        var current = Through(layers, gradient, _decoder.FinalStates, passOn: true);
        for (int i = layers - 1; i >= _first; i--)
        {
            int layer = i;
            var above = current;
            bool passOn = i > _first || _decoder.Parameters.Embedding.IsTuned;
            current = Through(i, above!, x => _decoder.Layer(layer, x, _settings), passOn);
            above!.Dispose();
        }

        if (!_decoder.Parameters.Embedding.IsTuned || current is null) return;
        using var embedded = _decoder.Embed(_settings.Batch);
        embedded.backward([current]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        States?.Dispose();
        foreach (var input in _inputs) input?.Dispose();
    }

    /// <summary>Runs one piece again with a graph and takes its gradient; gives that of its input, and lets go of the input.</summary>
    private Tensor? Through(int index, Tensor gradient, Func<Tensor, Tensor> piece, bool passOn)
    {
        using var scope = NewDisposeScope();
        var input = _inputs[index]!.detach();
        if (passOn) input.requires_grad_();
        var output = piece(input);
        if (output.requires_grad) output.backward([gradient]);
        _inputs[index]!.Dispose();
        _inputs[index] = null;
        return input.grad?.MoveToOuterDisposeScope();
    }
}
