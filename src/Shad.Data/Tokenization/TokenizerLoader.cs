using Shad.Core.Errors;

namespace Shad.Data.Tokenization;

/// <summary>Opens the tokenizer of a model folder.</summary>
/// <remarks>
/// Reads <c>tokenizer.json</c> of model type BPE: the byte-level kind (GPT-2, Llama 3, Qwen) and the SentencePiece-style kind
/// with <c>▁</c> for a space and byte fallback (Llama 2, Mistral, Gemma). Where there is none, a <c>.tiktoken</c> file or a
/// <c>tokenizer.model</c>, which is a SentencePiece model or, with Llama 3, a tiktoken file. The beginning- and end-of-sequence tokens come from
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
                FileOf(modelFolder) ?? modelFolder, tokenizer.VocabularySize, modelVocabularySize, tokenizer.Describe(largest), largest);
        }

        return tokenizer;
    }

    /// <summary>Opens the tokenizer of a model folder; null where the folder holds none.</summary>
    /// <param name="modelFolder">A Hugging Face model folder.</param>
    /// <exception cref="ShadException">As for <see cref="Load(string)"/>.</exception>
    public static ITextTokenizer? TryLoad(string modelFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        return FileOf(modelFolder) is null ? null : Open(modelFolder);
    }

    private static BytePairTokenizer Open(string folder)
    {
        var file = FileOf(folder) ?? throw TokenizerErrors.NoFile(folder);
        var definition = file.EndsWith(".json", StringComparison.Ordinal) ? TokenizerFile.Read(file)
            : TiktokenFile.IsOne(file) ? TiktokenFile.Read(file)
            : SentencePieceFile.Read(file);
        return new BytePairTokenizer(definition, SequenceMarkers.Read(folder, definition));
    }

    // The file that says most.
    private static string? FileOf(string folder)
    {
        if (!Directory.Exists(folder)) return null;
        var tiktoken = Directory.EnumerateFiles(folder, "*.tiktoken").Order(StringComparer.Ordinal).FirstOrDefault();
        return ((string?[])[Path.Combine(folder, "tokenizer.json"), tiktoken, Path.Combine(folder, "tokenizer.model")]).FirstOrDefault(File.Exists);
    }
}
