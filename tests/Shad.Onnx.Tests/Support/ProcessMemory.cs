namespace Shad.Onnx.Tests.Support;

/// <summary>Memory of this process, native memory included, as Linux counts it.</summary>
internal static class ProcessMemory
{
    private const string Status = "/proc/self/status";

    /// <summary>Bytes in memory now.</summary>
    public static long Resident => Read("VmRSS");

    /// <summary>Bytes in use: native memory and live objects, without what the collector holds in reserve.</summary>
    public static long Used
    {
        get
        {
            Collect();
            long live = GC.GetTotalMemory(forceFullCollection: true);
            return Resident - GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes + live;
        }
    }

    /// <summary>Most bytes in memory since <see cref="ResetPeak"/>.</summary>
    public static long Peak => Read("VmHWM");

    /// <summary>Begins a new measurement of the peak; the test is ignored where that cannot be done.</summary>
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

    /// <summary>Frees what is no longer used, so that what remains is used.</summary>
    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    private static long Read(string field)
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("The memory of this process is read on Linux only.");
        string line = File.ReadLines(Status).First(line => line.StartsWith(field + ":", StringComparison.Ordinal));
        return long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal).Trim()) * 1024;
    }
}
