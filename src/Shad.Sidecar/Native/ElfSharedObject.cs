using System.Buffers.Binary;
using System.Text;

namespace Shad.Sidecar.Native;

/// <summary>
/// The dynamic-linking tables of a 64-bit little-endian ELF shared object held in memory: enough of the format (System V ABI,
/// GNU symbol versioning) to read what it asks of other libraries and to change that in place.
/// </summary>
public sealed class ElfSharedObject
{
    /// <summary><c>VER_FLG_WEAK</c>: a needed version whose absence is no error to the dynamic linker.</summary>
    public const ushort WeakVersionFlag = 0x2;

    private const int SymbolSize = 24;
    private const uint SectionDynamicSymbols = 11;
    private const uint SectionVersionSymbols = 0x6fffffff;
    private const uint SectionVersionNeeds = 0x6ffffffe;

    private readonly byte[] _image;
    private readonly Section _symbols;
    private readonly Section _strings;
    private readonly Section _versions;
    private readonly Section _needs;

    private ElfSharedObject(byte[] image, Section symbols, Section strings, Section versions, Section needs)
    {
        _image = image;
        _symbols = symbols;
        _strings = strings;
        _versions = versions;
        _needs = needs;
    }

    private readonly record struct Section(uint Type, int Offset, int Size, int Link, int Info);

    /// <summary>A version needed from another library, with the place of its entry in <c>.gnu.version_r</c>.</summary>
    /// <param name="Library">File name of the library (<c>libstdc++.so.6</c>).</param>
    /// <param name="Name">Version (<c>GLIBCXX_3.4.32</c>).</param>
    /// <param name="Index">The number by which <c>.gnu.version</c> names it.</param>
    /// <param name="Flags">Its flags; see <see cref="WeakVersionFlag"/>.</param>
    /// <param name="EntryOffset">Byte offset of the entry in the image.</param>
    public readonly record struct NeededVersion(string Library, string Name, ushort Index, ushort Flags, int EntryOffset);

    /// <summary>Reads the tables. The image is not copied: changes are written into it.</summary>
    /// <param name="image">The whole file.</param>
    /// <param name="name">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">It is no 64-bit little-endian ELF file, or a table lies outside the file or is
    /// missing.</exception>
    public static ElfSharedObject Parse(byte[] image, string name)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (image.Length < 64 || !image.AsSpan(0, 4).SequenceEqual("\u007fELF"u8))
            throw new InvalidDataException($"{name} is no ELF file.");
        if (image[4] != 2 || image[5] != 1)
            throw new InvalidDataException($"{name} is no 64-bit little-endian ELF file.");

