using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Shad.Sidecar.Modules;

/// <summary>Copies between managed memory or streams and tensors, in pieces, so that no second copy of a large tensor is made.</summary>
internal static class TensorMemory
{
    /// <summary>Values copied at a time: 4 MiB of float32.</summary>
    private const int Piece = 1 << 20;

    /// <summary>Writes values into a contiguous float32 tensor of as many elements.</summary>
    public static void Write(Tensor target, ReadOnlySpan<float> values)
    {
        if (target.numel() != values.Length)
            throw new ArgumentException($"{values.Length} values for a tensor of {target.numel()}.", nameof(values));
        using var scope = NewDisposeScope();
        using var flat = target.detach().view(-1);
        for (int start = 0; start < values.Length; start += Piece)
        {
            var piece = values.Slice(start, Math.Min(Piece, values.Length - start));
            using var destination = flat.narrow(0, start, piece.Length);
            using var staged = tensor(piece.ToArray());
            destination.copy_(staged);
        }
    }

    /// <summary>Reads a float32 tensor from a stream of its little-endian values.</summary>
    /// <exception cref="EndOfStreamException">The stream ends early.</exception>
    public static void Read(Tensor target, Stream source)
    {
        using var scope = NewDisposeScope();
        using var flat = target.detach().view(-1);
        var buffer = new float[(int)Math.Min(Piece, flat.numel())];
        for (long start = 0; start < flat.numel(); start += Piece)
        {
            var piece = buffer.AsSpan(0, (int)Math.Min(Piece, flat.numel() - start));
            source.ReadExactly(MemoryMarshal.AsBytes(piece));
            using var destination = flat.narrow(0, start, piece.Length);
            using var staged = tensor(piece.ToArray());
            destination.copy_(staged);
        }
    }

    /// <summary>Writes a tensor's values to a stream, little-endian, converted to a number format.</summary>
    public static void Write(Tensor source, ScalarType dtype, Stream target)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var flat = source.detach().reshape(-1);
        for (long start = 0; start < flat.numel(); start += Piece)
        {
            using var piece = flat.narrow(0, start, Math.Min(Piece, flat.numel() - start)).to(dtype).cpu().contiguous();
            target.Write(piece.bytes);
        }
    }
}
