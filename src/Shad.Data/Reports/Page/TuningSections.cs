using Shad.Core.Tuning;
using Shad.Data.Reports.Charts;

namespace Shad.Data.Reports.Page;

/// <summary>What tuning did: the training curves, and the losses before and after by role.</summary>
internal static class TuningSections
{
    public static Section? CreateLosses(ReportModel model)
    {
        if (model.Losses.Count == 0) return null;
        bool byRole = model.Losses.Any(static losses => losses.Reasoning is not null || losses.Boilerplate is not null);
        string[] groups = byRole ? ["all", "boilerplate", "reasoning"] : ["all"];
        GroupedBarChart? chart = GroupedBarChart.Create(
            groups,
            [.. model.Losses.Select(losses =>
                (losses.Model, (IReadOnlyList<double?>)(byRole ? [losses.All, losses.Boilerplate, losses.Reasoning] : [losses.All])))],
            "loss (nats per token)");
        ModelLosses first = model.Losses[0];
        string roles = model.LossRoles is { } basis ? $" Split by {basis}." : "";
        return new Section(
            "losses", "Before and after tuning",
            Markup.Of($"Mean loss on samples that no tuning has seen; lower is better. A good training lowers the <span class=\"rs-ink\">reasoning</span> bars, not only the boilerplate bars that any training lowers."),
            Markup.Of($"""
                <article class="card wide">
                <div>{Legend("block", model.Losses.Select(static losses => (losses.Model, "")))}
                {chart?.Draw("Losses by role and model") ?? Markup.Empty}</div>
                <div class="table-frame"><table>
                <thead><tr><th scope="col">Model</th>{groups.Select(static group => Markup.Of($"""<th scope="col" class="number">{group}</th>"""))}</tr></thead>
                <tbody>{model.Losses.Select(losses => Markup.Of($"""<tr><th scope="row">{Title(losses.Model)}</th>{Cell(losses.All, first.All, losses == first)}{(byRole ? Markup.Of($"{Cell(losses.Boilerplate, first.Boilerplate, losses == first)}{Cell(losses.Reasoning, first.Reasoning, losses == first)}") : Markup.Empty)}</tr>"""))}</tbody>
                </table></div>
                </article>
                <p class="note">Nats per token, over {Numbers.Count(first.Tokens)} held-out response tokens; in brackets the change from the {Title(first.Model)}. A loss of 0.69 nats means that the model gave the right token one chance in two on (geometric) average, 2.30 one in ten.{roles}</p>
                """)) { Short = "Before & after" };
    }

    public static Section? CreateCurves(ReportModel model)
    {
        TrainingCurve[] probes = [.. model.Curves.Where(static curve => curve.Name is "probe" or "control")];
        TrainingCurve[] tunes = [.. model.Curves.Except(probes)];
        Markup[] cards =
        [
            .. Card("Probe and control", "On shuffled and on aligned samples.", probes, static progress => progress.Loss, static held => held.Loss),
            .. Card("Fine-tuning: all response tokens", "Objectives differ between SFT and RFT; compare the roles below.", tunes, static progress => progress.Loss, static held => held.Loss),
            .. Card("Fine-tuning: reasoning tokens", "What is specific to a sample.", tunes, static progress => progress.ReasoningLoss, static held => held.ReasoningLoss),
            .. Card("Fine-tuning: boilerplate tokens", "What repeats from sample to sample.", tunes, static progress => progress.BoilerplateLoss, static held => held.BoilerplateLoss),
            .. Card("Weight of reasoning in RFT", "ω of the reasoning tokens; boilerplate gets the rest.", tunes, static progress => progress.ReasoningWeight, static _ => null, "weight"),
            .. Card("Gradient norm of fine-tuning", "L2 norm before clipping; spikes mean unsteady steps.", tunes, static progress => progress.GradientNorm > 0 ? progress.GradientNorm : null, static _ => null, "gradient norm"),
            .. Card("Learning rate of the probes", "Warm-up, then decay.", probes, static progress => progress.LearningRate, static _ => null, "learning rate"),
            .. Card("Learning rate of fine-tuning", "Warm-up, then decay.", tunes, static progress => progress.LearningRate, static _ => null, "learning rate"),
        ];
        if (cards.Length == 0) return null;
        return new Section(
            "training", "Training curves",
            Markup.Of($"Loss over the optimizer steps; circles are measurements on held-out samples. A healthy curve falls and flattens. The probe should stay above the control: it could not learn what depends on the prompt."),
            Markup.Of($"""<div class="cards">{cards}</div>""")) { Short = "Training" };
    }

    /// <summary>A chart of one quantity over all curves that have it; nothing where none has.</summary>
    private static IEnumerable<Markup> Card(
        string title, string note, IReadOnlyList<TrainingCurve> curves, Func<TuneProgress, double?> trained,
        Func<HeldOutMeasured, double?> heldOut, string axis = "loss (nats per token)")
    {
        LineChart.Series[] series = [.. curves.Select(curve => new LineChart.Series(
            curve.Name,
            [.. curve.Progress.Select(progress => (progress.Step, Value: trained(progress))).Where(static point => point.Value is not null)
                .Select(static point => new LineChart.Point(point.Step, point.Value!.Value))],
            [.. curve.HeldOut.Select(held => (held.Step, Value: heldOut(held))).Where(static point => point.Value is not null)
                .Select(static point => new LineChart.Point(point.Step, point.Value!.Value))]))];
        if (LineChart.Create(series, axis) is not { } chart) yield break;
        bool loss = axis.StartsWith("loss", StringComparison.Ordinal);
        yield return Markup.Of($"""
            <article class="card">
            <h3>{title}</h3>
            <p class="formula">{note}</p>
            {Legend("stroke", chart.Lines.Select(line => (line.Name, loss && line.Points.Count > 1 ? $"{Numbers.Decimal(line.Points[0].Point.Value, 2)} → {Numbers.Decimal(line.Points[^1].Point.Value, 2)}" : "")))}
            {chart.Draw($"{title}: {axis} by optimizer step")}
            </article>
            """);
    }

    private static Markup Legend(string kind, IEnumerable<(string Name, string Note)> entries) => Markup.Of(
        $"""<div class="legend">{entries.Select(entry => Markup.Of($"""<span><i class="{kind} {SeriesColour.ClassOf(entry.Name)}"></i>{Title(entry.Name)}{(entry.Note.Length > 0 ? Markup.Of($""" <small>{entry.Note}</small>""") : Markup.Empty)}</span>"""))}</div>""");

    private static Markup Cell(double? value, double? before, bool isFirst)
    {
        Markup change = !isFirst && value is { } now && before is { } then && double.IsFinite(now - then)
            ? Markup.Of($""" <small>({Numbers.Signed(now - then, 2)})</small>""")
            : Markup.Empty;
        return Markup.Of($"""<td class="number">{Numbers.Decimal(value, 3)}{change}</td>""");
    }

    private static string Title(string name) => name switch
    {
        "sft" => "SFT",
        "rft" => "RFT",
        "base" => "base model",
        _ => name,
    };
}
