using System.Runtime.InteropServices;

namespace Shad.Sidecar.Tests;

/// <summary>Memory of this process, native memory included, as Linux counts it; tests that need it are ignored elsewhere.</summary>
internal static partial class ProcessMemory
{
    /// <summary>Bytes in memory now.</summary>
    public static long Resident => Read("VmRSS");

    /// <summary>Bytes of native memory in use, without managed objects and what allocators hold in reserve.</summary>
    public static long Native
    {
        get
        {
            Collect();
            try
            {
                _ = Trim(0);
            }
            catch (EntryPointNotFoundException)
            {
                // Not glibc: its reserve counts as used.
            }

            return Resident - GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes;
        }
    }

    /// <summary>Most bytes in memory since <see cref="ResetPeak"/>.</summary>
    public static long Peak => Read("VmHWM");

    /// <summary>Begins a new measurement of the peak, with what is no longer used given back.</summary>
    public static void ResetPeak()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("The peak of this process's memory can be reset on Linux only.");
        Collect();
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Assert.Ignore($"The peak of this process's memory cannot be reset here: {error.Message}");
        }
    }

    /// <summary>Frees what is no longer used.</summary>
    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);

    private static long Read(string field)
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("The memory of this process is read on Linux only.");
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(field + ":", StringComparison.Ordinal));
        return long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal).Trim()) * 1024;
    }
}
