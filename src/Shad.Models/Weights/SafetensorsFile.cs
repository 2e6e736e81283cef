using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Shad.Core.Errors;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>
/// A safetensors file, mapped into memory: opening it reads its header only, and the operating system pages weights in as they
/// are used.
/// </summary>
/// <remarks>
/// Reading is safe from many threads; disposing while another thread reads is not. The file must not be cut while it is open.
/// </remarks>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private bool _disposed;

    private SafetensorsFile(string path, SafetensorsHeader header, MemoryMappedFile mapping, MemoryMappedViewAccessor view)
    {
        Path = path;
        Tensors = header.Tensors;
        Metadata = header.Metadata;
        _mapping = mapping;
        _view = view;
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        _start = pointer + view.PointerOffset;
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>The header's free text (<c>__metadata__</c>).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="ShadException">The file is missing, unreadable, cut, or its header is not sound.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        path = System.IO.Path.GetFullPath(path);
        if (!File.Exists(path)) throw ModelErrors.FileMissing(path, foundInstead: null);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            SafetensorsHeader header = SafetensorsHeader.Read(stream, stream.Length, path);
            return Map(path, header, stream);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw ModelErrors.CannotRead(path, error);
        }
    }

    /// <summary>A tensor's bytes in the mapping; valid until this file is disposed.</summary>
    /// <exception cref="ShadException">There is no such tensor, or it is longer than one span can be (2 GiB): see
    /// <see cref="CopyBytes"/>.</exception>
    public ReadOnlySpan<byte> AsSpan(string name)
    {
        TensorEntry entry = Find(name);
        if (entry.ByteLength > int.MaxValue) throw ModelErrors.TensorTooLongForSpan(Path, name, entry.ByteLength);
        return Slice(entry, 0, (int)entry.ByteLength);
    }

    /// <summary>Copies a part of a tensor's bytes, of a tensor of any length.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="byteOffset">First byte to copy, from the start of the tensor.</param>
    /// <param name="destination">Receives <c>destination.Length</c> bytes.</param>
    /// <exception cref="ShadException">There is no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches beyond the tensor.</exception>
    public void CopyBytes(string name, long byteOffset, Span<byte> destination)
    {
        TensorEntry entry = Find(name);
        if (byteOffset < 0 || byteOffset > entry.ByteLength - destination.Length)
            throw new ArgumentOutOfRangeException(
                nameof(byteOffset), byteOffset, $"{destination.Length} bytes do not fit tensor '{name}' of {entry.ByteLength} bytes.");
        Slice(entry, byteOffset, destination.Length).CopyTo(destination);
    }

    /// <summary>Copies a part of a tensor's values as float32, of a tensor of any length.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="first">First value to copy, in row-major order.</param>
    /// <param name="destination">Receives <c>destination.Length</c> values.</param>
    /// <exception cref="ShadException">There is no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches beyond the tensor.</exception>
    public void CopyFloat32(string name, long first, Span<float> destination)
    {
        TensorEntry entry = Find(name);
        if (first < 0 || first > entry.ElementCount - destination.Length)
            throw new ArgumentOutOfRangeException(
                nameof(first), first, $"{destination.Length} values do not fit tensor '{name}' of {entry.ElementCount} values.");
        int size = entry.Dtype.ByteSize();
        Float32Conversion.ToFloat32(Slice(entry, first * size, checked(destination.Length * size)), entry.Dtype, destination);
    }

    /// <summary>A tensor's values as float32, in row-major order.</summary>
    /// <exception cref="ShadException">There is no such tensor, or it has more elements than an array can hold.</exception>
    public float[] ReadFloat32(string name)
    {
        TensorEntry entry = Find(name);
        if (entry.ElementCount > Array.MaxLength) throw ModelErrors.TensorTooLongForSpan(Path, name, entry.ByteLength);
        float[] values = GC.AllocateUninitializedArray<float>((int)entry.ElementCount);
        const int Step = 1 << 24;
        for (int start = 0; start < values.Length; start += Step)
            CopyFloat32(name, start, values.AsSpan(start, Math.Min(Step, values.Length - start)));

        return values;
    }

    /// <summary>True where a tensor has the shape and the values of another one; see <see cref="ModelWeights.HasSameValues"/>.</summary>
    /// <exception cref="ShadException">There is no such tensor.</exception>
    public bool HasSameValues(string name, SafetensorsFile other, string otherName)
    {
        ArgumentNullException.ThrowIfNull(other);
        TensorEntry mine = Find(name), theirs = other.Find(otherName);
        if (!mine.Shape.AsSpan().SequenceEqual(theirs.Shape)) return false;
        if (mine.File == theirs.File && mine.Offset == theirs.Offset && mine.Dtype == theirs.Dtype) return true;

        const int Step = 1 << 18;
        bool alike = mine.Dtype == theirs.Dtype;
        float[] widened = alike ? [] : new float[Step], otherWidened = alike ? [] : new float[Step];
        for (long start = 0; start < mine.ElementCount; start += Step)
        {
            int count = (int)Math.Min(Step, mine.ElementCount - start);
            ReadOnlySpan<byte> bytes = Elements(mine, start, count), otherBytes = other.Elements(theirs, start, count);
            if (!alike)
            {
                Float32Conversion.ToFloat32(bytes, mine.Dtype, widened.AsSpan(0, count));
                Float32Conversion.ToFloat32(otherBytes, theirs.Dtype, otherWidened.AsSpan(0, count));
                bytes = MemoryMarshal.AsBytes(widened.AsSpan(0, count));
                otherBytes = MemoryMarshal.AsBytes(otherWidened.AsSpan(0, count));
            }

            if (!bytes.SequenceEqual(otherBytes)) return false;
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
    }

    private static SafetensorsFile Map(string path, SafetensorsHeader header, FileStream stream)
    {
        MemoryMappedFile mapping = MemoryMappedFile.CreateFromFile(
            stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        MemoryMappedViewAccessor? view = null;
        try
        {
            view = mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            return new SafetensorsFile(path, header, mapping, view);
        }
        catch
        {
            view?.Dispose();
            mapping.Dispose();
            throw;
        }
    }

    private TensorEntry Find(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Tensors.TryGetValue(name, out TensorEntry? entry) ? entry : throw ModelErrors.TensorUnknown(Path, name);
    }

    private ReadOnlySpan<byte> Elements(TensorEntry entry, long start, int count) =>
        Slice(entry, start * entry.Dtype.ByteSize(), count * entry.Dtype.ByteSize());

    private ReadOnlySpan<byte> Slice(TensorEntry entry, long byteOffset, int length) => new(_start + entry.Offset + byteOffset, length);
}
