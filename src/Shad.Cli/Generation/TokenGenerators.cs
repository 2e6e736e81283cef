using Shad.Cli.Commands;
using Shad.Models;
using Shad.Onnx.Generation;
using Shad.Onnx.Sessions;

namespace Shad.Cli.Generation;

/// <summary>What can generate, by the name the command line gives it.</summary>
internal static class TokenGenerators
{
    /// <summary>Our own, through ONNX Runtime.</summary>
    public const string Own = "own";

    /// <summary>onnxruntime-genai, in builds that have it.</summary>
    public const string GenAI = "genai";

    /// <summary>Loads a model.</summary>
    /// <param name="name">The generator.</param>
    /// <param name="model">The model.</param>
    /// <param name="threads">Threads of an operator; null takes the runtime's default. onnxruntime-genai takes its own.</param>
    /// <exception cref="Core.Errors.ShadException">This build has no such generator, or it refuses the model.</exception>
    public static ITokenGenerator Open(string name, ModelFolder model, int? threads)
    {
        if (name == Own) return GreedyGenerator.Open(model, new SessionSettings { Threads = threads });
#if SHAD_GENAI
        return Shad.GenAI.GenAIGenerator.Open(model.Path);
#else
        throw CommandErrors.NoGenAI();
#endif
    }
}
