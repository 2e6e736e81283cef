using CsCheck;
using Shad.Core.Evaluation;
using Shad.Data.Reports;
using Shad.Data.Reports.Charts;
using Shad.Data.Reports.Page;

namespace Shad.Data.Tests.Reports;

public sealed class ChartTests
{
    [Test]
    public void Ticks_are_round_ascending_and_within_the_scale()
    {
        Gen.Select(Gen.Double[-1e6, 1e6], Gen.Double[1e-6, 1e6], Gen.Int[2, 10]).Sample(static (low, width, count) =>
        {
            var scale = new ChartScale(low, low + width, 0, 100);
            IReadOnlyList<double> ticks = scale.Ticks(count);

            Assert.That(ticks, Is.Ordered.Ascending.And.Unique);
            Assert.That(ticks, Has.All.InRange(low - 1e-9 * Math.Abs(low) - 1e-9 * width, (low + width) * (1 + Math.Sign(low + width) * 1e-9) + 1e-9 * width));
            // Steps of 1, 2 or 5 are at most 2.5 times off the step asked for, so there are half as many ticks or twice as many.
            Assert.That(ticks, Has.Count.InRange(Math.Max(0, (int)(count / 2.5) - 1), 2 * count + 2));
        });
    }

    [TestCase(0, 10, 5, "0 2 4 6 8 10")]
    [TestCase(-0.3, 0.31, 6, "−0.3 −0.2 −0.1 0.0 0.1 0.2 0.3")]
    [TestCase(0, 0.001, 5, "0 2e-4 4e-4 6e-4 8e-4 1e-3")]
    [TestCase(0, 3000, 3, "0 1,000 2,000 3,000")]
    public void Tick_labels_read_well(double low, double high, int count, string expected)
    {
        Assert.That(string.Join(' ', ChartScale.Labels(new ChartScale(low, high, 0, 1).Ticks(count))), Is.EqualTo(expected));
    }

    [Test]
    public void A_square_root_scale_places_a_quarter_of_the_value_at_half_the_height()
    {
        var scale = new ChartScale(0, 0.8, 200, 0, ScaleKind.SquareRoot);

        Assert.That(scale.Place(0.2), Is.EqualTo(100).Within(1e-9));
        Assert.That(scale.Place(0), Is.EqualTo(200));
        Assert.That(scale.Place(5), Is.EqualTo(0), "beyond the end is placed at the end");
        Assert.That(scale.Ticks(4), Is.EqualTo(new[] { 0, 0.05, 0.2, 0.5 }).Within(1e-12), "round values below 0, 1/16, 1/4, 9/16 and 1 of 0.8, each once");
    }

    [Test]
    public void Bars_hold_every_token_and_none_stands_on_both_sides_of_the_threshold()
    {
        Gen.Select(Gen.Double[-8, 8].Array[1, 200], Gen.Int[-40, 40], Gen.Bool).Sample((values, step, known) =>
        {
            // On an edge of the fine bins; a threshold between two is drawn exactly but colours by the nearer edge.
            double threshold = step * 0.05;
            // A value that is the edge but for rounding belongs to either side; the edges' own rounding decides, and is not tested here.
            values = [.. values.Where(value => Math.Abs(value - threshold) > 1e-9)];
            if (values.Length == 0) return;
            LossDifferenceHistogram histogram = Histogram(known ? [] : values, known ? values[..(values.Length / 2)] : [], known ? values[(values.Length / 2)..] : []);
            HistogramChart chart = HistogramChart.Create(histogram, threshold)!;

            Assert.That(chart.Mirrored, Is.EqualTo(known));
            Assert.That(chart.Bars.Sum(static bar => bar.Count), Is.EqualTo(values.Length));
            Assert.That(chart.Bars, Has.All.Matches<HistogramChart.Bar>(bar => bar!.High <= threshold + 1e-9 || bar.Low >= threshold - 1e-9));
            Assert.That(chart.Bars.Select(static bar => bar.X).Distinct().Count(), Is.LessThanOrEqualTo(46));
            if (!known)
            {
                Assert.That(chart.Bars, Has.All.Matches<HistogramChart.Bar>(bar => (bar!.Series == "rs") == (bar.Low >= threshold - 1e-9)));
                Assert.That(chart.Bars.Where(static bar => bar.Series == "rs").Sum(static bar => bar.Count),
                    Is.EqualTo(values.Count(value => value >= threshold - 1e-12)).Within(0));
            }
        });
    }

