using System.Text.Json;
using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Errors;

namespace Shad.Models.Adapters;

/// <summary>
/// What a low-rank adapter is: the content of PEFT's <c>adapter_config.json</c> that decides how the adapter computes.
/// </summary>
public sealed record AdapterConfig
{
    /// <summary>Name of the file in an adapter's folder.</summary>
    public const string FileName = "adapter_config.json";

    // Settings of PEFT that say how an adapter was begun or trained, or how libraries file it, not how it computes.
    private static readonly HashSet<string> WithoutEffect = new(StringComparer.Ordinal)
    {
        "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules", "inference_mode",
        "layers_pattern", "layers_to_transform", "lora_dropout", "megatron_config", "megatron_core", "peft_version",
        "qalora_group_size", "revision", "runtime_config", "task_type",
    };

    // Ways to begin that leave the base model's weights alone; others (pissa, olora, loftq, corda …) change them.
    private static readonly HashSet<string> HarmlessStarts = new(StringComparer.Ordinal) { "gaussian", "eva", "orthogonal" };

    /// <summary>Rank r.</summary>
    public required int Rank { get; init; }

    /// <summary>alpha.</summary>
    public required double Alpha { get; init; }

    /// <summary>Dropout it was trained with.</summary>
    public double Dropout { get; init; }

    /// <summary>Names of the adapted projections, as in <see cref="AdapterModules.NamesOf"/>.</summary>
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>True where the scale is <c>alpha / √r</c> (arXiv:2312.03732).</summary>
    public bool RankStabilized { get; init; }

    /// <summary>Layers that are adapted; null is all.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>Name or folder of the base model, for people; null where unknown.</summary>
    public string? BaseModel { get; init; }

    /// <summary>The factor s of <c>W + s·B·A</c>.</summary>
    public double Scale => Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank);

    /// <summary>Reads a config. <see cref="Targets"/> and <see cref="Layers"/> are left empty: the adapter's tensors say it.</summary>
    /// <exception cref="ShadException">The file is missing or damaged, is no LoRA, or uses a feature of PEFT that is not known
    /// here and changes what the adapter computes; the message names it.</exception>
    /// <param name="path">The file.</param>
    /// <param name="inputsFirst">True where the model stores its matrices <c>[in, out]</c>, as PEFT's <c>fan_in_fan_out</c> then says
    /// too; PEFT sets it by itself where it is left out.</param>
    public static AdapterConfig Read(string path, bool inputsFirst = false)
    {
        using JsonDocument document = JsonFile.ReadObject(path);
        var fields = new ConfigFields(path, document.RootElement);
        string type = fields.OptionalText("peft_type") ?? throw ModelErrors.FieldMissing(path, "peft_type", "LORA");
        if (type != "LORA") throw ModelErrors.AdapterFeature(path, "peft_type", $"'{type}'", "LORA");
        foreach (JsonProperty member in document.RootElement.EnumerateObject()) Check(member, path, inputsFirst);
        double alpha = fields.PositiveNumber("lora_alpha");
        return new AdapterConfig
        {
            Rank = fields.PositiveInt("r"),
            Alpha = alpha,
            Targets = [],
            RankStabilized = fields.Flag("use_rslora", absent: false),
            BaseModel = fields.OptionalText("base_model_name_or_path"),
        };
    }

    /// <summary>Writes the config as PEFT reads it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="inputsFirst">True where the model stores its matrices <c>[in, out]</c>.</param>
    internal void Write(string path, bool inputsFirst)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteString("peft_type", "LORA");
            json.WriteString("task_type", "CAUSAL_LM");
            json.WriteString("base_model_name_or_path", BaseModel);
            json.WriteNumber("r", Rank);
            json.WriteNumber("lora_alpha", Alpha);
            json.WriteNumber("lora_dropout", Dropout);
            json.WriteStartArray("target_modules");
            foreach (string target in Targets) json.WriteStringValue(target);
            json.WriteEndArray();
            if (Layers is null)
            {
                json.WriteNull("layers_to_transform");
            }
            else
            {
                json.WriteStartArray("layers_to_transform");
                foreach (int layer in Layers) json.WriteNumberValue(layer);
                json.WriteEndArray();
                json.WriteString("layers_pattern", "layers");
            }

            json.WriteString("bias", "none");
            json.WriteBoolean("fan_in_fan_out", inputsFirst);
            json.WriteBoolean("use_rslora", RankStabilized);
            json.WriteBoolean("use_dora", false);
            json.WriteBoolean("init_lora_weights", true);
            json.WriteBoolean("inference_mode", true);
            json.WriteNull("modules_to_save");
            json.WriteEndObject();
        }

        AtomicFile.Write(path, buffer.Length, stream => stream.Write(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)));
    }

    /// <summary>Refuses a member that changes what the adapter computes in a way that is not known here.</summary>
    private static void Check(JsonProperty member, string path, bool inputsFirst)
    {
        switch (member.Name)
        {
            case "peft_type" or "r" or "lora_alpha" or "use_rslora" or "target_modules":
                return;
            case "fan_in_fan_out" when inputsFirst && member.Value.ValueKind is JsonValueKind.True or JsonValueKind.False:
                return;
            case "bias" when member.Value.ValueKind == JsonValueKind.String && member.Value.GetString() == "none":
                return;
            case "init_lora_weights" when member.Value.ValueKind is JsonValueKind.True
                || (member.Value.ValueKind == JsonValueKind.String && HarmlessStarts.Contains(member.Value.GetString()!)):
                return;
            default:
                if (!WithoutEffect.Contains(member.Name) && !IsOff(member.Value))
                    throw ModelErrors.AdapterFeature(path, member.Name, ModelErrors.Describe(member.Value), "absent, or off");
                return;
        }
    }

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };
}
