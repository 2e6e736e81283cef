namespace Shad.Onnx.Quantization;

/// <summary>
/// A weight matrix <c>[out, in]</c> in whole numbers of 4 or 8 bits with a scale for every block of a row, as the operator
/// <c>com.microsoft.MatMulNBits</c> takes it: <c>w ≈ scale · (code − zero)</c>.
/// </summary>
/// <remarks>
/// The quantization is symmetric: the zero is 8 of 4 bits and 128 of 8, which is what the operator assumes where it is given none. Codes
/// reach one step further below the zero than above it, so the block's value of largest magnitude is given the lowest code, by a scale of
/// the sign that takes it there. Every weight is then within half a step (<c>|scale|/2</c>) of its place, but for those of the other sign
/// that lie beyond the highest code: these are off by less than a step.
/// <para>Layout: codes <c>[N, ⌈K/block⌉, block·bits/8]</c>, one behind the other along <c>K</c>, of a byte's two 4-bit codes the first in
/// the low half; a row's last block is filled up with zeros. Scales <c>[N, ⌈K/block⌉]</c>.</para>
/// </remarks>
internal sealed class BlockQuantizedMatrix
{
    /// <summary>Weights of a block where nothing else is asked for.</summary>
    public const int DefaultBlockSize = 32;

    /// <summary>The operator that multiplies by such a matrix.</summary>
    public const string Operator = "MatMulNBits";

    private BlockQuantizedMatrix(int rows, int columns, int bits, int blockSize)
    {
        Rows = rows;
        Columns = columns;
        Bits = bits;
        BlockSize = blockSize;
        BlocksPerRow = (columns + blockSize - 1) / blockSize;
        Codes = new byte[checked((long)rows * BlocksPerRow * BytesPerBlock)];
        Scales = new float[checked((long)rows * BlocksPerRow)];
    }

    /// <summary>N: outputs.</summary>
    public int Rows { get; }

    /// <summary>K: inputs.</summary>
    public int Columns { get; }

    /// <summary>Bits of a code: 4 or 8.</summary>
    public int Bits { get; }

    /// <summary>Weights that share a scale.</summary>
    public int BlockSize { get; }

    /// <summary>Blocks of a row, the last one filled up.</summary>
    public int BlocksPerRow { get; }

    /// <summary>The codes, of the shape <see cref="CodesShape"/>.</summary>
    public byte[] Codes { get; }

    /// <summary>The scales, of the shape <see cref="ScalesShape"/>.</summary>
    public float[] Scales { get; }

    /// <summary><c>[N, ⌈K/block⌉, block·bits/8]</c>.</summary>
    public long[] CodesShape => [Rows, BlocksPerRow, BytesPerBlock];

    /// <summary><c>[N, ⌈K/block⌉]</c>.</summary>
    public long[] ScalesShape => [Rows, BlocksPerRow];

    /// <summary>Attributes of the operator. Its inputs are the activations <c>[M,K]</c>, the codes and the scales, in the number format of the
    /// activations; then, after two left out, a bias <c>[N]</c>.</summary>
    /// <param name="wholeNumbers">True to round the activations too, block by block, to 8 bits, and multiply in whole numbers, which is
    /// faster; false to multiply the activations as they are.</param>
    public (string Name, object Value)[] Attributes(bool wholeNumbers) =>
    [
        ("K", Columns), ("N", Rows), ("bits", Bits), ("block_size", BlockSize), ("accuracy_level", wholeNumbers ? 4 : 1),
    ];

    private int BytesPerBlock => BlockSize * Bits / 8;

    // The code of weight 0.
    private int Zero => 1 << (Bits - 1);

    /// <summary>Quantizes a matrix.</summary>
    /// <param name="weights">The weights <c>[N,K]</c>, row by row; all finite.</param>
    /// <param name="rows">N.</param>
    /// <param name="columns">K.</param>
    /// <param name="bits">4 or 8.</param>
    /// <param name="blockSize">A power of 2, at least 16: what the operator takes.</param>
    /// <exception cref="ArgumentException">The sizes do not fit together, or cannot be taken.</exception>
    public static BlockQuantizedMatrix Of(ReadOnlyMemory<float> weights, int rows, int columns, int bits, int blockSize = DefaultBlockSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        if (bits is not (4 or 8)) throw new ArgumentOutOfRangeException(nameof(bits), bits, "Codes have 4 or 8 bits.");
        if (blockSize < 16 || !int.IsPow2(blockSize))
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, "A block has a power of 2 of weights, at least 16.");
        if (weights.Length != (long)rows * columns)
            throw new ArgumentException($"{weights.Length} weights are no {rows} × {columns} matrix.", nameof(weights));

        var matrix = new BlockQuantizedMatrix(rows, columns, bits, blockSize);
        Parallel.For(0, rows, row => matrix.QuantizeRow(row, weights.Span.Slice(row * columns, columns)));
        return matrix;
    }

    /// <summary>The weights that the codes stand for, <c>[N,K]</c> row by row: what the operator multiplies by.</summary>
    public float[] Dequantize()
    {
        float[] weights = new float[checked((long)Rows * Columns)];
        for (int row = 0; row < Rows; row++)
        {
            for (int column = 0; column < Columns; column++)
                weights[(long)row * Columns + column] = Scales[(long)row * BlocksPerRow + column / BlockSize] * (CodeAt(row, column) - Zero);
        }

        return weights;
    }

    private int CodeAt(int row, int column)
    {
        long block = ((long)row * BlocksPerRow + column / BlockSize) * BytesPerBlock;
        int within = column % BlockSize;
        return Bits == 8 ? Codes[block + within] : (Codes[block + within / 2] >> (within % 2 * 4)) & 0xF;
    }

    private void QuantizeRow(int row, ReadOnlySpan<float> weights)
    {
        Span<byte> codes = stackalloc byte[BlockSize];
        for (int block = 0; block < BlocksPerRow; block++)
        {
            int first = block * BlockSize;
            var values = weights[first..Math.Min(Columns, first + BlockSize)];
            float extreme = 0;
            foreach (float value in values)
                if (Math.Abs(value) > Math.Abs(extreme)) extreme = value;

            float scale = extreme / -Zero;
            float inverse = scale == 0 ? 0 : 1 / scale;

            // A block of values that are next to nothing: 1/scale overflows.
            if (!float.IsFinite(inverse)) scale = inverse = 0;
            Scales[(long)row * BlocksPerRow + block] = scale;
            codes.Fill((byte)Zero);
            for (int i = 0; i < values.Length; i++)
                codes[i] = (byte)Math.Clamp((int)MathF.Round(values[i] * inverse) + Zero, 0, 2 * Zero - 1);

            Pack(codes, Codes.AsSpan(checked((int)(((long)row * BlocksPerRow + block) * BytesPerBlock)), BytesPerBlock));
        }
    }

    private void Pack(ReadOnlySpan<byte> codes, Span<byte> bytes)
    {
        if (Bits == 8) codes.CopyTo(bytes);
        else
            for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)(codes[2 * i] | codes[2 * i + 1] << 4);
    }
}
