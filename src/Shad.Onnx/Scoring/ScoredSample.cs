namespace Shad.Onnx.Scoring;

/// <summary>An item with the losses of its sample.</summary>
/// <param name="Item">The item that was given.</param>
/// <param name="Losses">Loss of each token given all before it, in nats, <c>[S]</c>; NaN where the token is no target.</param>
public readonly record struct ScoredSample<T>(T Item, float[] Losses);
