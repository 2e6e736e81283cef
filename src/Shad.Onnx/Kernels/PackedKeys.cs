using System.Runtime.CompilerServices;

namespace Shad.Onnx.Kernels;

/// <summary>
/// Keys and values of some heads as <see cref="MatrixTile{TSimd,TVector}"/> reads them, each range of keys packed once for all
/// queries. A panel is <c>W</c> keys of a range, the columns of the widest tile; the last one of a range is filled up with
/// zeros.
/// </summary>
/// <remarks>
/// <code>
/// keys of a head      [panels][D][W]     rotated, transposed
/// values of a head    [panels · W][D⁺]   D⁺: D filled up to whole vectors
/// </code>
/// For a head of 64 and 8,192 keys that is 4 MiB.
/// </remarks>
internal sealed unsafe class PackedKeys<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private readonly AttentionShape _shape;
    private readonly AttentionInputs _inputs;
    private readonly IReadOnlyList<AttentionSegments.KeyRange> _ranges;
    private readonly int[] _firstPanels;
    private readonly int[] _rangeOfPanel;

    public PackedKeys(AttentionShape shape, AttentionInputs inputs, IReadOnlyList<AttentionSegments.KeyRange> ranges)
    {
        _shape = shape;
        _inputs = inputs;
        _ranges = ranges;
        _firstPanels = new int[ranges.Count];
        for (int range = 0; range < ranges.Count; range++)
        {
            _firstPanels[range] = PanelCount;
            PanelCount += (ranges[range].Count + Width - 1) / Width;
        }

        _rangeOfPanel = new int[PanelCount];
        for (int range = 0; range < ranges.Count; range++)
        {
            int end = range + 1 < ranges.Count ? _firstPanels[range + 1] : PanelCount;
            Array.Fill(_rangeOfPanel, range, _firstPanels[range], end - _firstPanels[range]);
        }

        ValueWidth = (shape.HeadSize + TSimd.Lanes - 1) / TSimd.Lanes * TSimd.Lanes;
    }

    /// <summary>Keys of a panel.</summary>
    public static int Width
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => MatrixTile<TSimd, TVector>.Columns;
    }

    /// <summary>Panels of a head.</summary>
    public int PanelCount { get; }

    /// <summary>Numbers from a packed value to the next: the head size filled up to whole vectors.</summary>
    public int ValueWidth { get; }

    /// <summary>Numbers of a head, keys and values.</summary>
    public long HeadLength => (long)PanelCount * Width * (_shape.HeadSize + ValueWidth);

    /// <summary>Where the heads are packed, <see cref="HeadLength"/> numbers each.</summary>
    public float* Memory { get; set; }

    /// <summary>The first of the packed keys of a range, which begins with whole panels.</summary>
    public float* KeysOf(int slot, int range) => Memory + slot * HeadLength + (long)_firstPanels[range] * Width * _shape.HeadSize;

    /// <summary>The first of the packed values of a range.</summary>
    public float* ValuesOf(int slot, int range) =>
        Memory + slot * HeadLength + (long)PanelCount * Width * _shape.HeadSize + (long)_firstPanels[range] * Width * ValueWidth;

    /// <summary>Packs a panel of a head.</summary>
    /// <param name="slot">Place of the head among those packed.</param>
    /// <param name="head">The head.</param>
    /// <param name="panel">The panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pack(int slot, int head, int panel)
    {
        int number = _rangeOfPanel[panel];
        var range = _ranges[number];
        int first = (panel - _firstPanels[number]) * Width;
        int count = Math.Min(Width, range.Count - first);
        int size = _shape.HeadSize, stride = _shape.KeyValueHeads * size;
        long source = (long)(range.Start + first) * stride + head * size;
        float* keys = KeysOf(slot, number) + (long)first * size;
        float* values = ValuesOf(slot, number) + (long)first * ValueWidth;

        // Keys are turned into columns 4 at a time.
        float* rotated = stackalloc float[4 * size];
        int key = 0;
        for (; key < count; key += 4)
        {
            for (int i = 0; i < 4; i++)
            {
                if (key + i < count)
                {
                    Rotation.Apply<TSimd, TVector>(
                        _inputs.Key + source + (long)(key + i) * stride, rotated + i * size, _inputs, size,
                        range.Position + first + key + i, 1);
                }
                else
                {
                    new Span<float>(rotated + i * size, size).Clear();
                }
            }

            PanelColumns.Transpose4(rotated, size, keys + key, Width);
        }

        for (int i = 0; key < Width && i < size; i++) new Span<float>(keys + (long)i * Width + key, Width - key).Clear();
        for (key = 0; key < Width; key++)
        {
            float* value = _inputs.Value + source + (long)key * stride, copy = values + (long)key * ValueWidth;
            int i = 0;
            if (key < count)
            {
                for (; i <= size - TSimd.Lanes; i += TSimd.Lanes) TSimd.Store(TSimd.Load(value + i), copy + i);
                for (; i < size; i++) copy[i] = value[i];
            }

            for (; i < ValueWidth; i++) copy[i] = 0;
        }
    }
}
