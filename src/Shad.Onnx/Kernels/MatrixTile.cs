using System.Runtime.CompilerServices;

namespace Shad.Onnx.Kernels;

/// <summary>
/// The innermost matrix product: 6 rows by up to 4 vectors of columns, held in registers while the depth goes by.
/// </summary>
/// <remarks>
/// With 32 registers 24 hold the tile, 4 a row of B, and one a number of A for all its columns: each row of B that is loaded
/// serves 6 rows, each number of A 4 vectors, 24 multiplications for 10 loads. With 16 registers the tile has 2 vectors
/// (12 + 2 + 1).
/// </remarks>
internal static unsafe class MatrixTile<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 6;

    /// <summary>Columns of the widest tile.</summary>
    public static int Columns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TSimd.TileVectors * TSimd.Lanes;
    }

    /// <summary>C = A·B, or C += A·B, for 6 rows and a number of whole vectors of columns.</summary>
    /// <param name="a">A, <c>[6, depth]</c>.</param>
    /// <param name="aStride">Numbers from a row of A to the next.</param>
    /// <param name="b">B, <c>[depth, vectors · lanes]</c>.</param>
    /// <param name="bStride">Numbers from a row of B to the next.</param>
    /// <param name="c">C, <c>[6, vectors · lanes]</c>.</param>
    /// <param name="cStride">Numbers from a row of C to the next.</param>
    /// <param name="depth">Columns of A and rows of B.</param>
    /// <param name="vectors">Vectors of columns.</param>
    /// <param name="add">Adds to what C holds.</param>
    public static void Multiply(
        float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, int depth, int vectors, bool add)
    {
        for (; TSimd.TileVectors == 4 && vectors >= 4; vectors -= 4, b += 4 * TSimd.Lanes, c += 4 * TSimd.Lanes)
            Multiply4(a, aStride, b, bStride, c, cStride, depth, add);
        for (; vectors >= 2; vectors -= 2, b += 2 * TSimd.Lanes, c += 2 * TSimd.Lanes)
            Multiply2(a, aStride, b, bStride, c, cStride, depth, add);
        if (vectors == 1) Multiply1(a, aStride, b, bStride, c, cStride, depth, add);
    }

    /// <summary>4 vectors of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4(
        float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, nint depth, bool add)
    {
        nint lanes = TSimd.Lanes;
        float* a1 = a + aStride, a2 = a1 + aStride, a3 = a2 + aStride, a4 = a3 + aStride, a5 = a4 + aStride;
        float* r1 = c + cStride, r2 = r1 + cStride, r3 = r2 + cStride, r4 = r3 + cStride, r5 = r4 + cStride;
        TVector c00 = default, c01 = default, c02 = default, c03 = default;
        TVector c10 = default, c11 = default, c12 = default, c13 = default;
        TVector c20 = default, c21 = default, c22 = default, c23 = default;
        TVector c30 = default, c31 = default, c32 = default, c33 = default;
        TVector c40 = default, c41 = default, c42 = default, c43 = default;
        TVector c50 = default, c51 = default, c52 = default, c53 = default;
        if (add)
        {
            c00 = TSimd.Load(c);
            c01 = TSimd.Load(c + lanes);
            c02 = TSimd.Load(c + 2 * lanes);
            c03 = TSimd.Load(c + 3 * lanes);
            c10 = TSimd.Load(r1);
            c11 = TSimd.Load(r1 + lanes);
            c12 = TSimd.Load(r1 + 2 * lanes);
            c13 = TSimd.Load(r1 + 3 * lanes);
            c20 = TSimd.Load(r2);
            c21 = TSimd.Load(r2 + lanes);
            c22 = TSimd.Load(r2 + 2 * lanes);
            c23 = TSimd.Load(r2 + 3 * lanes);
            c30 = TSimd.Load(r3);
            c31 = TSimd.Load(r3 + lanes);
            c32 = TSimd.Load(r3 + 2 * lanes);
            c33 = TSimd.Load(r3 + 3 * lanes);
            c40 = TSimd.Load(r4);
            c41 = TSimd.Load(r4 + lanes);
            c42 = TSimd.Load(r4 + 2 * lanes);
            c43 = TSimd.Load(r4 + 3 * lanes);
            c50 = TSimd.Load(r5);
            c51 = TSimd.Load(r5 + lanes);
            c52 = TSimd.Load(r5 + 2 * lanes);
            c53 = TSimd.Load(r5 + 3 * lanes);
        }

        for (nint k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + lanes), b2 = TSimd.Load(b + 2 * lanes), b3 = TSimd.Load(b + 3 * lanes);
            b += bStride;
            TVector x0 = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x0, b0, c00);
            c01 = TSimd.MultiplyAdd(x0, b1, c01);
            c02 = TSimd.MultiplyAdd(x0, b2, c02);
            c03 = TSimd.MultiplyAdd(x0, b3, c03);
            TVector x1 = TSimd.Broadcast(a1[k]);
            c10 = TSimd.MultiplyAdd(x1, b0, c10);
            c11 = TSimd.MultiplyAdd(x1, b1, c11);
            c12 = TSimd.MultiplyAdd(x1, b2, c12);
            c13 = TSimd.MultiplyAdd(x1, b3, c13);
            TVector x2 = TSimd.Broadcast(a2[k]);
            c20 = TSimd.MultiplyAdd(x2, b0, c20);
            c21 = TSimd.MultiplyAdd(x2, b1, c21);
            c22 = TSimd.MultiplyAdd(x2, b2, c22);
            c23 = TSimd.MultiplyAdd(x2, b3, c23);
            TVector x3 = TSimd.Broadcast(a3[k]);
            c30 = TSimd.MultiplyAdd(x3, b0, c30);
            c31 = TSimd.MultiplyAdd(x3, b1, c31);
            c32 = TSimd.MultiplyAdd(x3, b2, c32);
            c33 = TSimd.MultiplyAdd(x3, b3, c33);
            TVector x4 = TSimd.Broadcast(a4[k]);
            c40 = TSimd.MultiplyAdd(x4, b0, c40);
            c41 = TSimd.MultiplyAdd(x4, b1, c41);
            c42 = TSimd.MultiplyAdd(x4, b2, c42);
            c43 = TSimd.MultiplyAdd(x4, b3, c43);
            TVector x5 = TSimd.Broadcast(a5[k]);
            c50 = TSimd.MultiplyAdd(x5, b0, c50);
            c51 = TSimd.MultiplyAdd(x5, b1, c51);
            c52 = TSimd.MultiplyAdd(x5, b2, c52);
            c53 = TSimd.MultiplyAdd(x5, b3, c53);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + lanes);
        TSimd.Store(c02, c + 2 * lanes);
        TSimd.Store(c03, c + 3 * lanes);
        TSimd.Store(c10, r1);
        TSimd.Store(c11, r1 + lanes);
        TSimd.Store(c12, r1 + 2 * lanes);
        TSimd.Store(c13, r1 + 3 * lanes);
        TSimd.Store(c20, r2);
        TSimd.Store(c21, r2 + lanes);
        TSimd.Store(c22, r2 + 2 * lanes);
        TSimd.Store(c23, r2 + 3 * lanes);
        TSimd.Store(c30, r3);
        TSimd.Store(c31, r3 + lanes);
        TSimd.Store(c32, r3 + 2 * lanes);
        TSimd.Store(c33, r3 + 3 * lanes);
        TSimd.Store(c40, r4);
        TSimd.Store(c41, r4 + lanes);
        TSimd.Store(c42, r4 + 2 * lanes);
        TSimd.Store(c43, r4 + 3 * lanes);
        TSimd.Store(c50, r5);
        TSimd.Store(c51, r5 + lanes);
        TSimd.Store(c52, r5 + 2 * lanes);
        TSimd.Store(c53, r5 + 3 * lanes);
    }

    /// <summary>2 vectors of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply2(
        float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, nint depth, bool add)
    {
        nint lanes = TSimd.Lanes;
        float* a1 = a + aStride, a2 = a1 + aStride, a3 = a2 + aStride, a4 = a3 + aStride, a5 = a4 + aStride;
        float* r1 = c + cStride, r2 = r1 + cStride, r3 = r2 + cStride, r4 = r3 + cStride, r5 = r4 + cStride;
        TVector c00 = default, c01 = default;
        TVector c10 = default, c11 = default;
        TVector c20 = default, c21 = default;
        TVector c30 = default, c31 = default;
        TVector c40 = default, c41 = default;
        TVector c50 = default, c51 = default;
        if (add)
        {
            c00 = TSimd.Load(c);
            c01 = TSimd.Load(c + lanes);
            c10 = TSimd.Load(r1);
            c11 = TSimd.Load(r1 + lanes);
            c20 = TSimd.Load(r2);
            c21 = TSimd.Load(r2 + lanes);
            c30 = TSimd.Load(r3);
            c31 = TSimd.Load(r3 + lanes);
            c40 = TSimd.Load(r4);
            c41 = TSimd.Load(r4 + lanes);
            c50 = TSimd.Load(r5);
            c51 = TSimd.Load(r5 + lanes);
        }

        for (nint k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + lanes);
            b += bStride;
            TVector x0 = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x0, b0, c00);
            c01 = TSimd.MultiplyAdd(x0, b1, c01);
            TVector x1 = TSimd.Broadcast(a1[k]);
            c10 = TSimd.MultiplyAdd(x1, b0, c10);
            c11 = TSimd.MultiplyAdd(x1, b1, c11);
            TVector x2 = TSimd.Broadcast(a2[k]);
            c20 = TSimd.MultiplyAdd(x2, b0, c20);
            c21 = TSimd.MultiplyAdd(x2, b1, c21);
            TVector x3 = TSimd.Broadcast(a3[k]);
            c30 = TSimd.MultiplyAdd(x3, b0, c30);
            c31 = TSimd.MultiplyAdd(x3, b1, c31);
            TVector x4 = TSimd.Broadcast(a4[k]);
            c40 = TSimd.MultiplyAdd(x4, b0, c40);
            c41 = TSimd.MultiplyAdd(x4, b1, c41);
            TVector x5 = TSimd.Broadcast(a5[k]);
            c50 = TSimd.MultiplyAdd(x5, b0, c50);
            c51 = TSimd.MultiplyAdd(x5, b1, c51);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + lanes);
        TSimd.Store(c10, r1);
        TSimd.Store(c11, r1 + lanes);
        TSimd.Store(c20, r2);
        TSimd.Store(c21, r2 + lanes);
        TSimd.Store(c30, r3);
        TSimd.Store(c31, r3 + lanes);
        TSimd.Store(c40, r4);
        TSimd.Store(c41, r4 + lanes);
        TSimd.Store(c50, r5);
        TSimd.Store(c51, r5 + lanes);
    }

    /// <summary>1 vector of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply1(
        float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, nint depth, bool add)
    {
        nint lanes = TSimd.Lanes;
        float* a1 = a + aStride, a2 = a1 + aStride, a3 = a2 + aStride, a4 = a3 + aStride, a5 = a4 + aStride;
        float* r1 = c + cStride, r2 = r1 + cStride, r3 = r2 + cStride, r4 = r3 + cStride, r5 = r4 + cStride;
        TVector c00 = default;
        TVector c10 = default;
        TVector c20 = default;
        TVector c30 = default;
        TVector c40 = default;
        TVector c50 = default;
        if (add)
        {
            c00 = TSimd.Load(c);
            c10 = TSimd.Load(r1);
            c20 = TSimd.Load(r2);
            c30 = TSimd.Load(r3);
            c40 = TSimd.Load(r4);
            c50 = TSimd.Load(r5);
        }

        for (nint k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b);
            b += bStride;
            TVector x0 = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x0, b0, c00);
            TVector x1 = TSimd.Broadcast(a1[k]);
            c10 = TSimd.MultiplyAdd(x1, b0, c10);
            TVector x2 = TSimd.Broadcast(a2[k]);
            c20 = TSimd.MultiplyAdd(x2, b0, c20);
            TVector x3 = TSimd.Broadcast(a3[k]);
            c30 = TSimd.MultiplyAdd(x3, b0, c30);
            TVector x4 = TSimd.Broadcast(a4[k]);
            c40 = TSimd.MultiplyAdd(x4, b0, c40);
            TVector x5 = TSimd.Broadcast(a5[k]);
            c50 = TSimd.MultiplyAdd(x5, b0, c50);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c10, r1);
        TSimd.Store(c20, r2);
        TSimd.Store(c30, r3);
        TSimd.Store(c40, r4);
        TSimd.Store(c50, r5);
    }
}
