namespace Shad.Onnx.Generation;

/// <summary>Continues prompts with the most probable token each time.</summary>
public interface ITokenGenerator : IDisposable
{
    /// <summary>Continues prompts.</summary>
    /// <param name="prompts">Token ids of each prompt; at least one.</param>
    /// <param name="options">Limits; null takes the defaults.</param>
    /// <param name="progress">Told the number of prompts that were completed since the last call.</param>
    /// <param name="cancellationToken">Ends the generation between tokens.</param>
    /// <returns>The new tokens of each prompt, in the prompts' order.</returns>
    /// <exception cref="Core.Errors.ShadException">A prompt is empty, has an id outside the vocabulary, or does not fit the context
    /// together with the new tokens; or an option is out of range.</exception>
    IReadOnlyList<int[]> Generate(
        IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions? options = null, Action<int>? progress = null,
        CancellationToken cancellationToken = default);
}
