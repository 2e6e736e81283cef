using Shad.Data.Chat;
using Shad.Data.Corpora;
using Shad.Data.Demo;
using Shad.Data.Tokenization;
using Shad.Models;
using Shad.Sidecar.Modules;
using Shad.Sidecar.Tuning;

namespace Shad.Sidecar.Tests;

public sealed class PaddingTests
{
    /// <summary>
    /// Layers run on tokens end to end, without padding; attention alone pads, within groups of similar length. Waste is the share of a
    /// step's multiplications that padding costs, the head (which runs on targets only) left out.
    /// </summary>
    [Test]
    public void Less_than_a_twentieth_of_the_work_on_the_demo_corpus_is_for_padding([Values(8, 16, 64)] int samplesPerStep, [Values(1024, 4096)] int tokensPerBatch)
    {
        using var model = ModelFolder.Open(ModelPath);
        var config = model.Config;
        int width = config.AttentionHeads * config.HeadSize;
        long perToken = config.HiddenSize * (2L * width + 2L * config.KeyValueHeads * config.HeadSize + 3L * config.IntermediateSize);
        int[] lengths = Lengths(800);
        var order = new SampleOrder(lengths.Length, samplesPerStep, null, 2, seed: 3);
        double tokens = 0, places = 0, needed = 0, done = 0;
        for (int step = 0; step < order.Steps; step++)
        {
            int[] ofStep = [.. order.Of(step).Select(i => lengths[i]).OrderDescending()];
            for (int start = 0; start < ofStep.Length;)
            {
                int size = Math.Min(ofStep.Length - start, Math.Max(1, tokensPerBatch / ofStep[start]));
                int at = start;
                foreach (var group in AttentionGroup.Of(ofStep.AsSpan(start, size)))
                {
                    tokens += group.TokenCount;
                    places += (double)group.SampleCount * group.MaximumLength;

                    // Scores and their product with the values: 2 · width multiplications for every pair of places.
                    double linear = (double)group.TokenCount * perToken;
                    needed += linear + 2.0 * width * ofStep[at..(at + group.SampleCount)].Sum(static length => (double)length * length);
                    done += linear + 2.0 * width * group.SampleCount * group.MaximumLength * group.MaximumLength;
                    at += group.SampleCount;
                }

                start += size;
            }
        }

        double waste = 1 - needed / done;
        TestContext.Out.WriteLine($"{waste:P2} of the work; {1 - tokens / places:P2} of the places in attention");
        Assert.That(tokens, Is.EqualTo(2.0 * lengths.Sum()));
        Assert.That(waste, Is.LessThan(0.05));
    }

    private static string ModelPath => Path.Combine(Root(), "models", "shad-mini");

    private static int[] Lengths(int count)
    {
        var encoder = new SampleEncoder(
            TokenizerLoader.Load(ModelPath), ChatLayout.Plain, new EncoderOptions { ContextLength = 1024 }, new CorpusReport());
        return [.. DemoCorpus.Generate(new DemoOptions { Samples = count }).Select(sample => encoder.Encode(new ConversationRow(
            sample.Id, new RowSource("demo", 1),
            [new(ChatRole.System, sample.System), new(ChatRole.User, sample.User), new(ChatRole.Assistant, sample.Response)], []))!.Tokens.Length)];
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Shad.Onnx.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }
}
