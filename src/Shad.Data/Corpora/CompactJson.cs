using System.Buffers;
using System.Text;
using System.Text.Json;
using Shad.Data.Files;

namespace Shad.Data.Corpora;

/// <summary>
/// JSON as one line without blanks: keys in the order given, numbers as they were written, nothing escaped that need not be. The
/// same value always gives the same text.
/// </summary>
internal static class CompactJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = MinimalJsonEncoder.Instance };

    internal static string Of(JsonElement value) => Write(value.WriteTo);

    internal static string Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1 << 10);
        using (var json = new Utf8JsonWriter(buffer, Options)) write(json);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
