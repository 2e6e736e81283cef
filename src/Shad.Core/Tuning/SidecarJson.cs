using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shad.Core.Tuning;

/// <summary>The JSON of the sidecar protocol: snake_case, nulls left out, unknown job fields refused.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(TuneJob))]
[JsonSerializable(typeof(SidecarEvent))]
public sealed partial class SidecarJson : JsonSerializerContext;
