using Shad.Models.Configuration;

namespace Shad.Onnx.Generation;

/// <summary>Refuses prompts that a model cannot continue.</summary>
public static class PromptCheck
{
    /// <summary>Checks prompts and the limits of their continuation.</summary>
    /// <param name="prompts">Token ids of each prompt.</param>
    /// <param name="options">Limits.</param>
    /// <param name="config">The model.</param>
    /// <exception cref="Core.Errors.ShadException">A prompt is empty, has an id outside the vocabulary, or does not fit the context
    /// together with the new tokens; or an option is out of range.</exception>
    public static void Check(IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions options, DecoderConfig config)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(config);
        options.Validate();
        foreach (var prompt in prompts)
        {
            ArgumentNullException.ThrowIfNull(prompt);
            if (prompt.Count == 0) throw OnnxErrors.EmptyPrompt();
            for (int i = 0; i < prompt.Count; i++)
            {
                if (prompt[i] < 0 || prompt[i] >= config.VocabularySize)
                    throw OnnxErrors.PromptIdOutsideVocabulary(i, prompt[i], config.VocabularySize);
            }

            if ((long)prompt.Count + options.MaximumNewTokens > config.ContextLength)
                throw OnnxErrors.PromptTooLong(prompt.Count, options.MaximumNewTokens, config.ContextLength);
        }
    }
}
