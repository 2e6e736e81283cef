using System.Runtime.InteropServices;

namespace Shad.Onnx.Kernels;

/// <summary>
/// Native memory that kernels work in, lent and taken back, so that no layer of no batch asks the system for it. A pool holds
/// as many buffers as were ever lent at one time, until the last that uses it leaves.
/// </summary>
internal sealed unsafe class ScratchPool
{
    private readonly Lock _lock = new();
    private readonly Stack<Buffer> _free = new();
    private int _users;

    /// <summary>Lends a buffer; its content is arbitrary.</summary>
    public Buffer Rent(long floats)
    {
        Buffer? buffer;
        lock (_lock) _free.TryPop(out buffer);
        buffer ??= new Buffer();
        try
        {
            buffer.Require(floats);
            return buffer;
        }
        catch
        {
            Return(buffer);
            throw;
        }
    }

    /// <summary>Takes a buffer back.</summary>
    public void Return(Buffer buffer)
    {
        lock (_lock) _free.Push(buffer);
    }

    /// <summary>Counts one more that uses the pool.</summary>
    public void Join()
    {
        lock (_lock) _users++;
    }

    /// <summary>Counts one less; the last one frees what is not lent.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            if (--_users > 0) return;
            while (_free.TryPop(out var buffer)) buffer.Free();
        }
    }

    /// <summary>Memory at a multiple of 64 bytes.</summary>
    internal sealed class Buffer
    {
        private const nuint Alignment = 64;
        private long _floats;

        public float* Pointer { get; private set; }

        public void Require(long floats)
        {
            if (floats <= _floats) return;
            Free();
            Pointer = (float*)NativeMemory.AlignedAlloc(checked((nuint)floats * sizeof(float)), Alignment);
            _floats = floats;
        }

        public void Free()
        {
            NativeMemory.AlignedFree(Pointer);
            Pointer = null;
            _floats = 0;
        }
    }
}
