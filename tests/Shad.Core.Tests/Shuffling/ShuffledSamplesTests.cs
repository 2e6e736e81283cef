using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Shuffling;

namespace Shad.Core.Tests.Shuffling;

public sealed class ShuffledSamplesTests
{
    private const int Ignored = TokenizedSample.IgnoredLabel;

    /// <summary>Conversations of 1 to 4 turns, with few different tokens so that equal responses occur.</summary>
    private static readonly Gen<TokenizedSample[]> GenSamples =
        Gen.Select(Gen.Int[0, 9].Array[1, 3], Gen.Int[0, 1].Array[1, 2])
            .Array[1, 4]
            .Array[2, 12]
            .Select(conversations => conversations.Select((turns, i) => Sample($"s{i}", [.. turns], [7])).ToArray());

    [Test]
    public void Prompts_are_kept_bit_for_bit_and_responses_come_turn_by_turn_from_the_partner() =>
        Gen.Select(GenSamples, Gen.ULong).Sample((samples, seed) =>
        {
            IReadOnlyList<TokenizedSample> shuffled = ShuffledSamples.Create(samples, new SeededRandom(seed));
            int[] partners = ShuffledSamples.ChoosePartners(samples, new SeededRandom(seed));
            Assert.That(shuffled, Has.Count.EqualTo(samples.Length));
            Assert.That(partners.Order(), Is.EqualTo(Enumerable.Range(0, samples.Length)));
            for (int i = 0; i < samples.Length; i++)
            {
                Assert.That(partners[i], Is.Not.EqualTo(i));
                Assert.That(shuffled[i].Id, Is.EqualTo(samples[i].Id));
                Assert.That(Prompts(shuffled[i]), Is.EqualTo(Prompts(samples[i])));
                string[] given = Responses(samples[partners[i]]);
                string[] expected = [.. Responses(samples[i]).Select((_, turn) => given[turn % given.Length])];
                Assert.That(Responses(shuffled[i]), Is.EqualTo(expected));
            }
        }, iter: 500, threads: 1);

    [Test]
    public void The_same_seed_gives_the_same_samples() =>
        Gen.Select(GenSamples, Gen.ULong).Sample((samples, seed) =>
            ShuffledSamples.Create(samples, new SeededRandom(seed)).Select(sample => string.Join(',', sample.InputIds))
                .SequenceEqual(ShuffledSamples.Create(samples, new SeededRandom(seed))
                    .Select(sample => string.Join(',', sample.InputIds))));

    [Test]
    public void A_partner_with_fewer_turns_begins_again_and_one_with_more_is_cut()
    {
        TokenizedSample three = Sample("three", [([1], [10]), ([2], [11]), ([3], [12])], [4]);
        TokenizedSample two = Sample("two", [([5], [20, 21]), ([6], [22])], []);
        IReadOnlyList<TokenizedSample> shuffled = ShuffledSamples.Create([three, two], new SeededRandom(1));
        Assert.That(shuffled[0].InputIds, Is.EqualTo([1, 20, 21, 2, 22, 3, 20, 21, 4]));
        Assert.That(shuffled[0].Labels, Is.EqualTo([Ignored, 20, 21, Ignored, 22, Ignored, 20, 21, Ignored]));
        Assert.That(shuffled[1].InputIds, Is.EqualTo([5, 10, 6, 11]));
        Assert.That(shuffled[1].Labels, Is.EqualTo([Ignored, 10, Ignored, 11]));
    }

    [Test]
    public void Weights_and_roles_of_the_replaced_tokens_are_not_kept()
    {
        TokenizedSample weighted = Sample("a", [([1], [10])], []) with { Weights = [1, 2], Roles = [null, TokenRole.Reasoning] };
        IReadOnlyList<TokenizedSample> shuffled =
            ShuffledSamples.Create([weighted, Sample("b", [([2], [11, 12])], [])], new SeededRandom(1));
        Assert.That(shuffled.Select(sample => sample.Weights), Is.All.Null);
        Assert.That(shuffled.Select(sample => sample.Roles), Is.All.Null);
    }

