using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Shad.Core.Tuning;

/// <summary>The JSON of the sidecar protocol: snake_case, nulls left out, unknown job fields refused.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(TuneJob))]
[JsonSerializable(typeof(ScoreJob))]
[JsonSerializable(typeof(SidecarEvent))]
public sealed partial class SidecarJson : JsonSerializerContext
{
    /// <summary>
    /// Options to read a job with. Generated code gives an init-only property that is absent the default of its type;
    /// reflection leaves the value the job declares.
    /// </summary>
    public static JsonSerializerOptions JobOptions =>
        // Not in a static initializer: those of the generated part may run later.
        s_jobOptions ??= new(Default.Options) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    private static JsonSerializerOptions? s_jobOptions;
}
