using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Shad.Cli.Commands;
using Shad.Cli.Runs;
using Shad.Core.Evaluation;
using Spectre.Console;

namespace Shad.Cli.Generation;

/// <summary>What models have answered, for people and programs.</summary>
internal static class GenerationResult
{
    /// <summary>By model, the measures by name: mean, standard error, number of responses.</summary>
    public static JsonObject SummaryJson(IReadOnlyList<GeneratedResponses> models) =>
        new(models.Select(static model => KeyValuePair.Create(model.Model, (JsonNode?)Summary(model))));

    /// <summary>Writes every response of every model to a file, which appears when it is whole.</summary>
    /// <exception cref="Shad.Core.Errors.ShadException">It cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<GeneratedResponses> models)
    {
        var json = new JsonObject
        {
            ["models"] = new JsonArray([.. models.Select(static model =>
            {
                JsonObject entry = Summary(model);
                entry.Insert(0, "model", model.Model);
                entry["responses"] = JsonSerializer.SerializeToNode(model.Responses, RunJson.Line);
                return (JsonNode)entry;
            })]),
        };
        AtomicText.Write(path, json.ToJsonString(RunJson.Indented) + "\n");
    }

    /// <summary>The models side by side, in percent.</summary>
    public static void Draw(IAnsiConsole console, IReadOnlyList<GeneratedResponses> models)
    {
        IReadOnlyList<GenerationMeasure>[] measures = [.. models.Select(static model => model.Measures())];
        string[] names = [.. measures.SelectMany(static of => of).Select(static measure => measure.Name).Distinct()];
        Lines.Write(console, $"Answers to {models[0].Responses.Count:N0} prompts that are right, in percent, ± standard error:");
        Table table = new Table().Border(TableBorder.Rounded);
        table.AddColumn("Model");
        foreach (string name in names) table.AddColumn(new TableColumn(Title(name)) { Alignment = Justify.Right });
        for (int i = 0; i < models.Count; i++)
        {
            table.AddRow(
            [
                Markup.Escape(models[i].Model),
                .. names.Select(name => measures[i].FirstOrDefault(measure => measure.Name == name) is { } found ? Percent(found.Share) : "–"),
            ]);
        }

        console.Write(table);
    }

    private static JsonObject Summary(GeneratedResponses model) => new()
    {
        ["responses_count"] = model.Responses.Count,
        ["not_ended"] = model.Responses.Count(static response => !response.Ended),
        ["tokens"] = model.Responses.Sum(static response => (long)response.Tokens),
        ["seconds"] = Math.Round(model.Seconds, 3),
        ["measures"] = new JsonObject(model.Measures().Select(
            static measure => KeyValuePair.Create(measure.Name, JsonSerializer.SerializeToNode(measure, RunJson.Line)))),
    };

    private static string Title(string measure) => measure switch
    {
        "response" => "Whole response",
        "json" => "Valid JSON",
        "readable" => "Readable call",
        "name" => "Tool",
        "argument_names" => "Argument names",
        "values" => "Values",
        _ => "Whole call",
    };

    private static string Percent(SampleMean share) => double.IsNaN(share.StandardError)
        ? string.Create(CultureInfo.InvariantCulture, $"{100 * share.Mean:0.0}")
        : string.Create(CultureInfo.InvariantCulture, $"{100 * share.Mean:0.0} ± {100 * share.StandardError:0.0}");
}
