using System.Text.Json;
using Shad.Models.Configuration;

namespace Shad.Models.Families;

/// <summary>A field of <c>config.json</c> that is one family's own: how it is read into a config and written from it.</summary>
/// <param name="Read">The config with what the field says.</param>
/// <param name="Write">Writes the field.</param>
internal sealed record FamilyField(
    Func<ConfigFields, DecoderConfig, DecoderConfig> Read, Action<Utf8JsonWriter, DecoderConfig> Write)
{
    /// <summary>A positive factor.</summary>
    /// <param name="name">The field.</param>
    /// <param name="get">What it is in a config.</param>
    /// <param name="set">The config with it.</param>
    /// <param name="absent">Its value where the config has none.</param>
    public static FamilyField Factor(
        string name, Func<DecoderConfig, double> get, Func<DecoderConfig, double, DecoderConfig> set, double absent = 1) => new(
        (fields, config) => set(config, fields.OptionalPositiveNumber(name) ?? absent),
        (json, config) => json.WriteFloat(name, get(config)));

    /// <summary>A positive bound; null is none.</summary>
    /// <param name="name">The field.</param>
    /// <param name="get">What it is in a config.</param>
    /// <param name="set">The config with it.</param>
    /// <param name="absent">Its value where the field is not there at all.</param>
    public static FamilyField Bound(
        string name, Func<DecoderConfig, double?> get, Func<DecoderConfig, double?, DecoderConfig> set, double? absent) => new(
        (fields, config) => set(config, fields.IsStated(name) ? fields.OptionalPositiveNumber(name) : absent),
        (json, config) =>
        {
            if (get(config) is { } value) json.WriteFloat(name, value);
            else json.WriteNull(name);
        });

    /// <summary><c>query_pre_attn_scalar</c>: scores are divided by its root.</summary>
    /// <param name="absent">Its value where the config has none.</param>
    public static FamilyField QueryScalar(double absent) => new(
        (fields, config) => config with { ScoreScale = 1 / Math.Sqrt(fields.OptionalPositiveNumber("query_pre_attn_scalar") ?? absent) },
        static (json, config) =>
        {
            double scalar = 1 / (config.AttentionScale * config.AttentionScale), whole = Math.Round(scalar);
            if (Math.Abs(scalar - whole) < 1e-9 * whole) json.WriteNumber("query_pre_attn_scalar", (long)whole);
            else json.WriteFloat("query_pre_attn_scalar", scalar);
        });

    /// <summary>A switch that must be off: what it turns on is not known here.</summary>
    public static FamilyField MustBe(string name, bool value) => new(
        (fields, config) => fields.Flag(name, value) == value
            ? config
            : throw fields.Invalid(name, fields.Find(name)!.Value, $"{(value ? "true" : "false")}, the only value supported"),
        static (_, _) => { });
}
