using System.Globalization;
using System.Text.Json;
using Shad.Core.Errors;

namespace Shad.Models.Errors;

/// <summary>Every error a model folder can cause, in one place.</summary>
internal static class ModelErrors
{
    private const string Redownload = "Download or copy the file again; it is damaged or was cut";
    private const int MostListed = 10;

    // Folder and files

    public static ShadException FolderMissing(string folder) => new(
        "model.missing_folder", "The model folder does not exist", folder,
        "a folder with config.json and model.safetensors (Hugging Face layout)", "Check the path");

    public static ShadException FileMissing(string path, string? foundInstead) => new(
        "model.missing_file",
        foundInstead is null ? "The file does not exist" : $"The file does not exist; the folder holds '{foundInstead}' instead",
        path, "a Hugging Face model folder: config.json and model.safetensors or model.safetensors.index.json",
        foundInstead is null
            ? "Check the path, or copy the whole folder"
            : "Save the model again as safetensors (save_pretrained with safe_serialization)");

    public static ShadException CannotRead(string path, Exception inner) => new(
        "model.cannot_read", $"The file cannot be read ({inner.Message})", path, mend: "Check its permissions and the disk",
        inner: inner);

    public static ShadException CannotWrite(string path, Exception inner) => new(
        "model.cannot_write", $"The output cannot be written ({inner.Message})", path,
        mend: "Check free disk space and permissions; nothing was left half-written", inner: inner);

    public static ShadException FolderExists(string folder) => new(
        "model.folder_exists", "The output folder exists and is not empty", folder, "a folder that does not exist yet",
        "Choose another output, or remove the folder");

    // config.json

    public static ShadException NotJson(string path, JsonException inner) => new(
        "model.not_json", $"The file is not JSON: {JsonProblem(inner)}", Line(path, inner), mend: "Correct the file, or download it again",
        inner: inner);

    public static ShadException NotJsonText(string path, Exception inner) => new(
        "model.not_json", $"The file is not JSON: {inner.Message}", path, "UTF-8 text", "Download the file again", inner);

    public static ShadException NotAnObject(string path, JsonValueKind found) => new(
        "model.not_an_object", $"The JSON is {Describe(found)}", path, "an object");

    public static ShadException FieldMissing(string path, string field, string expected) => new(
        "model.config_field_missing", "The field is missing", Field(path, field), expected);

    public static ShadException FieldInvalid(string path, string field, string value, string expected, string? mend = null) => new(
        "model.config_field_invalid", $"The value is {value}", Field(path, field), expected, mend);

    public static ShadException ArchitectureUnsupported(string path, string field, string value, IEnumerable<string> supported) => new(
        "model.architecture_unsupported", $"The architecture '{value}' is not supported", Field(path, field),
        "one of " + string.Join(", ", supported), "Use a model of a supported family");

    public static ShadException RotaryUnsupported(string path, string field, string value, string supported) => new(
        "model.rope_unsupported", $"The rotary scaling '{value}' is not supported", Field(path, field),
        supported);

    public static ShadException Quantized(string path, string method) => new(
        "model.quantized", $"The weights are quantized ('{method}')", Field(path, "quantization_config"),
        "weights in float32, float16 or bfloat16", "Use the unquantized model");

    public static ShadException HeadMissing(string configPath, string headName) => new(
        "model.head_missing",
        $"The weights hold no '{headName}', and 'tie_word_embeddings' is not true", configPath,
        $"a tensor '{headName}', or \"tie_word_embeddings\": true where the embedding matrix is the head",
        "Correct the config, or save the model again with its head");

    public static ShadException ConfigInexpressible(string modelType, string what) => new(
        "model.config_inexpressible", $"A config.json of model type '{modelType}' cannot say: {what}", null, null,
        "Choose the model type whose architecture has it");

    public static ShadException DtypeNameUnknown(string name) => new(
        "model.dtype_unknown", $"The dtype '{name}' is unknown", null, "float32, float16 or bfloat16");

    // Safetensors

    public static ShadException SafetensorsTooShort(string path, long length) => new(
        "model.safetensors_cut", $"The file has {Bytes(length)}, less than the 8 bytes of a safetensors length field", path, null,
        Redownload);

    public static ShadException HeaderTooLong(string path, ulong headerLength, long limit) => new(
        "model.safetensors_header_too_long", $"The header claims {Bytes(headerLength)}", path, $"at most {Bytes((ulong)limit)}",
        "The file is not safetensors, or is damaged; download it again");

    public static ShadException HeaderBeyondFile(string path, ulong headerLength, long fileLength) => new(
        "model.safetensors_cut", $"The header claims {Bytes(headerLength)}, but the file has {Bytes(fileLength)}", path, null, Redownload);

