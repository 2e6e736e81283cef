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

    /// <summary>Has every n-th sample begin with the same tokens, as far as it goes.</summary>
    public static void Begin(List<TokenizedSample> samples, ReadOnlySpan<int> prefix, int every)
    {
        for (int i = 0; i < samples.Count; i += every)
        {
            int[] ids = [.. samples[i].InputIds];
            prefix[..Math.Min(prefix.Length, ids.Length)].CopyTo(ids);
            int[] labels = [.. samples[i].Labels.Select((label, k) => label == TokenizedSample.IgnoredLabel ? label : ids[k])];
            samples[i] = new TokenizedSample(samples[i].Id, ids, labels);
        }
    }

    /// <summary>
    /// Samples that begin with prefixes of each other in many ways: each takes some tokens of one of a few texts, then tokens of its
    /// own, and has targets from some token on, which may be within what it shares.
    /// </summary>
    public static List<TokenizedSample> Related(ulong seed, int count, int maximumLength, int vocabularySize)
    {
        var random = new SeededRandom(seed);
        int[][] texts = [.. Enumerable.Range(0, 3).Select(_ => Random(random, "", maximumLength, vocabularySize).InputIds)];
        texts[1] = [.. texts[0][..(maximumLength / 2)], .. texts[1][(maximumLength / 2)..]];
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            int length = 2 + random.NextInt32(maximumLength - 1);
            int shared = random.NextInt32(length + 1);
            int firstTarget = random.NextBoolean(0.7) ? Math.Min(length - 1, shared + 1) : 1 + random.NextInt32(length - 1);
            int[] text = texts[random.NextInt32(texts.Length)];
            int[] ids = [.. text[..shared], .. Enumerable.Range(shared, length - shared).Select(_ => random.NextInt32(vocabularySize))];
            int[] labels = [.. ids.Select((token, k) => k >= firstTarget ? token : TokenizedSample.IgnoredLabel)];
            return new TokenizedSample($"related {i}", ids, labels);
        })];
    }
}
