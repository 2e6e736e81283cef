using CsCheck;
using Shad.Core.Evaluation;

namespace Shad.Core.Tests.Evaluation;

public sealed class HistogramTests
{
    [Test]
    public void Every_value_is_counted_once_in_the_bin_whose_edges_hold_it() =>
        Gen.Select(Gen.Double[-5, 5], Gen.Double[0.001, 7], Gen.Int[1, 90], Gen.Double[-12, 12].Array[0, 60]).Sample(
            (minimum, width, bins, values) =>
            {
                var histogram = new Histogram(minimum, minimum + width, bins);
                double[] edges = [.. Enumerable.Range(0, bins + 1).Select(histogram.Edge)];
                double[] all = [.. values, .. edges];
                foreach (double value in all) histogram.Add(value);

                long[] expected =
                    [.. Enumerable.Range(0, bins).Select(bin => all.LongCount(v => v >= edges[bin] && v < edges[bin + 1]))];
                Assert.That(histogram.Counts, Is.EqualTo(expected));
                Assert.That(histogram.Below, Is.EqualTo(all.LongCount(value => value < minimum)));
                Assert.That(histogram.Above, Is.EqualTo(all.LongCount(value => value >= histogram.Maximum)));
                Assert.That(histogram.Total, Is.EqualTo(all.Length));
            },
            iter: 500,
            threads: 1);

    [Test]
    public void Tokens_that_are_no_targets_are_left_out_and_infinities_lie_outside()
    {
        var histogram = new Histogram(-1, 1, 4);
        histogram.AddTargets([float.NaN, -1, -0.5f, 0.99f, 1, float.NegativeInfinity]);
        Assert.That(histogram.Counts, Is.EqualTo([1L, 1, 0, 1]));
        Assert.That((histogram.Below, histogram.Above, histogram.Total), Is.EqualTo((1L, 1L, 5L)));
    }

    [Test]
    public void What_is_no_range_and_no_number_is_refused()
    {
        Assert.That(() => new Histogram(1, 1, 3), Throws.ArgumentException);
        Assert.That(() => new Histogram(0, double.NaN, 3), Throws.ArgumentException);
        Assert.That(() => new Histogram(0, double.PositiveInfinity, 3), Throws.ArgumentException);
        Assert.That(() => new Histogram(0, 1, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new Histogram(0, 1, 2).Add(double.NaN), Throws.ArgumentException);
        Assert.That(() => new Histogram(0, 1, 2).Edge(3), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
