using Shad.Data.Reports.Page;

namespace Shad.Data.Reports.Charts;

/// <summary>Values by group and series as bars from 0, each labelled with its value.</summary>
internal sealed class GroupedBarChart
{
    private const double Width = 560, Height = 270, Left = 52, Right = 12, Top = 22, Bottom = 34;

    /// <summary>The part of a group's width left empty between groups.</summary>
    private const double GroupGap = 0.28;

    private readonly IReadOnlyList<string> _groups;
    private readonly ChartScale _y;
    private readonly string _yLabel;

    private GroupedBarChart(IReadOnlyList<string> groups, IReadOnlyList<Bar> bars, ChartScale y, string yLabel)
    {
        _groups = groups;
        Bars = bars;
        _y = y;
        _yLabel = yLabel;
    }

    /// <summary>The bars drawn.</summary>
    public IReadOnlyList<Bar> Bars { get; }

    /// <summary>A bar in SVG coordinates and what it stands for.</summary>
    internal sealed record Bar(string Group, string Series, double Value, double X, double Y, double BarWidth, double BarHeight);

    /// <summary>Lays the chart out; null where there is no finite value.</summary>
    /// <param name="groups">Names of the groups, from left to right.</param>
    /// <param name="series">Name and value by group, null where there is none.</param>
    /// <param name="yLabel">Label of the value axis.</param>
    public static GroupedBarChart? Create(
        IReadOnlyList<string> groups, IReadOnlyList<(string Name, IReadOnlyList<double?> Values)> series, string yLabel)
    {
        double[] values = [.. series.SelectMany(static one => one.Values).OfType<double>().Where(double.IsFinite)];
        if (values.Length == 0) return null;
        double high = Math.Max(0, values.Max());
        (_, high) = ChartScale.RoundRange(0, high > 0 ? high : 1, 4);
        var y = new ChartScale(0, high, Height - Bottom, Top);
        double groupWidth = (Width - Left - Right) / groups.Count, barWidth = groupWidth * (1 - GroupGap) / series.Count;
        var bars = new List<Bar>();
        for (int group = 0; group < groups.Count; group++)
        {
            for (int one = 0; one < series.Count; one++)
            {
                if (series[one].Values[group] is not { } value || !double.IsFinite(value)) continue;
                double left = Left + groupWidth * (group + GroupGap / 2) + barWidth * one;
                bars.Add(new Bar(groups[group], series[one].Name, value, left, y.Place(value), barWidth, Height - Bottom - y.Place(value)));
            }
        }

        return new GroupedBarChart(groups, bars, y, yLabel);
    }

    /// <summary>Draws the chart.</summary>
    /// <param name="label">What it shows, for screen readers.</param>
    public Markup Draw(string label)
    {
        double bottom = Height - Bottom, groupWidth = (Width - Left - Right) / _groups.Count;
        IReadOnlyList<double> ticks = _y.Ticks(4);
        return Markup.Of($"""
            <svg class="chart" viewBox="0 0 {Width} {Height}" role="img" aria-label="{label}">
            {ticks.Zip(ChartScale.Labels(ticks), (tick, text) => Markup.Of(
                $"""<line class="grid" x1="{Left}" x2="{Width - Right}" y1="{_y.Place(tick)}" y2="{_y.Place(tick)}"/><text class="tick-label" x="{Left - 7}" y="{_y.Place(tick) + 4}" text-anchor="end">{text}</text>"""))}
            {Bars.Select(static bar => Markup.Of(
                $"""<rect class="bar {SeriesColour.ClassOf(bar.Series)}" x="{bar.X + 2}" y="{bar.Y}" width="{bar.BarWidth - 4}" height="{bar.BarHeight}" rx="2" data-tip="{bar.Series}, {bar.Group}{"\n"}{Numbers.Decimal(bar.Value, 3)} nats per token"/><text class="bar-label" x="{bar.X + bar.BarWidth / 2}" y="{bar.Y - 6}" text-anchor="middle">{Numbers.Decimal(bar.Value, 2)}</text>"""))}
            <line class="axis" x1="{Left}" x2="{Width - Right}" y1="{bottom}" y2="{bottom}"/>
            {_groups.Select((group, i) => Markup.Of(
                $"""<text class="group-label" x="{Left + groupWidth * (i + 0.5)}" y="{bottom + 21}" text-anchor="middle">{group}</text>"""))}
            <text class="axis-label" x="12" y="{(Top + bottom) / 2}" text-anchor="middle" transform="rotate(-90 12 {(Top + bottom) / 2})">{_yLabel}</text>
            </svg>
            """);
    }
}
