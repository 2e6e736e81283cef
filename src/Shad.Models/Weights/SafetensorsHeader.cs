using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using Shad.Core.Errors;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>
/// The header of a safetensors file: 8 bytes of length <c>N</c> (little-endian), <c>N</c> bytes of JSON, then the tensors' data.
/// </summary>
/// <remarks>
/// Everything is checked, since the file may come from anyone: the data must be covered exactly once, without gaps, overlaps
/// or a tail, so that no byte outside a tensor is ever reached through an entry.
/// </remarks>
internal sealed class SafetensorsHeader
{
    /// <summary>Bytes of the length field.</summary>
    public const int LengthFieldSize = 8;

    /// <summary>Longest header accepted, in bytes; the reference implementation's limit.</summary>
    public const long LongestHeader = 100_000_000;

    /// <summary>The header's member that holds free text instead of a tensor.</summary>
    public const string MetadataName = "__metadata__";

    private SafetensorsHeader(Dictionary<string, TensorEntry> tensors, Dictionary<string, string> metadata)
    {
        Tensors = tensors;
        Metadata = metadata;
    }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>Free text.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads and checks a header.</summary>
    /// <param name="stream">The file from its start.</param>
    /// <param name="fileLength">Length of the file in bytes.</param>
    /// <param name="path">Full path, for entries and errors.</param>
    public static SafetensorsHeader Read(Stream stream, long fileLength, string path)
    {
        if (fileLength < LengthFieldSize) throw ModelErrors.SafetensorsTooShort(path, fileLength);
        Span<byte> lengthField = stackalloc byte[LengthFieldSize];
        stream.ReadExactly(lengthField);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(lengthField);
        if (headerLength > (ulong)LongestHeader) throw ModelErrors.HeaderTooLong(path, headerLength, LongestHeader);
        if (headerLength > (ulong)(fileLength - LengthFieldSize))
            throw ModelErrors.HeaderBeyondFile(path, headerLength, fileLength);

        byte[] json = new byte[(int)headerLength];
        stream.ReadExactly(json);
        long dataOffset = LengthFieldSize + (long)headerLength;
        return Parse(json, dataOffset, fileLength - dataOffset, path);
    }

    private static SafetensorsHeader Parse(byte[] json, long dataOffset, long dataLength, string path)
    {
        if (!Utf8.IsValid(json)) throw ModelErrors.HeaderNotJson(path, "it is not UTF-8 text");
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw ModelErrors.HeaderNotJson(path, $"it is {ModelErrors.Describe(document.RootElement.ValueKind)}");

            var tensors = new Dictionary<string, TensorEntry>(StringComparer.Ordinal);
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (JsonProperty member in document.RootElement.EnumerateObject())
            {
                if (member.Name == MetadataName) ReadMetadata(member.Value, path, metadata);
                else tensors.Add(member.Name, ReadEntry(member.Name, member.Value, dataOffset, dataLength, path));
            }

            RequireExactCover(tensors.Values, dataOffset, dataLength, path);
            return new SafetensorsHeader(tensors, metadata);
        }
        catch (JsonException error)
        {
            throw ModelErrors.HeaderNotJson(path, error.Message, error);
        }
        catch (InvalidOperationException error)
        {
            // A string with an unpaired surrogate escape cannot be decoded.
            throw ModelErrors.HeaderNotJson(path, error.Message, error);
        }
    }

    private static void ReadMetadata(JsonElement element, string path, Dictionary<string, string> metadata)
    {
        const string Expected = "an object of strings";
        if (element.ValueKind == JsonValueKind.Null) return;
        if (element.ValueKind != JsonValueKind.Object)
            throw ModelErrors.HeaderEntry(path, MetadataName, $"It is {ModelErrors.Describe(element.ValueKind)}", Expected);
        foreach (JsonProperty member in element.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.String)
                throw ModelErrors.HeaderEntry(path, MetadataName, $"'{member.Name}' is {ModelErrors.Describe(member.Value)}", Expected);
            metadata.Add(member.Name, member.Value.GetString()!);
        }
    }

    private static TensorEntry ReadEntry(string name, JsonElement element, long dataOffset, long dataLength, string path)
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw ModelErrors.HeaderEntry(path, name, $"Its entry is {ModelErrors.Describe(element)}", "an object with dtype, shape and data_offsets");

        TensorDtype dtype = ReadDtype(name, element, path);
        long[] shape = ReadIntegers(name, element, "shape", path);
        long[] offsets = ReadIntegers(name, element, "data_offsets", path);
        if (offsets.Length != 2)
            throw ModelErrors.HeaderEntry(path, name, $"'data_offsets' has {offsets.Length} numbers", "two: begin and end");
        long begin = offsets[0], end = offsets[1];
        if (begin > end || end > dataLength) throw ModelErrors.OffsetsOutOfRange(path, name, begin, end, dataLength);

        long needed = ByteLengthOf(shape, dtype) ?? throw ModelErrors.ShapeOverflow(path, name, shape);
        if (needed != end - begin)
            throw ModelErrors.ByteLengthMismatch(path, name, shape, dtype.SafetensorsName(), needed, end - begin);
        return new TensorEntry(name, dtype, shape, path, dataOffset + begin, needed);
    }

    private static TensorDtype ReadDtype(string name, JsonElement element, string path)
    {
        if (!element.TryGetProperty("dtype", out JsonElement value) || value.ValueKind != JsonValueKind.String)
            throw ModelErrors.HeaderEntry(path, name, "'dtype' is missing or no string", "F32, F16 or BF16");
        string dtype = value.GetString()!;
        return TensorDtypes.FromSafetensorsName(dtype) ?? throw ModelErrors.DtypeUnsupported(path, name, dtype);
    }

    private static long[] ReadIntegers(string name, JsonElement element, string field, string path)
    {
        const string Expected = "a list of whole numbers, none negative";
        if (!element.TryGetProperty(field, out JsonElement value) || value.ValueKind != JsonValueKind.Array)
            throw ModelErrors.HeaderEntry(path, name, $"'{field}' is missing or no list", Expected);
        long[] numbers = new long[value.GetArrayLength()];
        int i = 0;
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long number) || number < 0)
                throw ModelErrors.HeaderEntry(path, name, $"'{field}' holds {ModelErrors.Describe(item)}", Expected);
            numbers[i++] = number;
        }

        return numbers;
    }

    /// <summary>Bytes of a tensor, or null where they, or the elements on the way, exceed what 63 bits count.</summary>
    internal static long? ByteLengthOf(ReadOnlySpan<long> shape, TensorDtype dtype)
    {
        try
        {
            long count = dtype.ByteSize();
            foreach (long dimension in shape) count = checked(count * dimension);
            return count;
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    private static void RequireExactCover(IEnumerable<TensorEntry> tensors, long dataOffset, long dataLength, string path)
    {
        long end = dataOffset;
        TensorEntry? previous = null;
        foreach (TensorEntry tensor in tensors.OrderBy(static t => t.Offset).ThenBy(static t => t.ByteLength))
        {
            if (tensor.Offset < end)
                throw ModelErrors.OffsetsOverlap(path, tensor.Name, previous!.Name, tensor.Offset - dataOffset, end - dataOffset);
            if (tensor.Offset > end) throw ModelErrors.OffsetsGap(path, tensor.Name, tensor.Offset - dataOffset, end - dataOffset);
            end = tensor.Offset + tensor.ByteLength;
            previous = tensor;
        }

        if (end != dataOffset + dataLength) throw ModelErrors.TrailingBytes(path, end - dataOffset, dataLength);
    }
}
