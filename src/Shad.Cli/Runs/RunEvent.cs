using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Shad.Cli.Runs;

/// <summary>Something that happens while stages run. Views draw it, <c>events.jsonl</c> keeps it, a server can send it on.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(RunStarted), "run_started")]
[JsonDerivedType(typeof(StageStarted), "stage_started")]
[JsonDerivedType(typeof(StageProgress), "stage_progress")]
[JsonDerivedType(typeof(StageSkipped), "stage_skipped")]
[JsonDerivedType(typeof(StageDone), "stage_done")]
[JsonDerivedType(typeof(StageFailed), "stage_failed")]
[JsonDerivedType(typeof(RunWarning), "warning")]
[JsonDerivedType(typeof(RunDone), "run_done")]
public abstract record RunEvent;

/// <summary>A run begins or continues.</summary>
/// <param name="Name">The run's name.</param>
/// <param name="Folder">Its folder.</param>
/// <param name="Stages">Names of its stages, in order.</param>
/// <param name="Seed">The recipe's seed.</param>
/// <param name="Environment">Versions and machine.</param>
public sealed record RunStarted(
    string Name, string Folder, IReadOnlyList<string> Stages, ulong Seed, EnvironmentRecord Environment) : RunEvent;

/// <summary>A stage begins, or continues what a killed run left of it.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Title">What it does, for people.</param>
/// <param name="Reason">Why it is run: <c>new</c>, <c>inputs changed</c>, <c>outputs changed</c>, <c>continued</c>.</param>
public sealed record StageStarted(string Stage, string Title, string Reason) : RunEvent;

/// <summary>How far a stage is.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all; null where not known.</param>
/// <param name="Unit">What is counted: <c>samples</c>, <c>steps</c>.</param>
public sealed record StageProgress(string Stage, double Done, double? Total, string Unit) : RunEvent
{
    /// <summary>Tokens a second; null where the stage passes none through a model.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Estimated seconds until the stage ends; null where not known.</summary>
    public double? SecondsLeft { get; init; }

    /// <summary>More to say, for people: <c>loss 2.31</c>.</summary>
    public string? Detail { get; init; }
}

/// <summary>A stage was not run, since its inputs have not changed since it was.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Title">What it does, for people.</param>
/// <param name="Seconds">What it took when it was run.</param>
public sealed record StageSkipped(string Stage, string Title, double Seconds) : RunEvent;

/// <summary>A stage has ended and its outputs are in place.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Seconds">Wall time of this process in it.</param>
/// <param name="Summary">One line on the result, for people; null where there is nothing to say.</param>
public sealed record StageDone(string Stage, double Seconds, string? Summary) : RunEvent;

/// <summary>A stage has failed or was interrupted.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Code">The error's code; <c>interrupted</c> after Ctrl-C.</param>
/// <param name="Message">What went wrong, for people.</param>
public sealed record StageFailed(string Stage, string Code, string Message) : RunEvent;

/// <summary>Something the user should know that stops nothing.</summary>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Code">Stable, dotted code.</param>
/// <param name="Message">Text for people.</param>
public sealed record RunWarning(string Stage, string Code, string Message) : RunEvent
{
    /// <summary>How often it happened; null where that means nothing.</summary>
    public long? Count { get; init; }

    /// <summary>A few places.</summary>
    public IReadOnlyList<string>? Examples { get; init; }
}

/// <summary>All stages are done.</summary>
/// <param name="Seconds">Wall time of this process.</param>
public sealed record RunDone(double Seconds) : RunEvent;

/// <summary>The JSON of run records: snake_case, nulls left out.</summary>
public static class RunJson
{
    /// <summary>One line an object.</summary>
    public static readonly JsonSerializerOptions Line = Create(indented: false);

    /// <summary>For files that people open.</summary>
    public static readonly JsonSerializerOptions Indented = Create(indented: true);

    private static JsonSerializerOptions Create(bool indented) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = indented,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };
}
