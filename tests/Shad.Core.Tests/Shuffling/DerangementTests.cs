using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Shuffling;

namespace Shad.Core.Tests.Shuffling;

public sealed class DerangementTests
{
    [Test]
    public void It_is_a_permutation_without_a_fixed_point() =>
        Gen.Select(Gen.Int[2, 300], Gen.ULong).Sample((count, seed) =>
        {
            int[] derangement = Derangement.Create(count, new SeededRandom(seed));
            return derangement.Order().SequenceEqual(Enumerable.Range(0, count))
                && derangement.Select((place, i) => place != i).All(moved => moved);
        });

    [Test]
    public void Each_of_the_9_derangements_of_4_is_equally_likely()
    {
        var random = new SeededRandom(2024);
        var counts = new Dictionary<string, long>();
        for (int i = 0; i < 90_000; i++)
        {
            string derangement = string.Join(',', Derangement.Create(4, random));
            counts[derangement] = counts.GetValueOrDefault(derangement) + 1;
        }

        // 8 degrees of freedom; a uniform generator falls below 1e-6 for one seed in a million.
        Assert.That(counts, Has.Count.EqualTo(9));
        Assert.That(ChiSquare.TailProbability(counts.Values), Is.GreaterThan(1e-6));
    }

    [Test]
    public void The_same_seed_gives_the_same_derangement() =>
        Gen.Select(Gen.Int[2, 100], Gen.ULong).Sample((count, seed) =>
            Derangement.Create(count, new SeededRandom(seed)).SequenceEqual(Derangement.Create(count, new SeededRandom(seed))));

    [TestCase(0)]
    [TestCase(1)]
    public void Fewer_than_two_have_none(int count)
    {
        ShadException error = Assert.Throws<ShadException>(() => Derangement.Create(count, new SeededRandom(1)))!;
        Assert.That(error.Code, Is.EqualTo("shuffle.too_few"));
        Assert.That(error.Message, Does.Contain("at least 2 samples"));
    }
}
