using System.Runtime.InteropServices;
using Shad.Core.Samples;

namespace BenchScoring.Contenders;

/// <summary>The losses of a run: float32, little-endian; by model, then in the order of the corpus, of the targets only.</summary>
internal static class LossFile
{
    /// <summary>Writes losses given by sample, by model, by token.</summary>
    public static void Write(string path, IReadOnlyList<TokenizedSample> samples, IReadOnlyList<IReadOnlyList<float[]>> losses)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var stream = File.Create(path);
        for (int model = 0; model < losses[0].Count; model++)
        {
            for (int i = 0; i < samples.Count; i++)
            {
                for (int token = 1; token < samples[i].Length; token++)
                {
                    if (samples[i].IsTarget(token)) stream.Write(BitConverter.GetBytes(losses[i][model][token]));
                }
            }
        }
    }

    public static float[] Read(string path) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();
}
