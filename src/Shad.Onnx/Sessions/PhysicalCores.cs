namespace Shad.Onnx.Sessions;

/// <summary>
/// Cores to compute with. ONNX Runtime finds the number by itself too, but finds only one on some virtual machines, and then half the
/// machine or more lies idle.
/// </summary>
internal static class PhysicalCores
{
    private const string SystemFolder = "/sys/devices/system/cpu";

    /// <summary>One thread for each core that this process may use: two threads of one core share its vector units. Null where the
    /// system does not tell which threads share a core.</summary>
    public static int? Count { get; } = Read(SystemFolder, Environment.ProcessorCount);

    /// <summary>Reads the number from the folder where Linux tells the topology.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="processors">Processors this process may use, by its affinity and its share of time.</param>
    internal static int? Read(string folder, int processors)
    {
        try
        {
            int cores = Directory.EnumerateDirectories(folder, "cpu*")
                .Select(static cpu => Path.Combine(cpu, "topology", "thread_siblings_list"))
                .Where(File.Exists)
                .Select(static file => File.ReadAllText(file).Trim())
                .Distinct(StringComparer.Ordinal)
                .Count();
            return cores > 0 ? Math.Min(cores, processors) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
