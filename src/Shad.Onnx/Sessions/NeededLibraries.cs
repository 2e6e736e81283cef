using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Shad.Onnx.Sessions;

/// <summary>
/// The libraries that a shared object asks the dynamic linker for: the <c>DT_NEEDED</c> entries of a 64-bit little-endian ELF file
/// (System V ABI, chapter 5). Read by its program headers, some hundred bytes of a file of hundreds of megabytes.
/// </summary>
internal static class NeededLibraries
{
    private const uint LoadSegment = 1;
    private const uint DynamicSegment = 2;
    private const long EndOfTable = 0;
    private const long Needed = 1;
    private const long StringTable = 5;
    private const long StringTableSize = 10;

    private readonly record struct Segment(uint Type, long Offset, long Address, long Size);

    /// <summary>The needed libraries' names, in their order; none for a file that is no such ELF file.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<string> Of(string path)
    {
        using var file = File.OpenHandle(path);
        byte[] header = Read(file, 0, 64);
        if (header.Length < 64 || !header.AsSpan(0, 4).SequenceEqual("\u007fELF"u8) || header[4] != 2 || header[5] != 1) return [];
        long table = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(0x20));
        int entrySize = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(0x36));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(0x38));
        if (entrySize < 56) return [];
        byte[] entries = Read(file, table, count * entrySize);
        var segments = new List<Segment>();
        for (int at = 0; at + entrySize <= entries.Length; at += entrySize)
        {
            var entry = entries.AsSpan(at, entrySize);
            segments.Add(new Segment(
                BinaryPrimitives.ReadUInt32LittleEndian(entry), BinaryPrimitives.ReadInt64LittleEndian(entry[0x08..]),
                BinaryPrimitives.ReadInt64LittleEndian(entry[0x10..]), BinaryPrimitives.ReadInt64LittleEndian(entry[0x20..])));
        }

        if (segments.Find(static segment => segment.Type == DynamicSegment) is not { Size: > 0 and < 1 << 20 } dynamic) return [];
        var names = new List<long>();
        long strings = -1, stringsSize = 0;
        byte[] tags = Read(file, dynamic.Offset, (int)dynamic.Size);
        for (int at = 0; at + 16 <= tags.Length; at += 16)
        {
            long tag = BinaryPrimitives.ReadInt64LittleEndian(tags.AsSpan(at));
            long value = BinaryPrimitives.ReadInt64LittleEndian(tags.AsSpan(at + 8));
            if (tag == EndOfTable) break;
            if (tag == Needed) names.Add(value);
            else if (tag == StringTable) strings = value;
            else if (tag == StringTableSize) stringsSize = value;
        }

        // The table's place is told as an address in memory; the segment that holds it says where that is in the file.
        var holder = segments.Find(segment =>
            segment.Type == LoadSegment && strings >= segment.Address && strings < segment.Address + segment.Size);
        if (holder.Size == 0 || stringsSize is <= 0 or > 1 << 28) return [];
        byte[] text = Read(file, holder.Offset + strings - holder.Address, (int)stringsSize);
        return [.. names.Where(name => name >= 0 && name < text.Length).Select(name =>
        {
            var tail = text.AsSpan((int)name);
            int end = tail.IndexOf((byte)0);
            return Encoding.ASCII.GetString(end < 0 ? tail : tail[..end]);
        })];
    }

    /// <summary>Those of a file's needed libraries that the dynamic linker does not find, by name.</summary>
    public static IReadOnlyList<string> Missing(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return [.. Of(path).Where(name => !Loads(name) && !Loads(Path.Combine(folder, name)))];

        // Kept loaded: what was found here is what the provider is going to use.
        static bool Loads(string name) => NativeLibrary.TryLoad(name, out _);
    }

    private static byte[] Read(Microsoft.Win32.SafeHandles.SafeFileHandle file, long offset, int count)
    {
        if (offset < 0 || count <= 0) return [];
        byte[] buffer = new byte[count];
        int read = 0;
        while (read < count)
        {
            int got = RandomAccess.Read(file, buffer.AsSpan(read), offset + read);
            if (got == 0) break;
            read += got;
        }

        return read == count ? buffer : buffer[..read];
    }
}
