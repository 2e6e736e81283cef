using CsCheck;
using Shad.Core.Samples;
using Shad.Onnx.Scoring;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Scoring;

/// <summary>Samples that begin alike are grouped so that the most is saved, and laid out with what they share once.</summary>
[TestFixture]
internal sealed class SharedPrefixesTests
{
    private static readonly Gen<List<TokenizedSample>> GenSamples =
        Gen.Select(Gen.ULong, Gen.Int[0, 40], static (seed, count) => TestSamples.Related(seed, count, maximumLength: 80, vocabularySize: 20));

    [Test]
    public void Every_sample_is_in_one_group_with_tokens_that_all_members_may_share() => GenSamples.Sample(samples =>
    {
        var groups = SharedPrefixes.Find(samples, Enumerable.Range(0, samples.Count));
        Assert.That(groups.SelectMany(static group => group.Members).Order(), Is.EqualTo(Enumerable.Range(0, samples.Count)));
        foreach (var group in groups.Where(static group => group.PrefixLength > 0))
        {
            Assert.That(group.Members, Has.Count.GreaterThan(1));
            Assert.That(group.PrefixLength, Is.GreaterThanOrEqualTo(SharedPrefixes.LeastLength));
            int[] prefix = samples[group.Members[0]].InputIds[..group.PrefixLength];
            foreach (int member in group.Members)
            {
                Assert.That(samples[member].InputIds[..group.PrefixLength], Is.EqualTo(prefix));
                Assert.That(group.PrefixLength, Is.LessThanOrEqualTo(SharedPrefixes.Shareable(samples[member])));
            }
        }
    });

    [Test]
    public void No_other_grouping_of_few_samples_saves_more() =>
        Gen.Select(Gen.ULong, Gen.Int[1, 7]).Sample(static (seed, count) =>
        {
            var samples = TestSamples.Related(seed, count, maximumLength: 80, vocabularySize: 20);
            var groups = SharedPrefixes.Find(samples, Enumerable.Range(0, count));
            Assert.That(
                groups.Sum(static group => (group.Members.Count - 1) * group.PrefixLength),
                Is.EqualTo(BestOf(samples, count, [])));
        }, iter: 300);

    [Test]
    public void A_sample_apart_of_a_longer_prefix_joins_a_shorter_one()
    {
        // 4 samples share 100 tokens; 3 of them share 60 more. Apart, those three save 320 and one nothing; together they save 300.
        int[] text = [.. Enumerable.Range(0, 160)];
        List<TokenizedSample> samples = [Of("a", text[..160], 1), Of("b", text[..160], 2), Of("c", text[..160], 3), Of("d", text[..100], 4)];
        var groups = SharedPrefixes.Find(samples, [0, 1, 2, 3]);
        Assert.That(groups.Single(static group => group.Members.Count == 3).PrefixLength, Is.EqualTo(160));

        // With two more that share 100, the fourth is better off with them.
        samples.AddRange(Of("e", text[..100], 5), Of("f", text[..100], 6));
        groups = SharedPrefixes.Find(samples, [0, 1, 2, 3, 4, 5]);
        Assert.That(groups.Select(static group => (group.PrefixLength, group.Members.Count)), Is.EquivalentTo(new[] { (160, 3), (100, 3) }));
    }

    [Test]
    public void What_is_shared_ends_before_the_row_of_the_first_target()
    {
        Assert.That(SharedPrefixes.Shareable(new TokenizedSample("a", [1, 2, 3, 4], [-100, -100, -100, 4])), Is.EqualTo(2));
        Assert.That(SharedPrefixes.Shareable(new TokenizedSample("a", [1, 2, 3, 4], [-100, 2, -100, 4])), Is.Zero);
        Assert.That(SharedPrefixes.Shareable(new TokenizedSample("a", [1, 2], [-100, -100])), Is.Zero);
    }

    [Test]
    public void Prefixes_nested_without_end_are_cut()
    {
        // Each sample shares some tokens more with the next: 1,000 nested prefixes.
        int[] text = [.. Enumerable.Range(0, 1_100)];
        List<TokenizedSample> samples = [.. Enumerable.Range(0, 1_000).Select(i => Of($"{i}", text[..(20 + i)], 5_000))];
        var groups = SharedPrefixes.Find(samples, Enumerable.Range(0, samples.Count));
        Assert.That(groups.SelectMany(static group => group.Members).Order(), Is.EqualTo(Enumerable.Range(0, samples.Count)));
        Assert.That(groups.Count(static group => group.PrefixLength > 0), Is.Positive);
    }

    [Test]
    public void Batches_keep_to_their_tokens_and_hold_every_sample_with_a_target_once() =>
        Gen.Select(GenSamples, Gen.Int[1, 400], Gen.Bool).Sample(static (samples, tokens, share) =>
        {
            var layout = new PackedBatches(blockRows: 16, share);
            var batches = layout.Cut(samples, () => tokens).ToList();
            Assert.That(
                batches.SelectMany(static batch => batch).Select(static placement => placement.Sample).Order(),
                Is.EqualTo(Enumerable.Range(0, samples.Count).Where(i => BatchScorer.ComputedLength(samples[i]) > 0)));
            foreach (var batch in batches)
                Assert.That(batch.Length == 1 || layout.SizeOf(samples, batch).Tokens <= tokens, $"{batch.Length} samples");
        });

    // All ways to put the samples into groups.
    private static int BestOf(List<TokenizedSample> samples, int left, List<List<int>> groups)
    {
        if (left == 0) return groups.Sum(group => (group.Count - 1) * SharedBy(samples, group));
        int best = 0;
        for (int g = 0; g <= groups.Count; g++)
        {
            List<List<int>> more = [.. groups.Select(static group => new List<int>(group))];
            if (g == groups.Count) more.Add([]);
            more[g].Add(left - 1);
            best = Math.Max(best, BestOf(samples, left - 1, more));
        }

        return best;
    }

    private static int SharedBy(List<TokenizedSample> samples, List<int> group)
    {
        int shared = group.Min(member => SharedPrefixes.Shareable(samples[member]));
        foreach (int member in group)
        {
            int same = 0;
            while (same < shared && samples[member].InputIds[same] == samples[group[0]].InputIds[same]) same++;
            shared = same;
        }

        return shared < SharedPrefixes.LeastLength ? 0 : shared;
    }

    // A prompt, a token that tells it from others, and a target.
    private static TokenizedSample Of(string id, int[] prompt, int own) =>
        new(id, [.. prompt, 10_000 + own, 7, 8], [.. prompt.Select(static _ => -100), -100, -100, 8]);
}