    [Test]
    public void A_bar_stands_over_its_bin_as_high_as_its_share()
    {
        // 10 tokens at −1 … and 40 at 2: shares 0.2 and 0.8, so that on a square-root scale one bar is half as high as the other.
        double[] values = [.. Enumerable.Repeat(-0.99, 10), .. Enumerable.Repeat(1.99, 40)];
        HistogramChart chart = HistogramChart.Create(Histogram(values, [], []), 0)!;

        HistogramChart.Bar low = chart.Bars[0], high = chart.Bars[^1];
        Assert.That((low.Count, high.Count), Is.EqualTo((10L, 40L)));
        Assert.That((low.Share, high.Share), Is.EqualTo((0.2, 0.8)));
        Assert.That(low.BarHeight, Is.EqualTo(high.BarHeight / 2).Within(1e-9));
        Assert.That(low.Low, Is.LessThanOrEqualTo(-0.99));
        Assert.That(low.High, Is.GreaterThan(-0.99));
        double pixelsPerNat = (high.X - low.X) / (high.Low - low.Low);
        Assert.That(low.BarWidth, Is.EqualTo(pixelsPerNat * (low.High - low.Low)).Within(1e-9));
        Assert.That(low.Y + low.BarHeight, Is.EqualTo(high.Y + high.BarHeight).Within(1e-9), "both stand on the same line");

        string svg = chart.Draw("x").Html;
        Assert.That(svg, Does.Contain(FormattableString.Invariant($"y=\"{high.Y:0.##}\"")).And.Contain(FormattableString.Invariant($"height=\"{low.BarHeight:0.##}\"")));
    }

    [Test]
    public void Known_boilerplate_stands_upwards_and_known_reasoning_hangs_downwards_on_the_same_scale()
    {
        HistogramChart chart = HistogramChart.Create(Histogram([], [-1, -1, 0.5, 0.5], [1, 1, 1, 1, 1, 1]), 0)!;

        HistogramChart.Bar[] up = [.. chart.Bars.Where(static bar => bar.Series == "bp")], down = [.. chart.Bars.Where(static bar => bar.Series == "rs")];
        Assert.That(up.Select(static bar => bar.Share), Is.EqualTo(new[] { 0.5, 0.5 }));
        Assert.That(down.Select(static bar => bar.Share), Is.EqualTo(new[] { 1.0 }));
        double baseline = down[0].Y;
        Assert.That(up.Select(static bar => bar.Y + bar.BarHeight), Has.All.EqualTo(baseline).Within(1e-9));
        Assert.That(up[0].BarHeight, Is.EqualTo(down[0].BarHeight * Math.Sqrt(0.5)).Within(1e-9));
    }

    [Test]
    public void An_empty_histogram_draws_nothing()
    {
        Assert.That(HistogramChart.Create(Histogram([], [], []), 0), Is.Null);
    }

    [Test]
    public void A_line_passes_through_its_points_in_proportion()
    {
        var series = new LineChart.Series("sft", [new(0, 4), new(50, 2), new(100, 1)], [new(50, 3)]);
        LineChart chart = LineChart.Create([series], "loss")!;

        LineChart.Placed[] points = [.. chart.Lines[0].Points];
        LineChart.Placed mark = chart.Lines[0].Marks[0];
        Assert.That(points[1].X - points[0].X, Is.EqualTo(points[2].X - points[1].X).Within(1e-9));
        Assert.That(points[1].Y - points[0].Y, Is.EqualTo(2 * (points[2].Y - points[1].Y)).Within(1e-9));
        Assert.That(mark.X, Is.EqualTo(points[1].X));
        Assert.That(mark.Y, Is.EqualTo((points[0].Y + points[1].Y) / 2).Within(1e-9));
        Assert.That(chart.Draw("x").Html, Does.Contain(FormattableString.Invariant($"M{points[0].X:0.##} {points[0].Y:0.##}L{points[1].X:0.##}")));
    }

