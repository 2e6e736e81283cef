using System.Globalization;
using System.Security;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Core.Evaluation;

namespace ExperimentRft;

/// <summary>Tables and a plot of the results: mean ± standard error over seeds, and paired differences from the first arm.</summary>
internal sealed class Report(Settings settings, ResultFile results)
{
    /// <summary>Writes <c>experiment-rft.md</c>, <c>.svg</c> and <c>.json</c>.</summary>
    public void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "experiment-rft");
        File.WriteAllText(path + ".md", Tables());
        File.WriteAllText(path + ".svg", Plot());
        var json = new JsonObject
        {
            ["settings"] = JsonSerializer.SerializeToNode(settings, ResultFile.Json),
            ["results"] = new JsonArray([.. results.Results.Select(static line => JsonSerializer.SerializeToNode(line, ResultFile.Json))]),
            ["roles"] = new JsonArray([.. results.Roles.Select(static line => JsonSerializer.SerializeToNode(line, ResultFile.Json))]),
        };
        File.WriteAllText(path + ".json", json.ToJsonString() + "\n");
    }

    private string Baseline => settings.Arms[0].Name;

    private IEnumerable<(Split Split, int Size, int Steps)> Panels() =>
        from split in settings.Splits from size in split.Sizes from steps in settings.StepsOf(split) select (split, size, steps);

    private string Tables()
    {
        var text = new StringBuilder();
        text.Append("# Results of scripts/experiment-rft\n\n");
        text.Append(CultureInfo.InvariantCulture, $"Percent, mean ± standard error over seeds; difference from {Baseline} of the same seed with its 95 % interval (Student's t), in points. ");
        text.Append("Call: whole calls generated right. In format: the same where the first token of the response, and with it its format, is given. Reworded: the same with prompts in other words. Certain: test samples of whose call every specific token has p > ½, given the corpus's own response so far. ");
        text.Append("Losses: nats a token of the test format, by the known roles.\n");
        foreach (var (split, size, steps) in Panels())
        {
            var lines = LinesOf(split, size, steps);
            if (lines.Count == 0) continue;
            text.Append(CultureInfo.InvariantCulture, $"\n## {split.Title ?? split.Name}: {size} training samples, {steps} steps\n\n");
            bool inFormat = lines.Exists(static line => line.CallInFormat is not null);
            text.Append("| arm | seeds | call | difference | ").Append(inFormat ? "in format | difference | " : "");
            text.Append("reworded | difference | certain | difference | reasoning loss | boilerplate loss |\n").Append(inFormat ? "|---|---" : "").Append("|---|---|---|---|---|---|---|---|---|---|\n");
            foreach (var arm in settings.ArmsOf(split))
            {
                var of = lines.Where(line => line.Key.Arm == arm.Name).ToList();
                if (of.Count == 0) continue;
                string Both(Func<ResultLine, double?> measure) =>
                    $"{Percent(SampleMean.Of(of.Select(measure).OfType<double>()))} | {Difference(Paired(lines, arm.Name, measure), arm.Name)} | ";
                text.Append(CultureInfo.InvariantCulture, $"| {arm.Name} | {of.Count} | {Both(static line => line.Call)}{(inFormat ? Both(static line => line.CallInFormat) : "")}{Both(static line => line.RewordedCall)}{Both(static line => line.CertainCall)}");
                text.Append(CultureInfo.InvariantCulture, $"{of.Average(static line => line.ReasoningLoss):0.000} | {of.Average(static line => line.BoilerplateLoss):0.000} |\n");
            }
        }

        text.Append("\n## Roles\n\nOf the response tokens of the training sets, all splits, sizes and seeds: precision and recall of \"reasoning\" against the known roles, and its share.\n\n");
        text.Append("| arm | precision | recall | share |\n|---|---|---|---|\n");
        foreach (var arm in results.Roles.Where(line => settings.Arms.Any(arm => arm.Name == line.Arm)).GroupBy(static line => line.Arm))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {arm.Key} | {Percent(SampleMean.Of(arm.Select(static line => line.Precision)))} | {Percent(SampleMean.Of(arm.Select(static line => line.Recall)))} | {Percent(SampleMean.Of(arm.Select(static line => line.Share)))} |\n");
        }

        return text.ToString();
    }

    private List<ResultLine> LinesOf(Split split, int size, int steps) =>
        [.. results.Results.Where(line => line.Key.Split == split.Name && line.Key.Size == size && line.Key.Steps == steps && settings.SeedsOf(split).Contains(line.Key.Seed))];

    /// <summary>The differences of an arm from the first one, seed by seed.</summary>
    private SampleMean Paired(List<ResultLine> lines, string arm, Func<ResultLine, double?> measure) => SampleMean.Of((
        from line in lines
        where line.Key.Arm == arm
        join other in lines.Where(line => line.Key.Arm == Baseline) on line.Key.Seed equals other.Key.Seed
        select measure(line) - measure(other)).OfType<double>());

    private string Difference(SampleMean difference, string arm) => arm == Baseline || difference.Count == 0 ? "–"
        : difference.Count == 1 ? Signed(difference.Mean)
        : string.Create(CultureInfo.InvariantCulture, $"{Signed(difference.Mean)} [{100 * (difference.Mean - difference.HalfWidth95):0.0}, {100 * (difference.Mean + difference.HalfWidth95):0.0}]");

    // Rounded before it is written: a format with two sections writes −0.02 as "-+0.0".
    private static string Signed(double share) => (Math.Round(100 * share, 1) + 0.0).ToString("+0.0;-0.0;0.0", CultureInfo.InvariantCulture);

    private static string Percent(SampleMean mean) => mean.Count == 0 ? "–" : double.IsNaN(mean.StandardError)
        ? string.Create(CultureInfo.InvariantCulture, $"{100 * mean.Mean:0.0}")
        : string.Create(CultureInfo.InvariantCulture, $"{100 * mean.Mean:0.0} ± {100 * mean.StandardError:0.0}");

    /// <summary>Paired differences of the calls that are right, an arm a row, a panel a training set and number of steps.</summary>
    private string Plot()
    {
        var panels = Panels().Select(panel => (panel, Lines: LinesOf(panel.Split, panel.Size, panel.Steps))).Where(static panel => panel.Lines.Count > 0).ToList();
        string[] arms = [.. settings.Arms.Skip(1).Select(static arm => arm.Name)];
        const int row = 22, top = 56, width = 190, gap = 34, perLine = 4, letter = 7;
        int left = 16 + letter * arms.Max(static arm => arm.Length);
        int height = top + row * arms.Length + 44;
        var differences = panels.Select(panel => arms.Select(arm => settings.ArmsOf(panel.panel.Split).Any(of => of.Name == arm) ? Paired(panel.Lines, arm, static line => line.Call) : default).ToArray()).ToList();

        // Two seeds make an interval that leaves no room for the others, and so does an arm that fails: intervals are cut at the edge, and
        // a mean beyond it is an arrow there with its number.
        double furthest = differences.SelectMany(static of => of).Where(static difference => difference.Count > 2 && Math.Abs(difference.Mean) < 0.15)
            .Select(static difference => Math.Abs(difference.Mean) + difference.HalfWidth95).DefaultIfEmpty().Max();
        double reach = Math.Clamp(Math.Ceiling(20 * furthest) / 20, 0.05, 1);
        var svg = new StringBuilder();
        int lines = (panels.Count + perLine - 1) / perLine;
        int columns = Math.Min(perLine, Math.Max(1, panels.Count));
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {left + columns * (width + gap)} {Math.Max(1, lines) * height}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#777\" stroke-width=\"1.5\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<title>Whole calls generated right: difference from {SecurityElement.Escape(Baseline)} in points, mean and 95 % interval</title>\n");
        for (int p = 0; p < panels.Count; p++)
        {
            var (split, size, steps) = panels[p].panel;
            double x0 = left + p % perLine * (width + gap), y0 = p / perLine * height;
            double X(double difference) => x0 + width / 2.0 + Math.Clamp(difference / reach, -1, 1) * width / 2;
            double bottom = y0 + top + row * arms.Length;
            Text(x0 + width / 2.0, y0 + 22, "middle", split.Title ?? split.Name, bold: true);
            Text(x0 + width / 2.0, y0 + 40, "middle", $"{size} samples, {steps} steps", bold: false);
            foreach (double tick in (double[])[-reach, -reach / 2, 0, reach / 2, reach])
            {
                svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{X(tick):0.0}\" x2=\"{X(tick):0.0}\" y1=\"{y0 + top - 6:0.0}\" y2=\"{bottom:0.0}\" stroke=\"#999\" stroke-opacity=\"{(tick == 0 ? 0.9 : 0.25)}\"/>\n");
                Text(X(tick), bottom + 16, "middle", (100 * tick).ToString("+0.#;-0.#;0", CultureInfo.InvariantCulture), bold: false);
            }

            for (int a = 0; a < arms.Length; a++)
            {
                double y = y0 + top + row * (a + 0.5);
                if (p % perLine == 0) Text(left - 12, y + 4, "end", arms[a], bold: false);
                var difference = differences[p][a];
                if (difference.Count == 0) continue;
                string colour = difference.Mean >= 0 ? "#2a7fb8" : "#c8553d";
                if (Math.Abs(difference.Mean) > reach)
                {
                    double edge = X(difference.Mean), inwards = 8 * -Math.Sign(difference.Mean);
                    svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{edge:0.0} {y:0.0}l{inwards:0} -4v8z\" fill=\"{colour}\"/>\n");
                    Text(edge + 1.5 * inwards, y + 4, inwards > 0 ? "start" : "end", Signed(difference.Mean), bold: false);
                    continue;
                }

                if (difference.Count > 1)
                    svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{X(difference.Mean - difference.HalfWidth95):0.0}\" x2=\"{X(difference.Mean + difference.HalfWidth95):0.0}\" y1=\"{y:0.0}\" y2=\"{y:0.0}\" stroke=\"{colour}\"/>\n");
                svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(difference.Mean):0.0}\" cy=\"{y:0.0}\" r=\"4\" fill=\"{colour}\"/>\n");
            }
        }

        svg.Append("</svg>\n");
        return svg.ToString();

        void Text(double x, double y, string anchor, string text, bool bold) => svg.Append(
            CultureInfo.InvariantCulture,
            $"<text x=\"{x:0.0}\" y=\"{y:0.0}\" text-anchor=\"{anchor}\"{(bold ? " font-weight=\"bold\"" : "")}>{SecurityElement.Escape(text)}</text>\n");
    }
}
