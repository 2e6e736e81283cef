using System.Buffers;

namespace Shad.Models.Weights;

/// <summary>A tensor to be written; its bytes are asked for when its turn comes, so that a model is never held twice.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Dtype">The dtype of the bytes.</param>
/// <param name="Shape">Its shape, outermost dimension first.</param>
/// <param name="WriteBytes">Writes exactly its bytes (little-endian, row-major).</param>
public sealed record TensorToWrite(string Name, TensorDtype Dtype, long[] Shape, Action<Stream> WriteBytes)
{
    private const int ElementsPerBlock = 1 << 16;

    /// <summary>A tensor from float32 values, rounded to <paramref name="dtype"/> (nearest, ties to even).</summary>
    /// <param name="name">Its name.</param>
    /// <param name="dtype">The dtype to store.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="values">Gives the values, row-major, when the tensor is written.</param>
    public static TensorToWrite FromFloat32(string name, TensorDtype dtype, long[] shape, Func<ReadOnlyMemory<float>> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return new(name, dtype, shape, stream => WriteFloat32(stream, name, dtype, values().Span));
    }

    /// <summary>A tensor from blocks of float32 values, for values that are made or read piecewise.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="dtype">The dtype to store.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="fillBlock">Fills the next block of values, row-major; called until the tensor is full.</param>
    public static TensorToWrite FromBlocks(string name, TensorDtype dtype, long[] shape, FillBlock fillBlock)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(fillBlock);
        return new(name, dtype, shape, stream =>
        {
            float[] block = ArrayPool<float>.Shared.Rent(ElementsPerBlock);
            try
            {
                long left = shape.Aggregate(1L, static (product, dimension) => product * dimension);
                while (left > 0)
                {
                    Span<float> part = block.AsSpan(0, (int)Math.Min(left, ElementsPerBlock));
                    fillBlock(part);
                    WriteFloat32(stream, name, dtype, part);
                    left -= part.Length;
                }
            }
            finally
            {
                ArrayPool<float>.Shared.Return(block);
            }
        });
    }

    /// <summary>The unchanged copy of a stored tensor.</summary>
    /// <param name="weights">Where it is stored; must be open until the copy is written.</param>
    /// <param name="name">Its name.</param>
    /// <exception cref="Shad.Core.Errors.ShadException">There is no such tensor.</exception>
    public static TensorToWrite CopyOf(ModelWeights weights, string name)
    {
        ArgumentNullException.ThrowIfNull(weights);
        TensorEntry entry = weights.Find(name);
        return new(name, entry.Dtype, entry.Shape, stream =>
        {
            byte[] block = ArrayPool<byte>.Shared.Rent(1 << 20);
            try
            {
                for (long offset = 0; offset < entry.ByteLength; offset += block.Length)
                {
                    Span<byte> part = block.AsSpan(0, (int)Math.Min(block.Length, entry.ByteLength - offset));
                    weights.CopyBytes(name, offset, part);
                    stream.Write(part);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(block);
            }
        });
    }

    private static void WriteFloat32(Stream stream, string name, TensorDtype dtype, ReadOnlySpan<float> values)
    {
        byte[] block = ArrayPool<byte>.Shared.Rent(ElementsPerBlock * dtype.ByteSize());
        try
        {
            while (!values.IsEmpty)
            {
                int count = Math.Min(values.Length, ElementsPerBlock);
                Span<byte> bytes = block.AsSpan(0, count * dtype.ByteSize());
                Float32Conversion.FromFloat32(values[..count], dtype, bytes, name);
                stream.Write(bytes);
                values = values[count..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }
}

/// <summary>Fills a block of a tensor's values.</summary>
/// <param name="block">To be filled whole.</param>
public delegate void FillBlock(Span<float> block);
