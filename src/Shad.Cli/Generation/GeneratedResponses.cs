using System.Text.Json.Serialization;
using Shad.Core.Evaluation;
using Shad.Data.ToolCalls;

namespace Shad.Cli.Generation;

/// <summary>What a model has said where the corpus has a response.</summary>
/// <param name="Id">The sample.</param>
/// <param name="Turn">Number of the response in its sample, from 0.</param>
/// <param name="Reference">The corpus's response, without the mark that ends it.</param>
/// <param name="Generated">The model's, likewise.</param>
/// <param name="Tokens">Tokens the model made.</param>
/// <param name="Ended">False where it was cut off before it ended its response.</param>
/// <param name="Match">How the two compare.</param>
public sealed record GeneratedResponse(string Id, int Turn, string Reference, string Generated, int Tokens, bool Ended, ResponseMatch Match);

/// <summary>The responses of one model to the prompts of a corpus.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Responses">The responses, in the corpus's order.</param>
/// <param name="Seconds">Time the generation took.</param>
public sealed record GeneratedResponses(string Model, IReadOnlyList<GeneratedResponse> Responses, double Seconds)
{
    /// <summary>The measures that the corpus allows: response, JSON validity where its responses are JSON, and those of calls where they
    /// are calls.</summary>
    public IReadOnlyList<GenerationMeasure> Measures() =>
    [
        .. from measure in ((string Name, Func<ResponseMatch, bool?> Of)[])
               [
                   ("response", static match => match.Response), ("json", static match => match.Json), ("readable", static match => match.Readable),
                   ("name", static match => match.Name), ("argument_names", static match => match.ArgumentNames),
                   ("values", static match => match.Values), ("call", static match => match.Call),
               ]
           let share = SampleMean.Of(Responses.Select(response => measure.Of(response.Match)).OfType<bool>())
           where share.Count > 0
           select new GenerationMeasure(measure.Name, share),
    ];
}

/// <summary>A share of the responses.</summary>
/// <param name="Name"><c>response</c>, <c>json</c>, <c>readable</c>, <c>name</c>, <c>argument_names</c>, <c>values</c> or
/// <c>call</c>: the properties of <see cref="ResponseMatch"/>.</param>
/// <param name="Share">The share, with the standard error of the mean over responses.</param>
public sealed record GenerationMeasure(string Name, [property: JsonIgnore] SampleMean Share)
{
    /// <summary>Responses the measure is defined for.</summary>
    public int Count => Share.Count;

    /// <summary>Share of them that have the property.</summary>
    public double Mean => Share.Mean;

    /// <summary>Standard error of <see cref="Mean"/>; null for a single response.</summary>
    public double? StandardError => double.IsNaN(Share.StandardError) ? null : Share.StandardError;
}
