using BenchScoring.Models;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Data.Corpora;

namespace BenchScoring.Corpora;

/// <summary>Makes the corpora of a shape in <c>work/corpora/</c>: rows of token ids with lengths as real corpora have them.</summary>
/// <remarks>
/// Lengths are log-normal and cut: prompts of 50 to 1,500 tokens (median 250, σ 0.9), responses of 10 to 400 (median 80, σ 0.8).
/// Ids are drawn evenly: what a token is does not change what it costs.
/// </remarks>
internal static class BenchCorpora
{
    /// <summary>The corpus every contender scores.</summary>
    public const string Main = "main";

    /// <summary>A few samples: what is checked before anything is timed, and what contenders are timed on that take minutes a thousand
    /// tokens.</summary>
    public const string Check = "check";

    /// <summary>One sample of the least length, to time loading with.</summary>
    public const string Least = "least";

    /// <summary>Samples of three systems: each prompt is one of three beginnings (instructions and a list of tools, of 400, 800 and 1,200
    /// tokens) and a fourth of its length of the sample's own, so that 80 % of it is shared. Responses as in <see cref="Main"/>; the three are mixed.</summary>
    public const string SharedPrefix = "shared-prefix";

    /// <summary>One sequence of the whole context with a long response; for the memory mode.</summary>
    public const string Longest = "longest";

    private const int CheckSamples = 6;

    private static readonly int[] SharedLengths = [400, 800, 1200];

    // Ids below are special in most vocabularies.
    private const int FirstId = 3;

    public static string File(string work, BenchShape shape, string corpus) =>
        Path.Combine(work, "corpora", $"{shape.Name}.{corpus}.jsonl");

    /// <summary>Makes what is not there yet.</summary>
    public static void Make(string work, BenchShape shape, int vocabularySize, int contextLength)
    {
        Directory.CreateDirectory(Path.Combine(work, "corpora"));
        var random = new SeededRandom(7);
        Write(Main, Draw(random.Fork(1), vocabularySize, shape.Tokens));

        // Heavy-tailed as the whole, but short enough for the slowest: the samples nearest to every sixth of 900 tokens.
        var some = Draw(random.Fork(2), vocabularySize, 40_000).ToArray();
        Write(Check, Enumerable.Range(1, CheckSamples).Select(i => some.MinBy(sample => Math.Abs(sample.Length - 150 * i))!));
        Write(Least, [Sample("least", Ids(random.Fork(3), vocabularySize, 4), prompt: 3)]);

        // More tokens: with reuse most of them cost nothing.
        Write(SharedPrefix, DrawShared(random.Fork(4), vocabularySize, 8 * shape.Tokens));
        Write(Longest, [Sample("longest", Ids(random.Fork(5), vocabularySize, contextLength), prompt: contextLength / 2)]);

        void Write(string corpus, IEnumerable<TokenizedSample> samples)
        {
            string file = File(work, shape, corpus);
            if (!System.IO.File.Exists(file)) TokenizedSampleWriter.WriteAll(file, samples);
        }
    }

    public static async Task<TokenizedSample[]> ReadAsync(string file)
    {
        var samples = new List<TokenizedSample>();
        await foreach (var sample in TokenizedSampleReader.ReadAsync(file)) samples.Add(sample);
        return [.. samples];
    }

    private static IEnumerable<TokenizedSample> Draw(SeededRandom random, int vocabularySize, int tokens)
    {
        for (int number = 0; tokens > 0; number++)
        {
            int prompt = LogNormal(random, median: 250, sigma: 0.9, 50, 1500);
            int[] ids = Ids(random, vocabularySize, prompt + ResponseLength(random));
            tokens -= ids.Length;
            yield return Sample($"s{number}", ids, prompt);
        }
    }

    private static IEnumerable<TokenizedSample> DrawShared(SeededRandom random, int vocabularySize, int tokens)
    {
        int[][] beginnings = [.. SharedLengths.Select(length => Ids(random, vocabularySize, length))];
        for (int number = 0; tokens > 0; number++)
        {
            int[] beginning = random.Choose<int[]>(beginnings);
            int[] own = Ids(random, vocabularySize, beginning.Length / 4 + ResponseLength(random));
            tokens -= beginning.Length + own.Length;
            yield return Sample($"s{number}", [.. beginning, .. own], beginning.Length * 5 / 4);
        }
    }

    private static int ResponseLength(SeededRandom random) => LogNormal(random, median: 80, sigma: 0.8, 10, 400);

    private static int LogNormal(SeededRandom random, double median, double sigma, int least, int most) =>
        (int)Math.Clamp(median * Math.Exp(sigma * random.NextGaussian()), least, most);

    private static int[] Ids(SeededRandom random, int vocabularySize, int count)
    {
        int[] ids = new int[count];
        for (int i = 0; i < count; i++) ids[i] = random.NextInt32(FirstId, vocabularySize);
        return ids;
    }

    private static TokenizedSample Sample(string id, int[] ids, int prompt)
    {
        int[] labels = [.. ids];
        labels.AsSpan(0, prompt).Fill(TokenizedSample.IgnoredLabel);
        return new TokenizedSample(id, ids, labels);
    }
}
