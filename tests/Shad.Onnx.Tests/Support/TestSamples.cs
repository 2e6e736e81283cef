using Shad.Core.Randomness;
using Shad.Core.Samples;

namespace Shad.Onnx.Tests.Support;

/// <summary>Samples of random tokens.</summary>
internal static class TestSamples
{
    /// <summary>A sample of random ids where each token after the first is a target with a probability.</summary>
    public static TokenizedSample Random(SeededRandom random, string id, int length, int vocabularySize, double targets = 1)
    {
        int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.NextInt32(vocabularySize))];
        int[] labels = [.. ids.Select((token, i) => i > 0 && random.NextBoolean(targets) ? token : TokenizedSample.IgnoredLabel)];
        return new TokenizedSample(id, ids, labels);
    }

    /// <summary>Samples of lengths from 1 to <paramref name="maximumLength"/>.</summary>
    public static List<TokenizedSample> Many(ulong seed, int count, int maximumLength, int vocabularySize)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, count).Select(
            i => Random(random, $"sample {i}", 1 + random.NextInt32(maximumLength), vocabularySize, random.NextDouble()))];
    }
}
