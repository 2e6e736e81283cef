using Microsoft.ML.OnnxRuntime;
using Shad.Core.Samples;

namespace Shad.Onnx.Scoring;

/// <summary>How samples become batches, and a batch the inputs of its scoring graph.</summary>
internal interface IBatchLayout
{
    /// <summary>Cuts samples into batches, longest first, so that what does not fit in memory shows at once.</summary>
    /// <param name="samples">The samples; those without a target are left out.</param>
    /// <param name="tokensPerBatch">Most tokens of a batch, padding included; a longer sequence goes alone. Asked before each batch.</param>
    IEnumerable<Placement[]> Cut(IReadOnlyList<TokenizedSample> samples, Func<int> tokensPerBatch);

    /// <summary>What goes through the model for a batch, or for a part of one.</summary>
    BatchSize SizeOf(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch);

    /// <summary>Lays a batch out, or a part of one. Its targets stand in the order of the batch.</summary>
    BatchInputs Lay(IReadOnlyList<TokenizedSample> samples, ReadOnlySpan<Placement> batch);
}

/// <summary>A sample of a batch.</summary>
/// <param name="Sample">Number of the sample.</param>
/// <param name="Group">Number of the group whose neighbours in the batch begin with the same tokens.</param>
/// <param name="PrefixLength">How many tokens those share.</param>
internal readonly record struct Placement(int Sample, int Group = 0, int PrefixLength = 0);

/// <summary>What goes through the model.</summary>
/// <param name="Tokens">Tokens.</param>
/// <param name="Padding">Padding beside them.</param>
internal readonly record struct BatchSize(int Tokens, int Padding);

/// <summary>Inputs of a scoring graph.</summary>
/// <param name="names">Names of the inputs.</param>
/// <param name="values">Their values; disposed with this.</param>
/// <param name="lossShape">Shape of each output. What is more than the targets is padding behind them.</param>
internal sealed class BatchInputs(string[] names, OrtValue[] values, long[] lossShape) : IDisposable
{
    public IReadOnlyList<string> Names => names;

    public IReadOnlyList<OrtValue> Values => values;

    public long[] LossShape => lossShape;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var value in values) value.Dispose();
    }
}
