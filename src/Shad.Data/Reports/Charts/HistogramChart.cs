using Shad.Core.Evaluation;
using Shad.Data.Reports.Page;

namespace Shad.Data.Reports.Charts;

/// <summary>
/// The distribution of LD. Where roles are known, boilerplate tokens stand upwards and reasoning tokens hang downwards, each as a
/// share of its role; otherwise all tokens stand upwards, coloured by the side of the threshold they fall on.
/// </summary>
/// <remarks>
/// The chart shows the range that holds all but 0.2 % of the tokens on either side, and no side of the threshold with less than a
/// quarter of the width; its outermost bars take in what lies beyond.
/// Fine bins are joined to wider bars with an edge at the threshold, so that no bar stands on both sides of it.
/// </remarks>
internal sealed class HistogramChart
{
    private const double Width = 540, Height = 268, Left = 60, Right = 10, Top = 30, Bottom = 44;
    private const int MostBars = 44;
    private const double Outlying = 0.002;

    private readonly double _threshold;
    private readonly ChartScale _x;
    private readonly double _baseline;

    private HistogramChart(double threshold, bool mirrored, ChartScale x, double baseline, IReadOnlyList<Bar> bars)
    {
        _threshold = threshold;
        Mirrored = mirrored;
        _x = x;
        _baseline = baseline;
        Bars = bars;
    }

    /// <summary>True where the roles are known and drawn on two sides.</summary>
    public bool Mirrored { get; }

    /// <summary>The bars drawn, from left to right, upper before lower.</summary>
    public IReadOnlyList<Bar> Bars { get; }

    private ChartScale Upward { get; init; }

    private ChartScale Downward { get; init; }

    /// <summary>A bar in SVG coordinates and what it stands for.</summary>
    /// <param name="Series"><c>bp</c> or <c>rs</c>: boilerplate or reasoning, known or called so.</param>
    /// <param name="Low">Lower edge, nats.</param>
    /// <param name="High">Upper edge, nats.</param>
    /// <param name="Count">Tokens.</param>
    /// <param name="Share">Tokens as a share of those of the series' whole (of the role where known, of all otherwise).</param>
    /// <param name="IsFirst">True where tokens below <paramref name="Low"/> are counted too.</param>
    /// <param name="IsLast">True where tokens above <paramref name="High"/> are counted too.</param>
    /// <param name="X">Left.</param>
    /// <param name="Y">Top.</param>
    /// <param name="BarWidth">Width.</param>
    /// <param name="BarHeight">Height.</param>
    internal sealed record Bar(
        string Series, double Low, double High, long Count, double Share, bool IsFirst, bool IsLast,
        double X, double Y, double BarWidth, double BarHeight);

    /// <summary>Lays the chart out; null where there is nothing to draw.</summary>
    public static HistogramChart? Create(LossDifferenceHistogram histogram, double threshold)
    {
        bool mirrored = histogram.Boilerplate.Total + histogram.Reasoning.Total > 0;
        Histogram[] drawn = mirrored ? [histogram.Boilerplate, histogram.Reasoning] : [histogram.Unknown];
        long total = drawn.Sum(static part => part.Total);
        if (total == 0) return null;

        int bins = drawn[0].Counts.Count;
        double width = (drawn[0].Maximum - drawn[0].Minimum) / bins;
        int thresholdEdge = Math.Clamp((int)Math.Round((threshold - drawn[0].Minimum) / width), 1, bins - 1);
        (int first, int last) = Range(drawn, total, thresholdEdge);
        int joined = (int)Math.Ceiling((last - first) / (double)MostBars);
        int barsBelow = (int)Math.Ceiling((thresholdEdge - first) / (double)joined);
        int barsAbove = (int)Math.Ceiling((last - thresholdEdge) / (double)joined);

        double Edge(int bar) => drawn[0].Minimum + width * (thresholdEdge + (double)(bar - barsBelow) * joined);
        int barCount = barsBelow + barsAbove;
        var x = new ChartScale(Edge(0), Edge(barCount), Left, Width - Right);
        long[][] counts = [.. drawn.Select(part => Join(part, thresholdEdge, joined, barsBelow, barsAbove))];
        double largest = counts.Zip(drawn).Max(static pair => pair.First.Max() / (double)Math.Max(1, pair.Second.Total));
        double middle = mirrored ? (Top + Height - Bottom) / 2 : Height - Bottom;
        var upward = new ChartScale(0, largest, middle, Top, ScaleKind.SquareRoot);
        var downward = new ChartScale(0, largest, middle, Height - Bottom, ScaleKind.SquareRoot);

        var bars = new List<Bar>();
        for (int bar = 0; bar < barCount; bar++)
        {
            double left = x.Place(Edge(bar)), right = x.Place(Edge(bar + 1));
            for (int part = 0; part < drawn.Length; part++)
            {
                long count = counts[part][bar];
                if (count == 0) continue;
                double share = count / (double)drawn[part].Total;
                double end = (part == 0 ? upward : downward).Place(share);
                string series = mirrored ? (part == 0 ? "bp" : "rs") : bar < barsBelow ? "bp" : "rs";
                bars.Add(new Bar(
                    series, Edge(bar), Edge(bar + 1), count, share, bar == 0, bar == barCount - 1,
                    left, Math.Min(middle, end), right - left, Math.Abs(end - middle)));
            }
        }

        return new HistogramChart(threshold, mirrored, x, middle, bars) { Upward = upward, Downward = downward };
    }

