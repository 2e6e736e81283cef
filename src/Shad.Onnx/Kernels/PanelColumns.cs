using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Shad.Onnx.Kernels;

/// <summary>Turns rows into the columns of a panel <c>[size, W]</c>, as <see cref="MatrixTile{TSimd,TVector}"/> reads them.</summary>
internal static unsafe class PanelColumns
{
    /// <summary>Writes 4 rows as columns.</summary>
    /// <param name="rows">The rows, <c>[4, size]</c>.</param>
    /// <param name="size">Numbers of a row.</param>
    /// <param name="columns">Their first column in the panel.</param>
    /// <param name="width">Columns of the panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose4(float* rows, int size, float* columns, int width)
    {
        float* row1 = rows + size, row2 = row1 + size, row3 = row2 + size;
        int i = 0;
        for (; i <= size - 4; i += 4, columns += 4 * width)
        {
            //  a0 a1 a2 a3       a0 b0 a1 b1       a0 b0 c0 d0
            //  b0 b1 b2 b3       a2 b2 a3 b3       a1 b1 c1 d1
            //  c0 c1 c2 c3       c0 d0 c1 d1       …
            //  d0 d1 d2 d3       c2 d2 c3 d3
            Vector128<float> a = Vector128.Load(rows + i), b = Vector128.Load(row1 + i);
            Vector128<float> c = Vector128.Load(row2 + i), d = Vector128.Load(row3 + i);
            var abLow = InterleaveLow(a, b).AsDouble();
            var abHigh = InterleaveHigh(a, b).AsDouble();
            var cdLow = InterleaveLow(c, d).AsDouble();
            var cdHigh = InterleaveHigh(c, d).AsDouble();
            Vector128.Create(abLow.GetLower(), cdLow.GetLower()).AsSingle().Store(columns);
            Vector128.Create(abLow.GetUpper(), cdLow.GetUpper()).AsSingle().Store(columns + width);
            Vector128.Create(abHigh.GetLower(), cdHigh.GetLower()).AsSingle().Store(columns + 2 * width);
            Vector128.Create(abHigh.GetUpper(), cdHigh.GetUpper()).AsSingle().Store(columns + 3 * width);
        }

        for (; i < size; i++, columns += width)
        {
            columns[0] = rows[i];
            columns[1] = row1[i];
            columns[2] = row2[i];
            columns[3] = row3[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveLow(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.UnpackLow(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(left, right)
        : Vector128.Create(left[0], right[0], left[1], right[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveHigh(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.UnpackHigh(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(left, right)
        : Vector128.Create(left[2], right[2], left[3], right[3]);
}
