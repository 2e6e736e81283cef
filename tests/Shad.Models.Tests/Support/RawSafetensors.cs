using System.Buffers.Binary;
using System.Text;

namespace Shad.Models.Tests.Support;

/// <summary>Builds safetensors files by hand, sound or not: independent of the writer under test.</summary>
internal static class RawSafetensors
{
    public static byte[] Bytes(string header, int dataLength) => Bytes(Encoding.UTF8.GetBytes(header), dataLength);

    public static byte[] Bytes(byte[] header, int dataLength)
    {
        byte[] file = new byte[8 + header.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)header.Length);
        header.CopyTo(file, 8);
        for (int i = 0; i < dataLength; i++) file[8 + header.Length + i] = (byte)(i * 31);
        return file;
    }

    public static string Entry(string name, string dtype, string shape, long begin, long end) =>
        $$"""
        "{{name}}":{"dtype":"{{dtype}}","shape":{{shape}},"data_offsets":[{{begin}},{{end}}]}
        """;
}