    [Test]
    public void A_long_curve_is_thinned_to_means_that_keep_its_end()
    {
        LineChart.Point[] points = [.. Enumerable.Range(1, 10_000).Select(static step => new LineChart.Point(step, step))];

        IReadOnlyList<LineChart.Point> thinned = LineChart.Thin(points);

        Assert.That(thinned, Has.Count.EqualTo(LineChart.MostPoints));
        Assert.That(thinned[^1], Is.EqualTo(points[^1]));
        Assert.That(thinned.Select(static point => point.Value - point.Step), Has.All.Zero, "the mean of a straight line lies on it");
        Assert.That(thinned.Select(static point => point.Step), Is.Ordered.Ascending);
    }

    [Test]
    public void A_constant_or_broken_curve_is_drawn_as_far_as_it_goes()
    {
        Assert.That(LineChart.Create([new LineChart.Series("x", [new(1, double.NaN)], [])], "loss"), Is.Null);
        LineChart constant = LineChart.Create([new LineChart.Series("x", [new(1, 2), new(2, double.NaN), new(3, 2)], [])], "loss")!;
        Assert.That(constant.Lines[0].Points, Has.Count.EqualTo(2));
        Assert.That(constant.Draw("x").Html, Does.Not.Contain("NaN"));
    }

    [Test]
    public void Grouped_bars_grow_from_zero_in_proportion_and_do_not_overlap()
    {
        GroupedBarChart chart = GroupedBarChart.Create(
            ["all", "reasoning"], [("base", [2.0, 4.0]), ("rft", [1.0, null])], "loss")!;

        Assert.That(chart.Bars, Has.Count.EqualTo(3));
        GroupedBarChart.Bar first = chart.Bars[0], second = chart.Bars[1], third = chart.Bars[2];
        Assert.That(first.BarHeight, Is.EqualTo(2 * second.BarHeight).Within(1e-9));
        Assert.That(third.BarHeight, Is.EqualTo(2 * first.BarHeight).Within(1e-9));
        Assert.That(first.X + first.BarWidth, Is.LessThanOrEqualTo(second.X + 1e-9));
        Assert.That(second.X + second.BarWidth, Is.LessThan(third.X));
        Assert.That(chart.Bars.Select(static bar => bar.Y + bar.BarHeight), Has.All.EqualTo(first.Y + first.BarHeight).Within(1e-9));
        Assert.That(GroupedBarChart.Create(["all"], [("base", [double.NaN])], "loss"), Is.Null);
    }

    [TestCase(double.NaN, "–")]
    [TestCase(0, "0 %")]
    [TestCase(0.004, "0.4 %")]
    [TestCase(0.7349, "73 %")]
    [TestCase(0.999, "99.9 %")]
    [TestCase(1, "100 %")]
    public void Shares_read_well(double share, string expected) => Assert.That(Numbers.Percent(share), Is.EqualTo(expected));

    [TestCase(0.416, "0.42 s")]
    [TestCase(59.4, "59 s")]
    [TestCase(60, "1 min 00 s")]
    [TestCase(202, "3 min 22 s")]
    [TestCase(7500, "2 h 05 min")]
    public void Durations_read_well(double seconds, string expected) => Assert.That(Numbers.Duration(seconds), Is.EqualTo(expected));

    [TestCase(-0.001, "0.00")]
    [TestCase(-1.5, "−1.50")]
    [TestCase(double.NegativeInfinity, "–")]
    public void Numbers_have_a_minus_only_where_they_are_negative(double number, string expected) =>
        Assert.That(Numbers.Decimal(number, 2), Is.EqualTo(expected));

    private static LossDifferenceHistogram Histogram(double[] unknown, double[] boilerplate, double[] reasoning)
    {
        return new LossDifferenceHistogram(Of(boilerplate), Of(reasoning), Of(unknown));

        static Histogram Of(double[] values)
        {
            var histogram = new Histogram(-6, 6, 480);
            foreach (double value in values) histogram.Add(value);
            return histogram;
        }
    }
}