    public static ShadException HeaderNotJson(string path, string problem, Exception? inner = null) => new(
        "model.safetensors_header_not_json", $"The header is not valid JSON: {problem}", path,
        "a JSON object from tensor name to dtype, shape and data_offsets", Redownload, inner);

    public static ShadException HeaderEntry(string path, string tensor, string what, string expected) => new(
        "model.safetensors_header_invalid", what, Tensor(path, tensor), expected, Redownload);

    public static ShadException DtypeUnsupported(string path, string tensor, string dtype) => new(
        "model.dtype_unsupported", $"The dtype '{dtype}' is not supported", Tensor(path, tensor), "F32, F16 or BF16",
        "Save the model in one of these; quantized weights must be dequantized first");

    public static ShadException ShapeOverflow(string path, string tensor, long[] shape) => new(
        "model.safetensors_shape_overflow", $"The shape {Shape(shape)} has more elements than can be counted", Tensor(path, tensor),
        null, Redownload);

    public static ShadException ByteLengthMismatch(string path, string tensor, long[] shape, string dtype, long needed, long given) => new(
        "model.safetensors_length_mismatch",
        $"data_offsets span {Bytes(given)}, but shape {Shape(shape)} of {dtype} takes {Bytes(needed)}", Tensor(path, tensor), null,
        Redownload);

    public static ShadException OffsetsOutOfRange(string path, string tensor, long begin, long end, long dataLength) => new(
        "model.safetensors_out_of_range",
        $"data_offsets [{begin}, {end}] lie outside the file's {Bytes(dataLength)} of tensor data", Tensor(path, tensor),
        "0 ≤ begin ≤ end ≤ length of the data", Redownload);

    public static ShadException OffsetsOverlap(string path, string tensor, string other, long begin, long otherEnd) => new(
        "model.safetensors_overlap", $"Its data begin at {begin}, inside tensor '{other}', which ends at {otherEnd}",
        Tensor(path, tensor), "tensors that follow one another", Redownload);

    public static ShadException OffsetsGap(string path, string tensor, long begin, long expectedBegin) => new(
        "model.safetensors_gap", $"Its data begin at {begin}, leaving a gap after {expectedBegin}", Tensor(path, tensor),
        "tensors that follow one another without gaps", Redownload);

    public static ShadException TrailingBytes(string path, long end, long dataLength) => new(
        "model.safetensors_trailing_bytes", $"The tensors end at {end}, but the file holds {Bytes(dataLength)} of tensor data", path,
        "a file that ends with its last tensor", Redownload);

    // Sharded weights

    public static ShadException IndexInvalid(string path, string field, string what, string expected) => new(
        "model.index_invalid", what, Field(path, field), expected, "Download the index again");

    public static ShadException ShardNameUnsafe(string path, string tensor, string shard) => new(
        "model.shard_name_unsafe", $"Tensor '{tensor}' is said to be in '{shard}'", Field(path, "weight_map"),
        "the plain name of a .safetensors file beside the index", "Do not use this model: its index points outside its folder");

    public static ShadException ShardMissing(string shardPath, string indexName, int tensorCount) => new(
        "model.shard_missing", $"The shard does not exist; '{indexName}' places {Count(tensorCount, "tensor")} in it", shardPath, null,
        "Download the missing shard");

    public static ShadException TensorNotInShard(string shardPath, string tensor, string indexName) => new(
        "model.tensor_not_in_shard", $"The shard does not hold tensor '{tensor}', though '{indexName}' says so", shardPath, null,
        "Download the shard and the index again, from the same revision");

    // Weights stored as changes to a base model

    public static ShadException BaseMissing(string path, string folder) => new(
        "model.base_missing", $"The base model '{folder}' does not exist, and this folder holds only what differs from it",
        Field(path, "base"), "the folder of the base model, absolute or relative to the folder of this file",
        "Correct the path, or put the base model back");

    public static ShadException BaseOfBase(string path, string folder) => new(
        "model.base_not_whole", $"The base model '{folder}' is itself stored as changes to another model", Field(path, "base"),
        "a whole model", "Name the model that one was made from");

    public static ShadException BaseChanged(string path, string folder) => new(
        "model.base_changed", $"The weights of the base model '{folder}' are not those that this folder holds changes to",
        Field(path, "sha256"), "weights of the same content", "Name the right base model in 'base', or tune again from this one");

    // Tensors against the config

    public static ShadException TensorUnknown(string where, string tensor) => new(
        "model.tensor_missing", $"There is no tensor '{tensor}'", where);

