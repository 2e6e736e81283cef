using System.Text;

namespace Shad.Sidecar.Tests;

/// <summary>
/// Reads TensorBoard event files by the descriptions of TFRecord, CRC-32C (RFC 3720, appendix B.4: polynomial 0x1EDC6F41, reflected) and
/// protobuf's wire format, one bit at a time where the writer uses the processor's instruction.
/// </summary>
internal static class TensorBoardReader
{
    public static List<(string Tag, int Step, float Value)> Read(string path)
    {
        using var file = new BinaryReader(File.OpenRead(path));
        var points = new List<(string, int, float)>();
        bool first = true;
        while (file.BaseStream.Position < file.BaseStream.Length)
        {
            byte[] length = file.ReadBytes(8);
            if (file.ReadUInt32() != Masked(length)) throw new InvalidDataException("the checksum of a length is wrong");
            byte[] data = file.ReadBytes((int)BitConverter.ToUInt64(length));
            if (file.ReadUInt32() != Masked(data)) throw new InvalidDataException("the checksum of a record is wrong");
            var message = Fields(data);
            if (BitConverter.ToDouble((byte[])message.Single(static field => field.Number == 1).Value) < 1.6e9)
                throw new InvalidDataException("the wall time is before 2020");
            if (first && Encoding.UTF8.GetString((byte[])message.Single(static field => field.Number == 3).Value) != "brain.Event:2")
                throw new InvalidDataException("the first record does not name the version");
            if (!first)
            {
                int step = (int)(ulong)message.Single(static field => field.Number == 2).Value;
                var summary = (byte[])message.Single(static field => field.Number == 5).Value;
                foreach (var (number, value) in Fields(summary))
                {
                    if (number != 1) throw new InvalidDataException("a summary holds something else than values");
                    var scalar = Fields((byte[])value);
                    points.Add((
                        Encoding.UTF8.GetString((byte[])scalar.Single(static field => field.Number == 1).Value), step,
                        BitConverter.ToSingle((byte[])scalar.Single(static field => field.Number == 2).Value)));
                }
            }

            first = false;
        }

        return points;
    }

    public static uint Crc32C(ReadOnlySpan<byte> data)
    {
        uint crc = 0xFFFFFFFF;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }

        return crc ^ 0xFFFFFFFF;
    }

    private static uint Masked(ReadOnlySpan<byte> data)
    {
        uint crc = Crc32C(data);
        return unchecked(((crc >> 15) | (crc << 17)) + 0xA282EAD8);
    }

    private static List<(int Number, object Value)> Fields(byte[] data)
    {
        var fields = new List<(int, object)>();
        int at = 0;
        ulong Varint()
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte next = data[at++];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80) return value;
            }
        }

        byte[] Take(int count)
        {
            at += count;
            return data[(at - count)..at];
        }

        while (at < data.Length)
        {
            ulong key = Varint();
            object value = (key & 7) switch
            {
                0 => Varint(),
                1 => Take(8),
                2 => Take((int)Varint()),
                5 => Take(4),
                _ => throw new InvalidDataException($"wire type {key & 7}"),
            };
            fields.Add(((int)(key >> 3), value));
        }

        return fields;
    }
}

public sealed class TensorBoardReaderTests
{
    [Test]
    public void The_readers_checksum_is_that_of_the_RFC() =>
        Assert.That(TensorBoardReader.Crc32C("123456789"u8), Is.EqualTo(0xE3069283));
}
