using System.Runtime.InteropServices;

namespace Shad.Cli;

/// <summary>The heap of the C library, which Parquet, compression and ONNX Runtime take memory from.</summary>
internal static partial class NativeHeap
{
    // The parameters' numbers in glibc's malloc.h.
    private const int TrimThreshold = -1, MapThreshold = -3, MaximumArenas = -8;

    private const int Megabyte = 1 << 20;

    /// <summary>
    /// Has glibc give freed memory back. By itself it keeps a heap for each thread, and in each what a large block left: about 80 MB more over a
    /// stream of a million rows, going up and down. Elsewhere nothing is done.
    /// </summary>
    public static void KeepSmall()
    {
        if (!OperatingSystem.IsLinux() || !NativeLibrary.TryLoad("libc.so.6", out nint library)) return;

        // musl has no such function.
        if (!NativeLibrary.TryGetExport(library, "mallopt", out _)) return;
        _ = Set(MaximumArenas, 1);
        _ = Set(MapThreshold, Megabyte);
        _ = Set(TrimThreshold, Megabyte);
    }

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int Set(int parameter, int value);
}