    public static ShadException LayoutMismatch(
        string where, IReadOnlyList<string> missing, IReadOnlyList<string> wrongShape, IReadOnlyList<string> unexpected) => new(
        "model.layout_mismatch",
        "The weights do not fit config.json: " + string.Join("; ",
            new[] { Listed("missing", missing), Listed("of wrong shape", wrongShape), Listed("not known to this architecture", unexpected) }
                .Where(static part => part.Length > 0)),
        where, null, "Use the config.json and the weights of the same model and revision");

    public static ShadException TensorTooLongForSpan(string where, string tensor, long byteLength) => new(
        "model.tensor_too_long", $"The tensor has {Bytes(byteLength)}, too many for one span or array", Tensor(where, tensor),
        $"at most {Bytes(int.MaxValue)} at once", "Read it in pieces");

    // Adapters

    public static ShadException AdapterFolderMissing(string folder) => new(
        "adapter.missing_folder", "The adapter folder does not exist", folder,
        "a folder with adapter_config.json and adapter_model.safetensors (PEFT's layout)", "Check the path");

    public static ShadException AdapterFeature(string path, string field, string value, string expected) => new(
        "adapter.feature_unsupported", $"The adapter uses '{field}' ({value}), which is not supported", Field(path, field), expected,
        "Merge the adapter with PEFT (merge_and_unload) and use the merged model");

    public static ShadException AdapterTensorMissing(string path, string tensor) => new(
        "adapter.tensor_missing", $"There is no tensor '{tensor}', but its counterpart is there", path,
        "lora_A and lora_B of every adapted projection", "Save the adapter again");

    public static ShadException AdapterTensorUnknown(string path, string tensor) => new(
        "adapter.tensor_unknown", "The tensor adapts nothing that can be adapted in this model", Tensor(path, tensor),
        "base_model.model.model.layers.N.self_attn|mlp.X.lora_A|lora_B.weight of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
        "Use the adapter with the model it was made for, or merge it with PEFT first");

    public static ShadException AdapterEmpty(string path) => new(
        "adapter.empty", "The adapter holds no tensor", path, "lora_A and lora_B of at least one projection");

    public static ShadException AdapterShape(string path, string tensor, string found, string expected) => new(
        "adapter.shape", $"The shape is {found}", Tensor(path, tensor), $"{expected}, from the adapter's r and the model",
        "Use the adapter with the model it was made for");

    // Writing

    public static ShadException ValueOutOfRange(TensorName name, float value, string dtype) => new(
        "model.value_out_of_range",
        $"The value {value.ToString("R", CultureInfo.InvariantCulture)} is too large for {dtype}", name.Value, null,
        "Save as float32 or bfloat16");

    public static ShadException TensorNameInvalid(string path, string name, string expected) => new(
        "model.tensor_name_invalid", $"The tensor name '{name}' cannot be written", path, expected);

    /// <summary>Name of the tensor an error is about; null where the caller knows none.</summary>
    /// <param name="Value">The name.</param>
    internal readonly record struct TensorName(string? Value);

    public static string Shape(IReadOnlyList<long> shape) => "[" + string.Join(", ", shape) + "]";

    public static string Describe(JsonElement element)
    {
        string text = element.ValueKind is JsonValueKind.Object or JsonValueKind.Array
            ? Describe(element.ValueKind)
            : element.GetRawText();
        return text.Length <= 60 ? text : text[..57] + "...";
    }

    public static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    private static string Field(string path, string field) => $"{path}, field '{field}'";

    private static string Tensor(string path, string tensor) => $"{path}, tensor '{Shorten(tensor)}'";

    private static string Shorten(string name) => name.Length <= 120 ? name : name[..117] + "...";

    private static string Line(string path, JsonException inner) =>
        inner.LineNumber is { } line ? string.Create(CultureInfo.InvariantCulture, $"{path}:{line + 1}") : path;

    private static string JsonProblem(JsonException inner)
    {
        // The framework appends " LineNumber: 0 | BytePositionInLine: 3." — zero-based, and already said by the location.
        int cut = inner.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return cut < 0 ? inner.Message : inner.Message[..cut];
    }

    private static string Bytes(long count) => Bytes((ulong)count);

    private static string Bytes(ulong count) => string.Create(CultureInfo.InvariantCulture, $"{count} bytes");

    private static string Count(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";

    private static string Listed(string kind, IReadOnlyList<string> items)
    {
        if (items.Count == 0) return "";
        string more = items.Count > MostListed ? $", and {items.Count - MostListed} more" : "";
        return $"{Count(items.Count, "tensor")} {kind}: {string.Join(", ", items.Take(MostListed).Select(Shorten))}{more}";
    }
}
