using Shad.Data.Reports.Page;

namespace Shad.Data.Reports.Charts;

/// <summary>Values over optimizer steps, one line a series, with an axis from 0 where the values come near it.</summary>
internal sealed class LineChart
{
    private const double Width = 540, Height = 250, Left = 58, Right = 14, Top = 14, Bottom = 42;

    /// <summary>Most points drawn of a line; longer ones are drawn by the means of as many equal stretches.</summary>
    internal const int MostPoints = 160;

    private readonly ChartScale _x, _y;
    private readonly string _yLabel;

    private LineChart(IReadOnlyList<Line> lines, ChartScale x, ChartScale y, string yLabel)
    {
        Lines = lines;
        _x = x;
        _y = y;
        _yLabel = yLabel;
    }

    /// <summary>What is drawn, with its coordinates.</summary>
    public IReadOnlyList<Line> Lines { get; }

    /// <summary>Values to draw.</summary>
    /// <param name="Name">Name in the legend; also chooses the colour.</param>
    /// <param name="Points">Step and value, ascending by step.</param>
    /// <param name="Marks">Single measurements drawn as circles, e.g. on held-out samples.</param>
    internal sealed record Series(string Name, IReadOnlyList<Point> Points, IReadOnlyList<Point> Marks);

    /// <summary>A value at a step.</summary>
    internal readonly record struct Point(double Step, double Value);

    /// <summary>A drawn series: its points with their SVG coordinates.</summary>
    internal sealed record Line(string Name, IReadOnlyList<Placed> Points, IReadOnlyList<Placed> Marks);

    /// <summary>A point with its SVG coordinates.</summary>
    internal readonly record struct Placed(Point Point, double X, double Y);

    /// <summary>Lays the chart out; null where no series has a finite value.</summary>
    public static LineChart? Create(IReadOnlyList<Series> series, string yLabel)
    {
        Series[] drawn = [.. series
            .Select(static one => one with
            {
                Points = Thin([.. one.Points.Where(static point => double.IsFinite(point.Value))]),
                Marks = Thin([.. one.Marks.Where(static point => double.IsFinite(point.Value))]),
            })
            .Where(static one => one.Points.Count + one.Marks.Count > 0)];
        if (drawn.Length == 0) return null;

        Point[] all = [.. drawn.SelectMany(static one => one.Points.Concat(one.Marks))];
        double low = all.Min(static point => point.Value), high = all.Max(static point => point.Value);
        if (low > 0 && low < 0.6 * high) low = 0;
        (low, high) = ChartScale.RoundRange(low, high, 5);
        var y = new ChartScale(low, high, Height - Bottom, Top);
        double firstStep = Math.Min(0, all.Min(static point => point.Step)), lastStep = all.Max(static point => point.Step);
        var x = new ChartScale(firstStep, Math.Max(lastStep, firstStep + 1), Left, Width - Right);
        Placed Place(Point point) => new(point, x.Place(point.Step), y.Place(point.Value));
        return new LineChart(
            [.. drawn.Select(one => new Line(one.Name, [.. one.Points.Select(Place)], [.. one.Marks.Select(Place)]))], x, y, yLabel);
    }

    /// <summary>Draws the chart.</summary>
    /// <param name="label">What it shows, for screen readers.</param>
    public Markup Draw(string label)
    {
        double bottom = Height - Bottom;
        IReadOnlyList<double> steps = [.. _x.Ticks(6).Where(static tick => tick == Math.Floor(tick))], values = _y.Ticks(5);
        IReadOnlyList<string> stepLabels = ChartScale.Labels(steps), valueLabels = ChartScale.Labels(values);
        return Markup.Of($"""
            <svg class="chart" viewBox="0 0 {Width} {Height}" role="img" aria-label="{label}">
            {values.Zip(valueLabels, (tick, text) => Markup.Of(
                $"""<line class="grid" x1="{Left}" x2="{Width - Right}" y1="{_y.Place(tick)}" y2="{_y.Place(tick)}"/><text class="tick-label" x="{Left - 7}" y="{_y.Place(tick) + 4}" text-anchor="end">{text}</text>"""))}
            <line class="axis" x1="{Left}" x2="{Width - Right}" y1="{bottom}" y2="{bottom}"/>
            {steps.Zip(stepLabels, (tick, text) => Markup.Of(
                $"""<line class="tick" x1="{_x.Place(tick)}" x2="{_x.Place(tick)}" y1="{bottom}" y2="{bottom + 4}"/><text class="tick-label" x="{_x.Place(tick)}" y="{bottom + 17}" text-anchor="middle">{text}</text>"""))}
            {Lines.OrderBy(static line => SeriesColour.IsDashed(line.Name)).Select(DrawLine)}
            {Lines.Select(DrawPoints)}
            <text class="axis-label" x="{(Left + Width - Right) / 2}" y="{Height - 5}" text-anchor="middle">optimizer step</text>
            <text class="axis-label" x="12" y="{(Top + bottom) / 2}" text-anchor="middle" transform="rotate(-90 12 {(Top + bottom) / 2})">{_yLabel}</text>
            </svg>
            """);
    }

    /// <summary>At most <see cref="MostPoints"/> points: each the mean of an equal stretch, the last one kept as it is.</summary>
    internal static IReadOnlyList<Point> Thin(IReadOnlyList<Point> points)
    {
        if (points.Count <= MostPoints) return points;
        var thinned = new Point[MostPoints];
        int body = points.Count - 1;
        for (int i = 0; i < MostPoints - 1; i++)
        {
            int start = (int)((long)body * i / (MostPoints - 1)), end = (int)((long)body * (i + 1) / (MostPoints - 1));
            double step = 0, value = 0;
            for (int k = start; k < end; k++)
            {
                step += points[k].Step;
                value += points[k].Value;
            }

            thinned[i] = new Point(step / (end - start), value / (end - start));
        }

        thinned[^1] = points[^1];
        return thinned;
    }

    private static Markup DrawLine(Line line)
    {
        if (line.Points.Count == 0) return Markup.Empty;
        Markup path = Markup.Join(line.Points.Select((placed, i) => Markup.Of($"{(i == 0 ? "M" : "L")}{placed.X} {placed.Y}")));
        return Markup.Of($"""<path class="line {SeriesColour.ClassOf(line.Name)}" d="{path}"/>""");
    }

    private Markup DrawPoints(Line line) => Markup.Of($"{line.Points.Select(placed => Dot(line.Name, placed, "dot", ""))}{line.Marks.Select(placed => Dot(line.Name, placed, "mark", ", held-out samples"))}");

    private Markup Dot(string name, Placed placed, string kind, string note) => Markup.Of(
        $"""<circle class="{kind} {SeriesColour.ClassOf(name)}" cx="{placed.X}" cy="{placed.Y}" r="{(kind == "mark" ? 4.0 : 5.0)}" data-tip="{name}{note}{"\n"}step {Numbers.Count((long)placed.Point.Step)}: {Value(placed.Point.Value)}"/>""");

    private string Value(double value) => _y.High < 0.01
        ? value.ToString("0.00e0", System.Globalization.CultureInfo.InvariantCulture)
        : Numbers.Decimal(value, 3);
}