    [Test]
    public void As_few_samples_as_can_be_get_their_own_response_back() =>
        Gen.Select(Gen.Int[0, 3].Array[2, 24], Gen.ULong).Sample((responses, seed) =>
        {
            TokenizedSample[] samples = [.. responses.Select((response, i) => Sample($"s{i}", [([i], [response])], []))];
            int[] partners = ShuffledSamples.ChoosePartners(samples, new SeededRandom(seed));
            int most = responses.GroupBy(response => response).Max(group => group.Count());
            int unavoidable = Math.Max(0, 2 * most - responses.Length);
            Assert.That(partners.Where((partner, i) => responses[partner] == responses[i]).Count(), Is.EqualTo(unavoidable));
            Assert.That(partners.Where((partner, i) => partner == i), Is.Empty);
        }, iter: 2000, threads: 1);

    [Test]
    public void A_cyclic_repetition_that_would_give_a_conversation_back_is_avoided()
    {
        // The second sample says its one response twice, which a partner with that one response would give back to it.
        TokenizedSample[] samples =
        [
            Sample("once", [([1], [10])], []),
            Sample("twice", [([2], [10]), ([3], [10])], []),
            Sample("other", [([4], [11])], []),
            Sample("another", [([5], [12])], []),
        ];
        for (ulong seed = 0; seed < 200; seed++)
        {
            IReadOnlyList<TokenizedSample> shuffled = ShuffledSamples.Create(samples, new SeededRandom(seed));
            for (int i = 0; i < samples.Length; i++)
                Assert.That(shuffled[i].InputIds, Is.Not.EqualTo(samples[i].InputIds), $"seed {seed}, sample {i}");
        }
    }

    [Test]
    public void Many_equal_responses_are_settled_in_reasonable_time()
    {
        TokenizedSample[] samples =
            [.. Enumerable.Range(0, 20_000).Select(i => Sample($"s{i}", [([i], [i % 10 == 0 ? i : 5])], []))];
        int[] partners = ShuffledSamples.ChoosePartners(samples, new SeededRandom(3));
        int unchanged = partners.Where((partner, i) => samples[partner].InputIds[1] == samples[i].InputIds[1]).Count();
        Assert.That(unchanged, Is.EqualTo(2 * 18_000 - 20_000));
    }

    [Test]
    public void One_sample_alone_is_refused()
    {
        TokenizedSample[] one = [Sample("a", [([1], [10])], [])];
        Assert.That(
            () => ShuffledSamples.Create(one, new SeededRandom(1)),
            Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("shuffle.too_few")
                .And.Message.Contains("one sample only"));
    }

    [Test]
    public void A_sample_without_a_response_is_refused_by_name()
    {
        TokenizedSample[] samples = [Sample("a", [([1], [10])], []), new TokenizedSample("mute", [1, 2], [Ignored, Ignored])];
        Assert.That(
            () => ShuffledSamples.Create(samples, new SeededRandom(1)),
            Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo("shuffle.no_response")
                .And.Message.Contains("'mute'"));
    }

    private static TokenizedSample Sample(string id, (int[] Prompt, int[] Response)[] turns, int[] rest)
    {
        int[] inputIds = [.. turns.SelectMany(turn => (int[])[.. turn.Prompt, .. turn.Response]), .. rest];
        int[] labels =
        [
            .. turns.SelectMany(turn => (int[])[.. turn.Prompt.Select(_ => Ignored), .. turn.Response]),
            .. rest.Select(_ => Ignored),
        ];
        return new TokenizedSample(id, inputIds, labels);
    }

    /// <summary>The prompt parts before, between and after the responses.</summary>
    private static string[] Prompts(TokenizedSample sample)
    {
        var parts = new List<string>();
        int start = 0;
        foreach (Range span in sample.ResponseSpans())
        {
            parts.Add(string.Join(',', sample.InputIds[start..span.Start]));
            start = span.End.Value;
        }

        parts.Add(string.Join(',', sample.InputIds[start..]));
        return [.. parts];
    }

    private static string[] Responses(TokenizedSample sample) =>
        [.. sample.ResponseSpans().Select(span => string.Join(',', sample.InputIds[span]))];
}
