namespace Shad.Onnx.Scoring;

/// <summary>An item with the losses of its sample.</summary>
/// <param name="Item">The item that was given.</param>
/// <param name="LossesByModel">By model, in the order the models were given: loss of each token given all before it, in nats,
/// <c>[S]</c>; NaN where the token is no target.</param>
public readonly record struct ScoredSample<T>(T Item, IReadOnlyList<float[]> LossesByModel)
{
    /// <summary>The losses by the first model.</summary>
    public float[] Losses => LossesByModel[0];
}