        long tableOffset = BinaryPrimitives.ReadInt64LittleEndian(image.AsSpan(0x28));
        int entrySize = BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan(0x3a));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan(0x3c));
        if (entrySize < 64 || tableOffset < 0 || tableOffset > image.Length - (long)count * entrySize)
            throw new InvalidDataException($"{name}: the section table lies outside the file.");

        var sections = new Section[count];
        for (int i = 0; i < count; i++)
        {
            var header = image.AsSpan((int)tableOffset + i * entrySize, 64);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
            long offset = BinaryPrimitives.ReadInt64LittleEndian(header[0x18..]);
            long size = BinaryPrimitives.ReadInt64LittleEndian(header[0x20..]);
            const uint occupiesNoFileSpace = 8;
            if (type != occupiesNoFileSpace && (offset < 0 || size < 0 || offset > image.Length - size))
                throw new InvalidDataException($"{name}: section {i} lies outside the file.");
            if (type == occupiesNoFileSpace) size = 0;
            sections[i] = new Section(
                type, (int)offset, (int)size,
                (int)BinaryPrimitives.ReadUInt32LittleEndian(header[0x28..]),
                (int)BinaryPrimitives.ReadUInt32LittleEndian(header[0x2c..]));
        }

        Section Find(uint type)
        {
            foreach (var section in sections)
                if (section.Type == type) return section;
            throw new InvalidDataException($"{name} has no section of type 0x{type:x}; is it a shared object with symbol versions?");
        }

        var symbols = Find(SectionDynamicSymbols);
        if (symbols.Link < 0 || symbols.Link >= count)
            throw new InvalidDataException($"{name}: the symbol table names no string table.");
        return new ElfSharedObject(image, symbols, sections[symbols.Link], Find(SectionVersionSymbols), Find(SectionVersionNeeds));
    }

    /// <summary>Number of dynamic symbols.</summary>
    public int SymbolCount => _symbols.Size / SymbolSize;

    /// <summary>The name of a dynamic symbol, without version.</summary>
    public string SymbolName(int symbol) => StringAt(NameOffset(symbol));

    /// <summary>The version index of a dynamic symbol (bit 15, "hidden", removed).</summary>
    public ushort VersionOf(int symbol) =>
        (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(VersionEntry(symbol)) & 0x7fff);

    /// <summary>True where the symbol is asked of another library.</summary>
    public bool IsUndefined(int symbol) => BinaryPrimitives.ReadUInt16LittleEndian(Symbol(symbol)[6..]) == 0;

    /// <summary>The index of an undefined symbol by name, or −1.</summary>
    public int FindUndefined(string name)
    {
        for (int i = 1; i < SymbolCount; i++)
            if (IsUndefined(i) && SymbolName(i) == name) return i;
        return -1;
    }

    /// <summary>The versions needed from other libraries.</summary>
    /// <exception cref="InvalidDataException">The table's links lead outside it.</exception>
    public IReadOnlyList<NeededVersion> NeededVersions()
    {
        var found = new List<NeededVersion>();
        int offset = _needs.Offset;
        for (int file = 0; file < _needs.Info; file++)
        {
            var need = Within(offset, 16);
            int count = BinaryPrimitives.ReadUInt16LittleEndian(need[2..]);
            string library = StringAt(BinaryPrimitives.ReadUInt32LittleEndian(need[4..]));
            int entry = checked(offset + (int)BinaryPrimitives.ReadUInt32LittleEndian(need[8..]));
            for (int i = 0; i < count; i++)
            {
                var version = Within(entry, 16);
                found.Add(new NeededVersion(
                    library,
                    StringAt(BinaryPrimitives.ReadUInt32LittleEndian(version[8..])),
                    BinaryPrimitives.ReadUInt16LittleEndian(version[6..]),
                    BinaryPrimitives.ReadUInt16LittleEndian(version[4..]),
                    entry));
                int next = (int)BinaryPrimitives.ReadUInt32LittleEndian(version[12..]);
                if (next == 0) break;
                entry = checked(entry + next);
            }

            int nextFile = (int)BinaryPrimitives.ReadUInt32LittleEndian(need[12..]);
            if (nextFile == 0) break;
            offset = checked(offset + nextFile);
        }

        return found;
    }

    /// <summary>Sets the flags of a needed version.</summary>
    public void SetFlags(NeededVersion version, ushort flags) =>
        BinaryPrimitives.WriteUInt16LittleEndian(Within(version.EntryOffset, 16)[4..], flags);

    /// <summary>Sets the version index of a symbol.</summary>
    public void SetVersion(int symbol, ushort index) => BinaryPrimitives.WriteUInt16LittleEndian(VersionEntry(symbol), index);

    /// <summary>Overwrites a symbol's name in the string table.</summary>
    /// <exception cref="InvalidDataException">The new name is longer than the old, or another symbol's name shares the bytes
    /// (string tables may merge a name with the tail of a longer one).</exception>
    public void Rename(int symbol, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        uint start = NameOffset(symbol);
        int oldLength = Encoding.ASCII.GetByteCount(SymbolName(symbol));
        byte[] bytes = Encoding.ASCII.GetBytes(name);
        if (bytes.Length > oldLength)
            throw new InvalidDataException($"'{name}' is longer than the {oldLength} bytes of '{SymbolName(symbol)}' it replaces.");
        for (int i = 1; i < SymbolCount; i++)
        {
            uint other = NameOffset(i);
            if (i != symbol && other >= start && other <= start + oldLength)
                throw new InvalidDataException($"'{SymbolName(i)}' shares the bytes of '{SymbolName(symbol)}' in the string table.");
        }

        var target = _image.AsSpan(_strings.Offset + (int)start, oldLength);
        target.Clear();
        bytes.CopyTo(target);
    }

    private Span<byte> Symbol(int symbol) => _image.AsSpan(_symbols.Offset + symbol * SymbolSize, SymbolSize);

    private uint NameOffset(int symbol) => BinaryPrimitives.ReadUInt32LittleEndian(Symbol(symbol));

    private Span<byte> VersionEntry(int symbol)
    {
        if ((symbol + 1) * 2 > _versions.Size) throw new InvalidDataException($"Symbol {symbol} has no version entry.");
        return _image.AsSpan(_versions.Offset + symbol * 2, 2);
    }

    private Span<byte> Within(int offset, int size)
    {
        if (offset < _needs.Offset || offset > _needs.Offset + _needs.Size - size)
            throw new InvalidDataException("A needed-version entry lies outside its table.");
        return _image.AsSpan(offset, size);
    }

    private string StringAt(uint offset)
    {
        if (offset >= _strings.Size) throw new InvalidDataException("A name lies outside the string table.");
        var tail = _image.AsSpan(_strings.Offset + (int)offset, _strings.Size - (int)offset);
        int end = tail.IndexOf((byte)0);
        if (end < 0) throw new InvalidDataException("A name in the string table has no end.");
        return Encoding.ASCII.GetString(tail[..end]);
    }
}
