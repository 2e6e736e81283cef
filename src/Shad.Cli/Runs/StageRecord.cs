using System.Text.Json;
using System.Text.Json.Nodes;

namespace Shad.Cli.Runs;

/// <summary>What <c>stage.json</c> in a stage's folder says: the stage is done, with what inputs, outputs and cost.</summary>
public sealed record StageRecord
{
    /// <summary>Name of the file in the stage's folder. It is written last: where it is, the stage is whole.</summary>
    public const string FileName = "stage.json";

    /// <summary>Name of the stage.</summary>
    public required string Stage { get; init; }

    /// <summary>Hash over the stage's version, its part of the recipe and the content of its input files.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>The part of the recipe it was run with.</summary>
    public required JsonNode Settings { get; init; }

    /// <summary>SHA-256 of its input files, by their names.</summary>
    public required IReadOnlyDictionary<string, string> Inputs { get; init; }

    /// <summary>SHA-256 of its outputs, by their paths relative to the stage's folder.</summary>
    public required IReadOnlyDictionary<string, string> Outputs { get; init; }

    /// <summary>When the process that ended it began it.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Wall time of all processes in it, seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Tokens passed through a model, all processes.</summary>
    public long Tokens { get; init; }

    /// <summary>One line for people.</summary>
    public string? Summary { get; init; }

    /// <summary>Warnings of the process that ended it.</summary>
    public IReadOnlyList<RunWarning> Warnings { get; init; } = [];

    /// <summary>The result's numbers.</summary>
    public JsonNode? Result { get; init; }

    /// <summary>Versions and machine.</summary>
    public required EnvironmentRecord Environment { get; init; }

    /// <summary>The result in its own type.</summary>
    public T ResultAs<T>() => Result.Deserialize<T>(RunJson.Line)
        ?? throw new InvalidOperationException($"The record of the stage '{Stage}' has no result.");

    /// <summary>Reads the record of a stage's folder; null where the stage is not done.</summary>
    /// <exception cref="Shad.Core.Errors.ShadException">The record cannot be read.</exception>
    public static StageRecord? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize<StageRecord>(File.ReadAllText(path), RunJson.Indented);
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw RunErrors.RecordDamaged(path, e);
        }
    }
}
