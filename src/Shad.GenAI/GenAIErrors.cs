using Shad.Core.Errors;

namespace Shad.GenAI;

/// <summary>Every error of this project that a user can cause.</summary>
internal static class GenAIErrors
{
    public static ShadException NotExported(string folder) => new(
        "genai.not_exported", "The folder has no genai_config.json", folder, "a folder that onnxruntime-genai loads",
        "Write one with 'shad export'");

    public static ShadException NotLoaded(string folder, Exception inner) => new(
        "genai.not_loaded", $"onnxruntime-genai cannot load the model: {inner.Message}", folder,
        mend: "Export the model again with 'shad export'", inner: inner);

    public static ShadException Failed(int token, Exception inner) => new(
        "genai.failed", $"onnxruntime-genai failed: {inner.Message}", $"generation at token {token}",
        mend: "Where memory ran out, free some, or use a smaller model", inner: inner);
}