    /// <summary>Draws the chart.</summary>
    /// <param name="label">What it shows, for screen readers.</param>
    public Markup Draw(string label)
    {
        double bottom = Height - Bottom, line = _x.Place(_threshold);
        IReadOnlyList<double> ticks = _x.Ticks(7);
        IReadOnlyList<string> labels = ChartScale.Labels(ticks);
        return Markup.Of($"""
            <svg class="chart" viewBox="0 0 {Width} {Height}" role="img" aria-label="{label}">
            {ShareAxis(Upward)}{(Mirrored ? ShareAxis(Downward) : Markup.Empty)}
            {Bars.Select(DrawBar)}
            <line class="axis" x1="{Left}" x2="{Width - Right}" y1="{_baseline}" y2="{_baseline}"/>
            <line class="threshold" x1="{line}" x2="{line}" y1="{Top - 8}" y2="{bottom}"/>
            {SideLabel(line - 7, "end", "‹ called boilerplate", line - Left > 120)}
            {SideLabel(line + 7, "start", "called reasoning ›", Width - Right - line > 110)}
            {ticks.Zip(labels, (tick, text) => Markup.Of(
                $"""<line class="tick" x1="{_x.Place(tick)}" x2="{_x.Place(tick)}" y1="{bottom}" y2="{bottom + 4}"/><text class="tick-label" x="{_x.Place(tick)}" y="{bottom + 17}" text-anchor="middle">{text}</text>"""))}
            <text class="axis-label" x="{(Left + Width - Right) / 2}" y="{Height - 6}" text-anchor="middle">loss difference LD (nats)</text>
            <text class="axis-label" x="12" y="{(Top + bottom) / 2}" text-anchor="middle" transform="rotate(-90 12 {(Top + bottom) / 2})">{(Mirrored ? "share of the role’s tokens" : "share of response tokens")}</text>
            </svg>
            """);
    }

    private static Markup SideLabel(double x, string anchor, string text, bool fits) => fits
        ? Markup.Of($"""<text class="side-label" x="{x}" y="{Top - 14}" text-anchor="{anchor}">{text}</text>""")
        : Markup.Empty;

    private Markup ShareAxis(ChartScale scale) => Markup.Join(scale.Ticks(Mirrored ? 3 : 5).Where(static tick => tick > 0).Select(tick =>
        Markup.Of($"""<line class="grid" x1="{Left}" x2="{Width - Right}" y1="{scale.Place(tick)}" y2="{scale.Place(tick)}"/><text class="tick-label" x="{Left - 6}" y="{scale.Place(tick) + 4}" text-anchor="end">{Numbers.Percent(tick)}</text>""")));

    private Markup DrawBar(Bar bar)
    {
        string from = bar.IsFirst ? "below" : Numbers.Decimal(bar.Low, 2) + " to";
        string range = bar.IsLast ? $"{Numbers.Decimal(bar.Low, 2)} and above" : $"{from} {Numbers.Decimal(bar.High, 2)}";
        string role = bar.Series == "bp" ? "boilerplate" : "reasoning";
        string tip = Mirrored
            ? $"LD {range}\n{Numbers.Count(bar.Count)} {role} tokens\n{Numbers.Percent(bar.Share)} of all {role} tokens"
            : $"LD {range}\n{Numbers.Count(bar.Count)} tokens called {role}\n{Numbers.Percent(bar.Share)} of all response tokens";
        double gap = bar.BarWidth > 4 ? 0.5 : 0;
        return Markup.Of(
            $"""<rect class="bar {bar.Series}" x="{bar.X + gap}" y="{bar.Y}" width="{bar.BarWidth - 2 * gap}" height="{bar.BarHeight}" data-tip="{tip}"/>""");
    }

    /// <summary>The fine bins shown: [first, last), at least one on each side of the threshold.</summary>
    private static (int First, int Last) Range(Histogram[] drawn, long total, int thresholdEdge)
    {
        int bins = drawn[0].Counts.Count;
        double allowed = Outlying * total;
        int first = 0, last = bins;
        for (long beyond = drawn.Sum(static part => part.Below); first < thresholdEdge - 1; first++)
        {
            beyond += drawn.Sum(part => part.Counts[first]);
            if (beyond > allowed) break;
        }

        for (long beyond = drawn.Sum(static part => part.Above); last > thresholdEdge + 1; last--)
        {
            beyond += drawn.Sum(part => part.Counts[last - 1]);
            if (beyond > allowed) break;
        }

        // Neither side is so narrow that the reader cannot see it as one.
        int below = thresholdEdge - first, above = last - thresholdEdge;
        return (Math.Max(0, thresholdEdge - Math.Max(below, above / 3)), Math.Min(bins, thresholdEdge + Math.Max(above, below / 3)));
    }

    /// <summary>Counts by bar; what lies beyond the outermost bars is counted in them.</summary>
    private static long[] Join(Histogram part, int thresholdEdge, int joined, int barsBelow, int barsAbove)
    {
        var counts = new long[barsBelow + barsAbove];
        counts[0] += part.Below;
        counts[^1] += part.Above;
        for (int bin = 0; bin < part.Counts.Count; bin++)
        {
            int bar = barsBelow + (int)Math.Floor((bin - thresholdEdge) / (double)joined);
            counts[Math.Clamp(bar, 0, counts.Length - 1)] += part.Counts[bin];
        }

        return counts;
    }
}
