using System.Globalization;
using System.Text.Json.Nodes;
using Shad.Cli.Runs;
using Shad.Data.Demo;

namespace Shad.Cli.Stages;

/// <summary>Generates the demo corpus: tool calls whose roles are known character by character.</summary>
/// <param name="samples">Number of samples.</param>
/// <param name="seed">Seed.</param>
public sealed class DemoCorpusStage(int samples, ulong seed) : Stage
{
    /// <summary>The corpus.</summary>
    public const string CorpusFile = "demo.jsonl";

    /// <inheritdoc/>
    public override string Name => StageNames.Demo;

    /// <inheritdoc/>
    public override string Title => "Generate the demo corpus";

    /// <inheritdoc/>
    public override StageInputs Inputs(RunFolder run) =>
        new(new JsonObject { ["samples"] = samples, ["seed"] = seed }, new Dictionary<string, string>());

    /// <inheritdoc/>
    public override Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        DemoCorpus.WriteJsonLines(context.PathOf(CorpusFile), new DemoOptions { Samples = samples, Seed = seed });
        return Task.FromResult(new StageOutcome
        {
            Summary = string.Create(CultureInfo.InvariantCulture, $"{samples:N0} samples"),
        });
    }
}
