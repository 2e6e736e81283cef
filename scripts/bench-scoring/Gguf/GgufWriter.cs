using System.Text;
using Shad.Models.Weights;

namespace BenchScoring.Gguf;

/// <summary>Writes GGUF, version 3 (the format of the ggml project; little-endian, data aligned to 32 bytes).</summary>
/// <remarks>
/// <code>
/// "GGUF" │ u32 version │ u64 tensors │ u64 pairs │ pairs: string key, u32 type, value │
/// tensors: string name, u32 dimensions, u64 each (innermost first), u32 type, u64 offset │ padding │ data
/// </code>
/// A string is a u64 length and UTF-8 bytes; an array a u32 type of its elements, a u64 count and the elements.
/// </remarks>
internal sealed class GgufWriter
{
    private const int Alignment = 32;
    private readonly List<Action<BinaryWriter>> _pairs = [];
    private readonly List<(string Name, long[] Shape, TensorDtype Dtype, Action<Stream> WriteBytes)> _tensors = [];

    private enum ValueType
    {
        UInt32 = 4,
        Int32 = 5,
        Float32 = 6,
        Boolean = 7,
        String = 8,
        Array = 9,
    }

    public void Add(string key, uint value) => Pair(key, ValueType.UInt32, writer => writer.Write(value));

    public void Add(string key, float value) => Pair(key, ValueType.Float32, writer => writer.Write(value));

    public void Add(string key, bool value) => Pair(key, ValueType.Boolean, writer => writer.Write(value));

    public void Add(string key, string value) => Pair(key, ValueType.String, writer => Text(writer, value));

    public void Add(string key, IReadOnlyList<string> values) => Array(key, ValueType.String, values, Text);

    public void Add(string key, IReadOnlyList<float> values) => Array(key, ValueType.Float32, values, static (writer, value) => writer.Write(value));

    public void Add(string key, IReadOnlyList<int> values) => Array(key, ValueType.Int32, values, static (writer, value) => writer.Write(value));

    /// <summary>Adds a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Its shape, outermost dimension first.</param>
    /// <param name="dtype">Its dtype.</param>
    /// <param name="writeBytes">Writes its bytes.</param>
    public void Add(string name, long[] shape, TensorDtype dtype, Action<Stream> writeBytes) => _tensors.Add((name, shape, dtype, writeBytes));

    public void Write(string path)
    {
        string temporary = path + ".tmp";
        using (var stream = File.Create(temporary))
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            writer.Write("GGUF"u8);
            writer.Write(3u);
            writer.Write((ulong)_tensors.Count);
            writer.Write((ulong)_pairs.Count);
            foreach (var pair in _pairs) pair(writer);
            ulong offset = 0;
            foreach (var (name, shape, dtype, _) in _tensors)
            {
                Text(writer, name);
                writer.Write((uint)shape.Length);
                foreach (long dimension in shape.Reverse()) writer.Write((ulong)dimension);
                writer.Write(TypeOf(dtype));
                writer.Write(offset);
                offset += Padded((ulong)(shape.Aggregate(1L, static (product, dimension) => product * dimension) * dtype.ByteSize()));
            }

            writer.Flush();
            Pad(stream);
            foreach (var tensor in _tensors)
            {
                tensor.WriteBytes(stream);
                Pad(stream);
            }
        }

        File.Move(temporary, path, overwrite: true);
    }

    private static uint TypeOf(TensorDtype dtype) => dtype switch
    {
        TensorDtype.Float32 => 0,
        TensorDtype.Float16 => 1,
        TensorDtype.BFloat16 => 30,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype)),
    };

    private static ulong Padded(ulong length) => (length + Alignment - 1) / Alignment * Alignment;

    private static void Pad(Stream stream) => stream.Write(new byte[(int)(Padded((ulong)stream.Position) - (ulong)stream.Position)]);

    private static void Text(BinaryWriter writer, string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private void Pair(string key, ValueType type, Action<BinaryWriter> write) => _pairs.Add(writer =>
    {
        Text(writer, key);
        writer.Write((uint)type);
        write(writer);
    });

    private void Array<T>(string key, ValueType type, IReadOnlyList<T> values, Action<BinaryWriter, T> writeElement) =>
        Pair(key, ValueType.Array, writer =>
        {
            writer.Write((uint)type);
            writer.Write((ulong)values.Count);
            foreach (T value in values) writeElement(writer, value);
        });
}
