using CsCheck;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Shuffling;

namespace Shad.Core.Tests.Shuffling;

public sealed class ProbeSampleTests
{
    [TestCase(3000, 0.01, 1, 30)]
    [TestCase(3000, 0.01, 64, 64)]
    [TestCase(50, 0.01, 64, 50)]
    [TestCase(150, 0.01, 1, 2)]
    [TestCase(149, 0.01, 1, 1)]
    [TestCase(10, 1.0, 1, 10)]
    [TestCase(10, 1e-9, 1, 1)]
    [TestCase(1, 0.5, 2, 1)]
    [TestCase(int.MaxValue, 1e-8, 1, 21)]
    public void Its_size_is_the_rounded_fraction_held_between_the_minimum_and_the_corpus(
        int corpus, double fraction, int minimum, int expected) =>
        Assert.That(ProbeSample.Select(corpus, fraction, minimum, new SeededRandom(1)), Has.Length.EqualTo(expected));

    [Test]
    public void Its_indices_ascend_without_repetition_inside_the_corpus() =>
        Gen.Select(Gen.Int[1, 500], Gen.Double[0.001, 1], Gen.Int[1, 600], Gen.ULong).Sample((corpus, fraction, minimum, seed) =>
        {
            int[] indices = ProbeSample.Select(corpus, fraction, minimum, new SeededRandom(seed));
            return indices[0] >= 0 && indices[^1] < corpus && indices.Zip(indices.Skip(1)).All(pair => pair.First < pair.Second)
                && indices.SequenceEqual(ProbeSample.Select(corpus, fraction, minimum, new SeededRandom(seed)));
        });

    [Test]
    public void Each_subset_is_equally_likely()
    {
        // Of 5 samples 2 are drawn: 10 subsets; those without {3,4} are 9 and make an even number of degrees of freedom.
        var random = new SeededRandom(99);
        var counts = new Dictionary<(int, int), long>();
        for (int i = 0; i < 100_000; i++)
        {
            int[] pair = ProbeSample.Select(5, 0.4, 1, random);
            counts[(pair[0], pair[1])] = counts.GetValueOrDefault((pair[0], pair[1])) + 1;
        }

        Assert.That(counts, Has.Count.EqualTo(10));
        Assert.That(counts.Remove((3, 4), out long last), Is.True);
        Assert.That(ChiSquare.TailProbability(counts.Values), Is.GreaterThan(1e-6));
        Assert.That(last, Is.EqualTo(10_000).Within(5 * Math.Sqrt(100_000 * 0.1 * 0.9)));
    }

    [TestCase(0, 0.01, 1, "probe.empty_corpus")]
    [TestCase(10, 0.0, 1, "probe.bad_fraction")]
    [TestCase(10, -0.1, 1, "probe.bad_fraction")]
    [TestCase(10, 1.01, 1, "probe.bad_fraction")]
    [TestCase(10, double.NaN, 1, "probe.bad_fraction")]
    [TestCase(10, 0.5, 0, "probe.bad_minimum")]
    public void Numbers_out_of_range_are_refused(int corpus, double fraction, int minimum, string code) =>
        Assert.That(
            () => ProbeSample.Select(corpus, fraction, minimum, new SeededRandom(1)),
            Throws.TypeOf<ShadException>().With.Property(nameof(ShadException.Code)).EqualTo(code));
}
