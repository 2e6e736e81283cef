using System.Globalization;
using System.Text.Json.Nodes;
using Shad.Cli.Annotation;
using Shad.Cli.Recipes;
using Shad.Cli.Runs;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Core.Classification;
using Shad.Core.Evaluation;
using Shad.Data.Reports;
using Spectre.Console;

namespace Shad.Cli.Commands;

/// <summary>What a whole run has found, for people and programs.</summary>
internal static class RunResult
{
    /// <summary>The result of a run whose stages are all done.</summary>
    public static CommandResult Of(RunFolder run, Recipe recipe, IReadOnlyList<Stage> stages)
    {
        AnnotationSummary annotation = run.RequireRecord(StageNames.Annotate).ResultAs<AnnotateResult>().Annotation;
        EvalResult eval = run.RequireRecord(StageNames.Eval).ResultAs<EvalResult>();
        double seconds = stages.Sum(stage => run.RequireRecord(stage.Name).Seconds);
        var json = new JsonObject
        {
            ["name"] = recipe.Name,
            ["samples"] = annotation.Samples,
            ["response_tokens"] = annotation.ResponseTokens,
            ["rule"] = annotation.Rule,
            ["boilerplate_share"] = annotation.InUse.BoilerplateShare,
            ["rules"] = RulesJson(annotation),
            ["losses"] = LossesJson(eval.Losses),
            ["loss_roles"] = eval.Roles,
            ["models"] = new JsonObject(recipe.Tune.Arms.Select(
                arm => KeyValuePair.Create(StageNames.NameOf(arm), (JsonNode?)ExportStage.ModelOf(run, arm)))),
            ["stages"] = new JsonObject(stages.Select(
                stage => KeyValuePair.Create(stage.Name, (JsonNode?)Math.Round(run.RequireRecord(stage.Name).Seconds, 3)))),
            ["seconds"] = Math.Round(seconds, 3),
            ["annotations"] = Path.Combine(run.StageFolder(StageNames.Annotate), AnnotateStage.AnnotationsFile),
            ["report"] = run.Report,
        };
        return new CommandResult(json, console =>
        {
            DrawRules(console, annotation);
            if (eval.Losses.Count > 0)
                DrawLosses(console, eval.Losses, "held-out", eval.Roles == "known" ? "known roles" : "roles by the rule in use");
            Lines.Write(console, $"Report: {run.Report}");
        });
    }

    /// <summary>Both rules side by side.</summary>
    public static void DrawRules(IAnsiConsole console, AnnotationSummary annotation)
    {
        string against = annotation.InUse switch
        {
            { Known: not null } => "against the known roles",
            { Structural: not null } => "against roles derived from the JSON structure of the responses",
            _ => "the roles are not known",
        };
        Lines.Write(console, $"Roles of {annotation.ResponseTokens:N0} response tokens, {against}:");
        Table table = new Table().Border(TableBorder.Rounded);
        foreach (string column in (string[])["Rule", "Boilerplate", "AUC", "Precision", "Recall", "F1"])
            table.AddColumn(new TableColumn(column) { Alignment = column == "Rule" ? Justify.Left : Justify.Right });
        foreach (RuleSummary rule in annotation.Rules)
        {
            RoleAgreement? agreement = rule.Agreement;
            string name = rule.Rule == "control"
                ? string.Create(CultureInfo.InvariantCulture, $"probe − aligned control > {rule.Margin:0.##}{(rule.Surprise is { } surprise ? $", or probe > {surprise:0.##}" : "")}") : "probe − base > 0 (paper)";
            table.AddRow(
                rule.Rule == annotation.Rule ? $"[bold]{name}[/] (in use)" : name,
                Percent(rule.BoilerplateShare), Number(agreement?.Auc), Number(agreement?.Precision), Number(agreement?.Recall),
                Number(agreement?.F1));
        }

        console.Write(table);
    }

    /// <summary>Losses of models by role.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="losses">The losses.</param>
    /// <param name="what">Which tokens: <c>held-out</c>, or empty.</param>
    /// <param name="roles">Where the roles come from.</param>
    public static void DrawLosses(IAnsiConsole console, IReadOnlyList<ModelLosses> losses, string what, string roles)
    {
        bool byRole = losses.Any(model => model.Boilerplate is not null || model.Reasoning is not null);
        string tokens = what.Length == 0 ? "response tokens" : $"{what} response tokens";
        Lines.Write(console, $"Mean loss on {losses[0].Tokens:N0} {tokens}, in nats{(byRole ? $", by {roles}" : "")}:");
        Table table = new Table().Border(TableBorder.Rounded);
        table.AddColumn("Model");
        foreach (string column in byRole ? (string[])["Boilerplate", "Reasoning", "All"] : ["All"])
            table.AddColumn(new TableColumn(column) { Alignment = Justify.Right });
        foreach (ModelLosses model in losses)
        {
            string[] numbers = byRole ? [Number(model.Boilerplate), Number(model.Reasoning), Number(model.All)] : [Number(model.All)];
            table.AddRow([Markup.Escape(model.Model), .. numbers]);
        }

        console.Write(table);
    }

    /// <summary>The rules by name.</summary>
    public static JsonObject RulesJson(AnnotationSummary annotation) => new(annotation.Rules.Select(rule =>
    {
        RoleAgreement? agreement = rule.Agreement;
        return KeyValuePair.Create(rule.Rule, (JsonNode?)new JsonObject
        {
            ["margin"] = rule.Margin,
            ["surprise"] = rule.Surprise,
            ["unit"] = rule.Unit == EvidenceUnit.Word ? "word" : "token",
            ["boilerplate_share"] = rule.BoilerplateShare,
            ["against"] = rule.Known is not null ? "known" : rule.Structural is not null ? "structural" : null,
            ["tokens"] = agreement?.Tokens,
            ["auc"] = agreement?.Auc,
            ["precision"] = agreement?.Precision,
            ["recall"] = agreement?.Recall,
            ["f1"] = agreement?.F1,
        });
    }));

    /// <summary>Losses by model and role.</summary>
    public static JsonObject LossesJson(IReadOnlyList<ModelLosses> losses) => new(losses.Select(model =>
        KeyValuePair.Create(model.Model, (JsonNode?)new JsonObject
        {
            ["boilerplate"] = model.Boilerplate,
            ["reasoning"] = model.Reasoning,
            ["all"] = double.IsNaN(model.All) ? null : model.All,
            ["tokens"] = model.Tokens,
        })));

    /// <summary>Three decimals, or a dash.</summary>
    public static string Number(double? value) =>
        value is { } number && double.IsFinite(number) ? number.ToString("0.000", CultureInfo.InvariantCulture) : "–";

    /// <summary>A share in per cent, or a dash.</summary>
    public static string Percent(double? value) =>
        value is { } number ? string.Create(CultureInfo.InvariantCulture, $"{100 * number:0.0} %") : "–";
}
