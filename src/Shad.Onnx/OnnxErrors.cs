using System.Globalization;
using Shad.Core.Errors;

namespace Shad.Onnx;

/// <summary>Every error of this project that a user can cause.</summary>
internal static class OnnxErrors
{
    public static ShadException NoCuda(string why, string? mend, Exception? inner) => new(
        "onnx.no_cuda", $"CUDA cannot be used: {why}", "device", "a CUDA device, its driver and libraries, and a build for it",
        mend ?? "Use device cpu or auto; 'shad doctor' says what is there", inner);

    public static ShadException NoPrecision(string precision, string device, string expected) => new(
        "onnx.no_precision", $"{precision} cannot be computed on {device}", "precision", expected,
        "Use precision auto, or another device");

    public static ShadException NoDeviceMemory(string device, long weights, long free) => new(
        "onnx.no_device_memory",
        string.Create(
            CultureInfo.InvariantCulture,
            $"The weights take {weights / (double)(1L << 30):0.0} GiB of device memory, and {free / (double)(1L << 30):0.0} GiB are free"),
        device, "memory for the weights, the libraries and a forward pass",
        "Use another device, score with fewer models at once, or use a smaller model");

    public static ShadException NoProviderLibrary(string path, string why, Exception? inner) => new(
        "onnx.no_provider_library", $"The execution provider library cannot be used: {why}", path,
        "a plug-in execution provider of ONNX Runtime", "Correct the path, or leave it out", inner);

    public static ShadException NotLoaded(string where, Exception inner) => new(
        "onnx.not_loaded", $"ONNX Runtime cannot load the model: {inner.Message}", where,
        mend: "See that the model's files are whole, as 'shad pull' does; where memory ran out, use a smaller model", inner: inner);

    public static ShadException NoCommonFolder(IReadOnlyList<string> files) => new(
        "onnx.no_common_folder", "The weights of the models lie on different drives", string.Join(", ", files),
        "one drive, since ONNX Runtime reads the weights of a graph from under one folder", "Copy the models to one drive");

    public static ShadException Incomputable(string where, Exception inner) => new(
        "onnx.failed", $"ONNX Runtime failed: {inner.Message}", where,
        mend: "Where memory ran out, free some, or leave out the longest samples", inner: inner);

    public static ShadException IdOutsideVocabulary(string sample, int token, int id, int vocabularySize) => new(
        "scoring.id_outside_vocabulary", $"Token id {id} is outside the vocabulary", $"sample '{sample}', token {token}",
        $"an id from 0 to {vocabularySize - 1}", "Tokenize with the tokenizer that belongs to the model");

    public static ShadException LongerThanContext(string sample, int length, int context) => new(
        "scoring.longer_than_context", $"The sequence has {length} tokens", $"sample '{sample}'",
        $"at most the model's context of {context} tokens", "Truncate the prompt, or skip the sample");

    public static ShadException NotFinite(string sample, int token, float loss, string model) => new(
        "scoring.not_finite", $"The loss is {loss}", $"sample '{sample}', token {token}", "a finite loss",
        $"The weights of '{model}' are damaged or overflow in the number format computed in; where that is float16, try precision bfloat16 or float32");

    public static ShadException BadOption(string option, object value, string expected) => new(
        "onnx.bad_option", $"{option} is {value}", option, expected);

    public static ShadException EmptyPrompt() => new(
        "generation.empty_prompt", "The prompt has no tokens", "prompt", "at least one token",
        "Begin with the model's beginning-of-sequence token");

    public static ShadException PromptTooLong(int length, int newTokens, int context) => new(
        "generation.longer_than_context", $"A prompt of {length} tokens and {newTokens} new ones exceed the context", "prompt",
        $"together at most {context} tokens", "Shorten the prompt, or ask for fewer new tokens");

    public static ShadException PromptIdOutsideVocabulary(int token, int id, int vocabularySize) => new(
        "generation.id_outside_vocabulary", $"Token id {id} is outside the vocabulary", $"prompt, token {token}",
        $"an id from 0 to {vocabularySize - 1}", "Tokenize with the tokenizer that belongs to the model");

    public static ShadException WeightsElsewhere(string folder) => new(
        "export.weights_elsewhere", "The weights are links to files outside the model folder", folder,
        "the weight files themselves in the folder, since ONNX Runtime reads external data of an exported model there only",
        "Copy the model (cp -rL) and export the copy; scoring needs no export");

    public static ShadException NotWritten(string path, Exception inner) => new(
        "export.not_written", $"The export cannot be written: {inner.Message}", path,
        mend: "Check permissions and free space", inner: inner);

    public static ShadException ExportMismatch(string file, string what, string expected) => new(
        "export.mismatch", what, file, expected,
        "The export was removed; please report this with the model's config.json");

    public static ShadException VariantInModel(string folder) => new(
        "export.variant_in_model", "A variant with weights of its own cannot lie in the model's folder", folder,
        "another folder", "Name one with --out");

    public static ShadException ExportMissing(string file) => new(
        "export.missing_file", "The export is not complete: the file is missing", file, mend: "Export the model again");
}
