using BenchScoring.Contenders;

namespace BenchScoring.Streaming;

internal static class StreamMode
{
    public static string ResultFile(string work) => Path.Combine(work, "runs", "stream.json");

    public static Task<int> RunAsync(BenchPlaces places, int rows, int settled, string engine) => throw new NotImplementedException();
}
