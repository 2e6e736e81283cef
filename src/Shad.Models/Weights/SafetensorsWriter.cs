using System.Buffers.Binary;
using System.Numerics;
using System.Text.Encodings.Web;
using System.Text.Json;
using Shad.Core.Errors;
using Shad.Models.Errors;

namespace Shad.Models.Weights;

/// <summary>Writes safetensors files: streaming, and whole or not at all.</summary>
public static class SafetensorsWriter
{
    /// <summary>Alignment of the data's start, in bytes: a cache line, and the widest vector register.</summary>
    public const int Alignment = 64;

    /// <summary>Writes a file: to a temporary name beside it, renamed when whole.</summary>
    /// <remarks>
    /// The data start at a multiple of <see cref="Alignment"/> (the header is padded with spaces), and tensors are laid out by
    /// the largest power of two that divides their byte length, largest first, otherwise in the order given. Each offset is
    /// then a multiple of every later length's power of two: a tensor whose length is a multiple of 64 starts at a multiple of
    /// 64, and every tensor starts at a multiple of its element size. The bytes are asked for in that order.
    /// </remarks>
    /// <param name="path">The file; replaced where it exists.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="metadata">Free text; <c>format: pt</c>, which Hugging Face loaders ask for, is added where absent.</param>
    /// <exception cref="ShadException">A name is used twice or reserved, or the file cannot be written (full disk, permissions).</exception>
    /// <exception cref="InvalidOperationException">A tensor's callback wrote more or fewer bytes than its shape takes.</exception>
    public static void Write(
        string path, IEnumerable<TensorToWrite> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(tensors);
        path = Path.GetFullPath(path);
        List<Placed> placed = Place(path, tensors);
        byte[] header = BuildHeader(placed, metadata);
        long total = header.Length + (placed.Count == 0 ? 0 : placed[^1].End);

        AtomicFile.Write(path, total, stream =>
        {
            stream.Write(header);
            foreach (Placed item in placed)
            {
                var counted = new ExactLengthStream(stream, item.Tensor.Name, item.End - item.Begin);
                item.Tensor.WriteBytes(counted);
                counted.RequireFull();
            }
        });
    }

    private static List<Placed> Place(string path, IEnumerable<TensorToWrite> tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var sized = new List<(TensorToWrite Tensor, long Length)>();
        foreach (TensorToWrite tensor in tensors)
        {
            if (tensor.Name == SafetensorsHeader.MetadataName)
                throw ModelErrors.TensorNameInvalid(path, tensor.Name, "a name other than the reserved one");
            if (!names.Add(tensor.Name)) throw ModelErrors.TensorNameInvalid(path, tensor.Name, "each name once");
            if (tensor.Shape.Any(static dimension => dimension < 0))
                throw new ArgumentException($"Tensor '{tensor.Name}' has a negative dimension.", nameof(tensors));
            long length = SafetensorsHeader.ByteLengthOf(tensor.Shape, tensor.Dtype)
                ?? throw ModelErrors.ShapeOverflow(path, tensor.Name, tensor.Shape);
            sized.Add((tensor, length));
        }

        var placed = new List<Placed>(sized.Count);
        long begin = 0;
        foreach ((TensorToWrite tensor, long length) in sized.OrderByDescending(static item => AlignmentOf(item.Length)))
        {
            placed.Add(new Placed(tensor, begin, begin + length));
            begin += length;
        }

        return placed;
    }

    private static int AlignmentOf(long length) =>
        length == 0 ? Alignment : 1 << Math.Min(BitOperations.TrailingZeroCount(length), BitOperations.Log2(Alignment));

    private static byte[] BuildHeader(List<Placed> placed, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        buffer.Write(new byte[SafetensorsHeader.LengthFieldSize]);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject(SafetensorsHeader.MetadataName);
            if (metadata is null || !metadata.ContainsKey("format")) json.WriteString("format", "pt");
            foreach ((string key, string value) in metadata ?? new Dictionary<string, string>()) json.WriteString(key, value);
            json.WriteEndObject();
            foreach (Placed item in placed)
            {
                json.WriteStartObject(item.Tensor.Name);
                json.WriteString("dtype", item.Tensor.Dtype.SafetensorsName());
                json.WriteStartArray("shape");
                foreach (long dimension in item.Tensor.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(item.Begin);
                json.WriteNumberValue(item.End);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.Length % Alignment != 0) buffer.WriteByte((byte)' ');
        byte[] header = buffer.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(header.Length - SafetensorsHeader.LengthFieldSize));
        return header;
    }

    private readonly record struct Placed(TensorToWrite Tensor, long Begin, long End);

    /// <summary>Passes writes on and refuses more, or fewer, bytes than a tensor has.</summary>
    private sealed class ExactLengthStream(Stream inner, string tensor, long length) : Stream
    {
        private long _written;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => length;

        public override long Position
        {
            get => _written;
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length > length - _written)
                throw new InvalidOperationException($"Tensor '{tensor}' takes {length} bytes; more were written.");
            inner.Write(buffer);
            _written += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public void RequireFull()
        {
            if (_written != length)
                throw new InvalidOperationException($"Tensor '{tensor}' takes {length} bytes; {_written} were written.");
        }
    }
}
