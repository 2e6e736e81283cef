using System.CommandLine;
using System.Text.Json.Nodes;
using Shad.Cli.Annotation;
using Shad.Cli.Recipes;
using Shad.Cli.Stages;
using Shad.Cli.Terminal;
using Shad.Core.Classification;
using Shad.Data.Annotations;

namespace Shad.Cli.Commands;

/// <summary><c>shad annotate</c>: from losses to roles and weights.</summary>
internal static class AnnotateCommand
{
    public static Command Create(CommandTerminal terminal)
    {
        var defaults = new RuleRecipe();
        var scored = new Option<string>("--scored", "-s")
        {
            Description = "File that 'shad score' wrote, with the losses of a probe.", HelpName = "FILE", Required = true,
        };
        Option<string> output = CommonOptions.Output("Annotations to write, as .parquet or .jsonl.", "FILE");
        var rule = new Option<string>("--rule")
        {
            Description = "control: probe less aligned control, against a margin. paper: probe less base, against 0.",
            HelpName = "RULE",
            DefaultValueFactory = _ => "control",
        };
        rule.AcceptOnlyFromAmong("control", "paper");
        Option<double?> margin = BoundedOption.Of(
            "--margin", $"Loss difference in nats up to which the control rule says boilerplate. Default: {defaults.Margin}.", 0.0, 100);
        Option<double?> falseShare = BoundedOption.Of(
            "--false-share",
            "Find the least margin for which at most this share of the reasoning tokens is boilerplate, as estimated from loss differences below zero: 0.05.",
            MarginEstimate.LeastFalseShare, MarginEstimate.MostFalseShare);
        Option<double?> surprise = ParsedOption.Of(
            "--surprise",
            $"Loss of the probe in nats above which the control rule says reasoning, whatever the difference; off leaves it to the difference. Default: {defaults.Surprise}.",
            "NATS", SurpriseNotation.Parse, SurpriseNotation.Expected);
        var unit = new Option<string>("--unit")
        {
            Description = "What the control rule decides on: a word by the largest loss difference among its tokens, or each token by its own.",
            HelpName = "UNIT",
            DefaultValueFactory = _ => "word",
        };
        unit.AcceptOnlyFromAmong("word", "token");
        Option<double?> temperature = BoundedOption.Of(
            "--temperature", "τ of the column weight, in nats: softmax of the role groups' mean losses over it. Default: 1.", 0.0, 1000,
            minimumExcluded: true);
        var command = new Command(
            "annotate",
            """
            Find the role of every response token in a scored file: boilerplate (0) or reasoning (1), with the loss difference that
            decides it and a weight for trainers. Where the corpus knows its roles, or its responses are JSON, both rules are
            compared with them.
            """)
        {
            scored, output, rule, margin, falseShare, surprise, unit, temperature,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(falseShare) is not { Implicit: false }) return;
            if (result.GetResult(margin) is { Implicit: false }) result.AddError("--false-share finds the margin. Leave out --margin or --false-share.");
            if (result.GetValue(rule) == "paper") result.AddError("--false-share is of the control rule. Leave it out, or --rule paper.");
        });
        command.SetWork(terminal, async (parse, cancellationToken) =>
        {
            string input = Path.GetFullPath(parse.GetRequiredValue(scored));
            string file = Path.GetFullPath(parse.GetRequiredValue(output));
            InputCheck.Files([input]);
            if (input == file) throw CommandErrors.OutputIsInput(file);
            var recipe = new RuleRecipe
            {
                Kind = parse.GetRequiredValue(rule) == "paper" ? RuleKind.Paper : RuleKind.Control,
                Margin = parse.GetValue(margin) ?? defaults.Margin,
                FalseShare = parse.GetValue(falseShare),
                Surprise = parse.GetValue(surprise) ?? defaults.Surprise,
                Unit = parse.GetRequiredValue(unit) == "token" ? EvidenceUnit.Token : EvidenceUnit.Word,
            };
            AnnotationReader reader = AnnotationReader.Open(input);
            using AnnotationWriter writer = AnnotationWriter.Create(file, AnnotationColumns.All);
            AnnotationSummary summary = await terminal.ShowAsync(observe => StageRun.ShowAsync(
                "annotate", "Find the roles", observe, context => new CorpusAnnotator(recipe, parse.GetValue(temperature) ?? 1, input)
                    .AnnotateAsync(
                        () => reader.ReadAsync(cancellationToken), writer.Write,
                        done => context.Progress(done, null, "samples"), cancellationToken))).ConfigureAwait(false);
            writer.Complete();
            return new CommandResult(
                new JsonObject
                {
                    ["out"] = file,
                    ["rule"] = summary.Rule,
                    ["samples"] = summary.Samples,
                    ["response_tokens"] = summary.ResponseTokens,
                    ["boilerplate_share"] = summary.InUse.BoilerplateShare,
                    ["weights"] = new JsonObject { ["boilerplate"] = summary.BoilerplateWeight, ["reasoning"] = summary.ReasoningWeight },
                    ["rules"] = RunResult.RulesJson(summary),
                },
                console =>
                {
                    RunResult.DrawRules(console, summary);
                    Lines.Write(console, $"Annotations: {file}");
                });
        });
        return command;
    }
}
