using Shad.Core.Errors;

namespace Shad.Data.Tokenization;

/// <summary>Opens the tokenizer of a model folder.</summary>
/// <remarks>
/// Reads <c>tokenizer.json</c> of model type BPE: the byte-level kind (GPT-2, Llama 3, Qwen) and the SentencePiece-style kind
/// with <c>▁</c> for a space and byte fallback (Llama 2, Mistral). The beginning- and end-of-sequence tokens come from
/// <c>tokenizer.json</c>, <c>tokenizer_config.json</c>, <c>generation_config.json</c> and <c>config.json</c>.
/// </remarks>
public static class TokenizerLoader
{
    /// <summary>Opens the tokenizer of a model folder.</summary>
    /// <param name="modelFolder">A Hugging Face model folder.</param>
    /// <returns>A tokenizer that several threads may use at once.</returns>
    /// <exception cref="ShadException">The file is missing, cut, inconsistent, or of a kind that is not supported.</exception>
    public static ITextTokenizer Load(string modelFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        return Open(modelFolder);
    }

    /// <summary>Opens the tokenizer of a model folder and checks that the model knows all its tokens.</summary>
    /// <param name="modelFolder">A Hugging Face model folder.</param>
    /// <param name="modelVocabularySize">The model's number of embeddings (<c>vocab_size</c>). It may be larger than the
    /// tokenizer's: models pad it.</param>
    /// <returns>A tokenizer that several threads may use at once.</returns>
    /// <exception cref="ShadException">As above, or a token id is not below <paramref name="modelVocabularySize"/>.</exception>
    public static ITextTokenizer Load(string modelFolder, int modelVocabularySize)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        var tokenizer = Open(modelFolder);
        if (tokenizer.VocabularySize > modelVocabularySize)
        {
            var largest = tokenizer.VocabularySize - 1;
            throw TokenizerErrors.DoesNotFit(
                Path.Combine(modelFolder, "tokenizer.json"), tokenizer.VocabularySize, modelVocabularySize, tokenizer.Describe(largest), largest);
        }

        return tokenizer;
    }

    private static BytePairTokenizer Open(string folder)
    {
        var file = Path.Combine(folder, "tokenizer.json");
        if (!File.Exists(file)) throw TokenizerErrors.NoFile(folder, File.Exists(Path.Combine(folder, "tokenizer.model")));
        var parts = TokenizerFile.Read(file);
        var markers = SequenceMarkers.Read(folder, parts);
        return new BytePairTokenizer(parts, markers);
    }
}
