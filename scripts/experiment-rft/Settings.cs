using System.Text.Json;
using System.Text.Json.Serialization;
using Shad.Core.Errors;
using Shad.Core.Tuning;
using Shad.Data.Demo;

namespace ExperimentRft;

/// <summary>What the experiment is: the content of experiment.json, where the fields are explained.</summary>
internal sealed record Settings
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
    };

    public required string Model { get; init; }
    public required ulong[] Seeds { get; init; }
    public required int[] Steps { get; init; }
    public required int SamplesPerStep { get; init; }
    public required double LearningRate { get; init; }
    public required TunePrecision Precision { get; init; }
    public required int TestSamples { get; init; }
    public required int MaxNewTokens { get; init; }
    public required int Workers { get; init; }
    public required int Threads { get; init; }
    public required Split[] Splits { get; init; }
    public required ProbeSettings Probe { get; init; }
    public required Arm[] Arms { get; init; }

    public ulong[] SeedsOf(Split split) => split.Seeds ?? Seeds;

    public int[] StepsOf(Split split) => split.Steps ?? Steps;

    public IEnumerable<Arm> ArmsOf(Split split) => split.Arms is { } names ? Arms.Where(arm => names.Contains(arm.Name)) : Arms;

    public static Settings Read(string path)
    {
        try
        {
            var settings = JsonSerializer.Deserialize<Settings>(File.ReadAllText(path), Json)!;
            foreach (string arm in settings.Splits.SelectMany(static split => split.Arms ?? []))
                if (settings.Arms.All(known => known.Name != arm)) throw new JsonException($"A split names the arm '{arm}', which is none of the arms.");
            return settings;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new ShadException("experiment.settings", e.Message, path, "the fields of scripts/experiment-rft/experiment.json", inner: e);
        }
    }
}

/// <summary>Formats to train on and to test on; seeds, steps and arms where not all of the experiment's are run. Splits of one name are one in
/// all but what is run and shown together, which their titles tell.</summary>
internal sealed record Split
{
    public required string Name { get; init; }
    public required DemoFormat[] Train { get; init; }
    public required DemoFormat[] Test { get; init; }
    public required int[] Sizes { get; init; }
    public string? Title { get; init; }
    public ulong[]? Seeds { get; init; }
    public int[]? Steps { get; init; }
    public string[]? Arms { get; init; }
}

internal sealed record ProbeSettings
{
    public required double Fraction { get; init; }
    public required int MinimumSamples { get; init; }
    public required double Epochs { get; init; }
    public required double LearningRate { get; init; }
    public required int SamplesPerStep { get; init; }
}

/// <summary>Where the roles of an arm come from.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RoleSource>))]
internal enum RoleSource
{
    [JsonStringEnumMemberName("known")] Known,
    [JsonStringEnumMemberName("paper")] Paper,
    [JsonStringEnumMemberName("control")] Control,
    [JsonStringEnumMemberName("template")] Template,
}

/// <summary>Where the weights of an arm with the objective <c>weighted</c> come from.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WeightSource>))]
internal enum WeightSource
{
    [JsonStringEnumMemberName("factor")] Factor,
    [JsonStringEnumMemberName("confidence")] Confidence,
    [JsonStringEnumMemberName("excess_loss")] ExcessLoss,
}

/// <summary>One way to tune.</summary>
internal sealed record Arm
{
    public required string Name { get; init; }
    public required TuneObjective Objective { get; init; }
    public RoleSource? Roles { get; init; }
    public WeightSource? Weights { get; init; }
    public double Temperature { get; init; } = 1;
    public bool WeightBySize { get; init; }
    public double BoilerplateFloor { get; init; }
    public double AnnealFrom { get; init; } = 1;
    public double Margin { get; init; } = 0.1;
    public double? FalseShare { get; init; }
    public double? Surprise { get; init; }
    public double Factor { get; init; } = 2;
    public double Scale { get; init; } = 0.2;
    public double Keep { get; init; } = 0.6;
}
