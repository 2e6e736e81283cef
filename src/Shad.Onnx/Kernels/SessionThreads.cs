using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Shad.Onnx.Kernels;

/// <summary>Work on the threads of a session, the same that its other operators are computed by: cores are not asked for twice.</summary>
internal static unsafe class SessionThreads
{
    /// <summary>Calls a function for 0 … count − 1 and returns when all calls have. Calls begin in this order.</summary>
    /// <param name="context">ONNX Runtime's context of the node that is computed.</param>
    /// <param name="count">Number of calls.</param>
    /// <param name="body">The function.</param>
    public static void For(nint context, int count, Action<int> body)
    {
        if (count == 0) return;
        var work = new Work(body);
        var handle = GCHandle.Alloc(work);
        try
        {
            OrtApi.ParallelFor(context, &Call, count, GCHandle.ToIntPtr(handle));
        }
        finally
        {
            handle.Free();
        }

        work.Error?.Throw();
    }

    [UnmanagedCallersOnly]
    private static void Call(nint argument, nuint index) => ((Work)GCHandle.FromIntPtr(argument).Target!).CallNext();

    private sealed class Work(Action<int> body)
    {
        private int _next = -1;

        /// <summary>What the first failed call threw.</summary>
        public ExceptionDispatchInfo? Error;

        // The runtime hands each thread a part of the numbers; whoever is free takes the next one instead.
        public void CallNext()
        {
            int index = Interlocked.Increment(ref _next);
            if (Volatile.Read(ref Error) is not null) return;
            try
            {
                body(index);
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref Error, ExceptionDispatchInfo.Capture(error), null);
            }
        }
    }
}
