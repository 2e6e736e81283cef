using System.Text.Json.Nodes;
using Shad.Core.Errors;

namespace Shad.Cli.Runs;

/// <summary>
/// A step of a run: a pure function from its inputs (a part of the recipe and files) to the files of its folder. It prints
/// nothing and knows nothing of the terminal; it reports through <see cref="StageContext"/>.
/// </summary>
public abstract class Stage
{
    /// <summary>Name of the stage and of its folder in the run folder.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, in a few words, for people.</summary>
    public abstract string Title { get; }

    /// <summary>Raised when the meaning of the outputs changes, so that those of older versions are not taken for current.</summary>
    public virtual int Version => 1;

    /// <summary>True where the stage can go on from what a killed run left in its folder; otherwise it starts empty.</summary>
    public virtual bool IsResumable => false;

    /// <summary>What decides the outputs. Asked for when all earlier stages are done.</summary>
    public abstract StageInputs Inputs(RunFolder run);

    /// <summary>Does the work: writes files into <see cref="StageContext.Folder"/>.</summary>
    /// <exception cref="ShadException">What a user can mend.</exception>
    /// <exception cref="OperationCanceledException">The run is cancelled.</exception>
    public abstract Task<StageOutcome> RunAsync(StageContext context, CancellationToken cancellationToken);
}

/// <summary>What decides a stage's outputs.</summary>
/// <param name="Settings">The part of the recipe the stage depends on, as JSON.</param>
/// <param name="Files">Files and model folders it reads, by a name that does not change with their place.</param>
public sealed record StageInputs(JsonNode Settings, IReadOnlyDictionary<string, string> Files);

/// <summary>What a stage hands back.</summary>
public sealed record StageOutcome
{
    /// <summary>One line for people.</summary>
    public string? Summary { get; init; }

    /// <summary>Tokens passed through a model by this process.</summary>
    public long Tokens { get; init; }

    /// <summary>The result's numbers, kept in the stage's record.</summary>
    public JsonNode? Result { get; init; }

    /// <summary>Files the stage wrote outside its folder (an ONNX graph beside the weights it points into), absolute.</summary>
    public IReadOnlyList<string> OutputsElsewhere { get; init; } = [];
}

/// <summary>Where work reports to: how far it is and what the user should know.</summary>
public class WorkContext
{
    private readonly Action<RunEvent> _observe;
    private readonly List<RunWarning> _warnings = [];

    /// <summary>Creates a context.</summary>
    /// <param name="name">Name of the work in its events.</param>
    /// <param name="observe">Receives progress and warnings.</param>
    public WorkContext(string name, Action<RunEvent> observe)
    {
        Name = name;
        _observe = observe;
    }

    /// <summary>Name of the work in its events.</summary>
    public string Name { get; }

    /// <summary>Warnings raised so far.</summary>
    public IReadOnlyList<RunWarning> Warnings => _warnings;

    /// <summary>Says how far the work is.</summary>
    /// <param name="done">Units done.</param>
    /// <param name="total">Units in all; null where not known.</param>
    /// <param name="unit">What is counted.</param>
    /// <param name="tokensPerSecond">Tokens a second.</param>
    /// <param name="secondsLeft">Seconds until the end.</param>
    /// <param name="detail">More to say.</param>
    public void Progress(
        double done, double? total, string unit, double? tokensPerSecond = null, double? secondsLeft = null, string? detail = null) =>
        _observe(new StageProgress(Name, done, total, unit)
        {
            TokensPerSecond = tokensPerSecond, SecondsLeft = secondsLeft, Detail = detail,
        });

    /// <summary>Says something the user should know.</summary>
    /// <param name="code">Stable, dotted code.</param>
    /// <param name="message">Text for people.</param>
    /// <param name="count">How often it happened.</param>
    /// <param name="examples">A few places.</param>
    public void Warn(string code, string message, long? count = null, IReadOnlyList<string>? examples = null)
    {
        var warning = new RunWarning(Name, code, message) { Count = count, Examples = examples };
        _warnings.Add(warning);
        _observe(warning);
    }
}

/// <summary>What a running stage is given.</summary>
public sealed class StageContext : WorkContext
{
    /// <summary>Creates a context.</summary>
    /// <param name="run">The run folder.</param>
    /// <param name="stage">Name of the stage.</param>
    /// <param name="folder">Where the stage writes; renamed to its own name when it is done.</param>
    /// <param name="observe">Receives progress and warnings.</param>
    public StageContext(RunFolder run, string stage, string folder, Action<RunEvent> observe)
        : base(stage, observe)
    {
        Run = run;
        Folder = folder;
    }

    /// <summary>The run folder, with the outputs of earlier stages.</summary>
    public RunFolder Run { get; }

    /// <summary>Where the stage writes. Not yet under its final name.</summary>
    public string Folder { get; }

    /// <summary>A file in <see cref="Folder"/>.</summary>
    public string PathOf(string name) => Path.Combine(Folder, name);
}
