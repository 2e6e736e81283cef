using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using Shad.Core.Tuning;

namespace Shad.Sidecar.Protocol;

/// <summary>Writes curves as a TensorBoard event file.</summary>
/// <remarks>
/// A file is a row of records (TensorFlow's TFRecord): length (uint64), masked CRC-32C of the length (uint32), the bytes, masked CRC-32C of
/// the bytes (uint32), all little-endian; <c>masked(c) = ((c &gt;&gt; 15) | (c &lt;&lt; 17)) + 0xa282ead8</c>. Each is an <c>Event</c> in
/// protobuf's wire format (tensorflow/core/util/event.proto):
/// <code>
/// Event    wall_time = 1 (double), step = 2 (int64), file_version = 3 (string), summary = 5 (Summary)
/// Summary  value = 1 (repeated Value)          Value  tag = 1 (string), simple_value = 2 (float)
/// </code>
/// </remarks>
public sealed class TensorBoardWriter : IDisposable
{
    private const string FileVersion = "brain.Event:2";

    private readonly FileStream _file;

    /// <summary>Starts a file of its own in a folder: a tune that goes on adds a file, and TensorBoard shows them as one curve.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public TensorBoardWriter(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Directory.CreateDirectory(folder);
        string time = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        Path = System.IO.Path.Combine(folder, $"events.out.tfevents.{time}.shad.{Environment.ProcessId}");
        _file = new FileStream(Path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        var body = new MemoryStream();
        WriteBytes(body, 3, Encoding.UTF8.GetBytes(FileVersion));
        WriteEvent(null, body);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Adds a progress event to the curves.</summary>
    public void Write(TuneProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        Write(progress.Step,
        [
            ("train/loss", progress.Loss), ("train/boilerplate_loss", progress.BoilerplateLoss),
            ("train/reasoning_loss", progress.ReasoningLoss), ("train/reasoning_weight", progress.ReasoningWeight),
            ("train/gradient_norm", progress.GradientNorm), ("train/learning_rate", progress.LearningRate),
            ("train/tokens_per_second", progress.TokensPerSecond), ("train/peak_memory_gib", progress.PeakMemory / (double)(1L << 30)),
        ]);
    }

    /// <summary>Adds a measurement to the curves.</summary>
    public void Write(HeldOutMeasured measured)
    {
        ArgumentNullException.ThrowIfNull(measured);
        Write(measured.Step,
        [
            ("held_out/loss", measured.Loss), ("held_out/boilerplate_loss", measured.BoilerplateLoss),
            ("held_out/reasoning_loss", measured.ReasoningLoss),
        ]);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void Write(int step, IEnumerable<(string Tag, double? Value)> scalars)
    {
        var summary = new MemoryStream();
        foreach (var (tag, scalar) in scalars)
        {
            if (scalar is not { } number) continue;
            var value = new MemoryStream();
            WriteBytes(value, 1, Encoding.UTF8.GetBytes(tag));
            WriteFixed32(value, 2, (float)number);
            WriteBytes(summary, 1, value.ToArray());
        }

        var body = new MemoryStream();
        WriteBytes(body, 5, summary.ToArray());
        WriteEvent(step, body);
    }

    private void WriteEvent(int? step, MemoryStream rest)
    {
        var message = new MemoryStream();
        message.WriteByte(1 << 3 | 1);
        Span<byte> time = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(time, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0);
        message.Write(time);
        if (step is { } number)
        {
            message.WriteByte(2 << 3 | 0);
            WriteVarint(message, (ulong)number);
        }

        rest.WriteTo(message);
        WriteRecord(message.ToArray());
    }

    private void WriteRecord(ReadOnlySpan<byte> data)
    {
        Span<byte> head = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], Masked(head[..8]));
        Span<byte> tail = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(tail, Masked(data));
        _file.Write(head);
        _file.Write(data);
        _file.Write(tail);
        _file.Flush();
    }

    private static uint Masked(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data) crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8u;
    }

    private static void WriteBytes(MemoryStream target, int field, ReadOnlySpan<byte> bytes)
    {
        target.WriteByte((byte)(field << 3 | 2));
        WriteVarint(target, (ulong)bytes.Length);
        target.Write(bytes);
    }

    private static void WriteFixed32(MemoryStream target, int field, float value)
    {
        target.WriteByte((byte)(field << 3 | 5));
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        target.Write(bytes);
    }

    private static void WriteVarint(MemoryStream target, ulong value)
    {
        for (; value >= 0x80; value >>= 7) target.WriteByte((byte)(value | 0x80));
        target.WriteByte((byte)value);
    }
}
