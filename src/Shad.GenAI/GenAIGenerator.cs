using Microsoft.ML.OnnxRuntimeGenAI;
using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Onnx.Generation;

namespace Shad.GenAI;

/// <summary>Continues prompts by onnxruntime-genai, one after the other, from a folder that <c>shad export</c> has written.</summary>
public sealed class GenAIGenerator : ITokenGenerator
{
    private readonly Model _model;
    private readonly DecoderConfig _config;

    private GenAIGenerator(Model model, DecoderConfig config)
    {
        _model = model;
        _config = config;
    }

    /// <summary>Loads a folder.</summary>
    /// <param name="folder">The model folder, or that of a variant.</param>
    /// <exception cref="ShadException">The folder has no export, or onnxruntime-genai refuses it.</exception>
    public static GenAIGenerator Open(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        folder = Path.GetFullPath(folder);
        if (!File.Exists(Path.Combine(folder, Onnx.Export.OnnxExport.GenAiFile))) throw GenAIErrors.NotExported(folder);
        var config = DecoderConfigReader.Read(Path.Combine(folder, DecoderConfigReader.FileName), headPresent: true);
        try
        {
            return new GenAIGenerator(new Model(folder), config);
        }
        catch (OnnxRuntimeGenAIException error)
        {
            throw GenAIErrors.NotLoaded(folder, error);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<int[]> Generate(
        IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions? options = null, Action<int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        options ??= new GenerationOptions();
        PromptCheck.Check(prompts, options, _config);
        var generated = new int[prompts.Count][];
        for (int i = 0; i < prompts.Count; i++)
        {
            generated[i] = options.MaximumNewTokens == 0 ? [] : Continue(prompts[i], options, cancellationToken);
            progress?.Invoke(1);
        }

        return generated;
    }

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();

    private int[] Continue(IReadOnlyList<int> prompt, GenerationOptions options, CancellationToken cancellationToken)
    {
        var ends = options.EndOfSequence ?? _config.EndOfSequenceIds;
        var tokens = new List<int>();
        try
        {
            using var parameters = new GeneratorParams(_model);
            parameters.SetSearchOption("max_length", prompt.Count + options.MaximumNewTokens);
            parameters.SetSearchOption("do_sample", false);
            using var generator = new Generator(_model, parameters);
            generator.AppendTokens([.. prompt]);
            while (tokens.Count < options.MaximumNewTokens && !generator.IsDone())
            {
                cancellationToken.ThrowIfCancellationRequested();
                generator.GenerateNextToken();
                tokens.Add(generator.GetNextTokens()[0]);
                if (ends.Contains(tokens[^1])) break;
            }
        }
        catch (OnnxRuntimeGenAIException error)
        {
            throw GenAIErrors.Failed(prompt.Count + tokens.Count, error);
        }

        return [.. tokens];
    }
}
