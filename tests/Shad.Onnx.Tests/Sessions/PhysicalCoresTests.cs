using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Sessions;

/// <summary>How many cores there are, from folders as Linux has them.</summary>
[TestFixture]
internal sealed class PhysicalCoresTests
{
    [TestCase("0-1|0-1|2-3|2-3", 4, 2)]
    [TestCase("0|1", 2, 2)]
    [TestCase("0,4|1,5|2,6|3,7|0,4|1,5|2,6|3,7", 8, 4)]
    [TestCase("0|1|2|3", 2, 2)]
    [TestCase("", 2, null)]
    public void Threads_of_one_core_count_once(string siblings, int processors, int? expected)
    {
        using var folder = new TemporaryFolder();
        string[] lists = siblings.Split('|', StringSplitOptions.RemoveEmptyEntries);
        for (int cpu = 0; cpu < lists.Length; cpu++)
        {
            string topology = Path.Combine(folder.Path, $"cpu{cpu}", "topology");
            Directory.CreateDirectory(topology);
            File.WriteAllText(Path.Combine(topology, "thread_siblings_list"), lists[cpu] + "\n");
        }

        Directory.CreateDirectory(Path.Combine(folder.Path, "cpufreq"));
        Assert.That(PhysicalCores.Read(folder.Path, processors), Is.EqualTo(expected));
    }

    [Test]
    public void Where_the_system_does_not_tell_there_is_no_number()
    {
        using var folder = new TemporaryFolder();
        Assert.That(PhysicalCores.Read(Path.Combine(folder.Path, "none"), 2), Is.Null);
    }
}
