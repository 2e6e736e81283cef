using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;
using Shad.Models.Weights;

namespace Shad.Models;

/// <summary>A model in Hugging Face layout: <c>config.json</c> and the weights that fit it.</summary>
public sealed class ModelFolder : IDisposable
{
    // What makes a model usable besides its config and weights: tokenizer, chat template, generation settings.
    private static readonly string[] CompanionFiles =
    [
        "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "chat_template.jinja", "chat_template.json", "generation_config.json",
    ];

    private ModelFolder(string path, DecoderConfig config, ModelWeights weights)
    {
        Path = path;
        Config = config;
        Weights = weights;
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>What the model is.</summary>
    public DecoderConfig Config { get; }

    /// <summary>Its weights, mapped.</summary>
    public ModelWeights Weights { get; }

    /// <summary>Opens a model folder: reads the config and the headers of the weights, and checks one against the other.</summary>
    /// <exception cref="ShadException">A file is missing or damaged, the model is not supported, or its weights do not fit its
    /// config.</exception>
    public static ModelFolder Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        path = System.IO.Path.GetFullPath(path);
        if (!Directory.Exists(path)) throw ModelErrors.FolderMissing(path);
        string configPath = System.IO.Path.Combine(path, DecoderConfigReader.FileName);
        if (!File.Exists(configPath)) throw ModelErrors.FileMissing(configPath, foundInstead: null);

        // The config first: an unsupported model is told as such, whatever state its weights are in.
        DecoderConfig stated = DecoderConfigReader.ReadAsStated(configPath);
        ModelWeights weights = ModelWeights.Open(path);
        try
        {
            DecoderConfig bare = stated with { HasBareNames = true };
            if (!weights.Tensors.ContainsKey(stated.Naming.Embedding) && weights.Tensors.ContainsKey(bare.Naming.Embedding)) stated = bare;
            DecoderConfig config = DecoderConfigReader.WithHead(stated, weights.Tensors.ContainsKey(stated.Naming.Head), configPath);
            TensorLayout.Check(config, weights.Tensors, path);
            return new ModelFolder(path, config, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>True for the names of tokenizer, chat template and generation settings.</summary>
    internal static bool IsCompanion(string name) => CompanionFiles.Contains(name) || name.EndsWith(".tiktoken", StringComparison.Ordinal);

    /// <summary>Copies tokenizer, chat template and generation settings from one model folder to another.</summary>
    /// <param name="from">The model folder that has them; files it has not are passed over.</param>
    /// <param name="to">The folder that gets them; files it has are replaced.</param>
    /// <exception cref="ShadException">A file cannot be read or written.</exception>
    public static void CopyCompanions(string from, string to)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        if (!Directory.Exists(from)) return;
        foreach (string source in Directory.EnumerateFiles(System.IO.Path.GetFullPath(from)))
        {
            string name = System.IO.Path.GetFileName(source);
            if (!IsCompanion(name)) continue;
            byte[] content;
            try
            {
                content = File.ReadAllBytes(source);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw ModelErrors.CannotRead(source, error);
            }

            AtomicFile.Write(System.IO.Path.GetFullPath(System.IO.Path.Combine(to, name)), content.Length, stream => stream.Write(content));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Weights.Dispose();
}
