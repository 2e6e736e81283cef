using Shad.Models.Configuration;
using Shad.Models.Errors;
using Shad.Models.Weights;

namespace Shad.Models.Families;

/// <summary>Gemma 2 (arXiv:2408.00118), and the text model of Gemma 3 (arXiv:2503.19786).</summary>
internal static class GemmaFamily
{
    private const int LayersBetween = 6;

    private static readonly TensorNaming Names = new() { MlpNorm = "pre_feedforward_layernorm" };

    private static readonly IReadOnlyDictionary<string, string> FieldNames =
        new Dictionary<string, string> { ["hidden_act"] = "hidden_activation" };

    public static DecoderFamily Gemma2 { get; } = new("gemma2", "Gemma2ForCausalLM")
    {
        Naming = Names,
        FieldNames = FieldNames,
        AttentionBias = DecoderFamily.AttentionBiasRule.AsConfigured,
        DefaultActivation = "gelu_pytorch_tanh",
        DefaultHeadSize = 256,
        TiedByDefault = true,
        Window = DecoderFamily.WindowRule.InLayers,
        DefaultWindowLayers = static (_, _, layer) => layer % 2 == 0,
        Fixed = Common,
        Fields =
        [
            FamilyField.QueryScalar(absent: 256),
            FamilyField.Bound("attn_logit_softcapping", static c => c.ScoreCap, static (c, value) => c with { ScoreCap = value }, absent: 50),
            FamilyField.Bound("final_logit_softcapping", static c => c.LogitCap, static (c, value) => c with { LogitCap = value }, absent: 30),
            FamilyField.MustBe("use_bidirectional_attention", value: false),
        ],
    };

    public static DecoderFamily Gemma3 { get; } = new("gemma3_text", "Gemma3ForCausalLM")
    {
        Naming = Names,
        FieldNames = FieldNames,
        AttentionBias = DecoderFamily.AttentionBiasRule.AsConfigured,
        DefaultActivation = "gelu_pytorch_tanh",
        DefaultHeadSize = 256,
        DefaultTheta = 1_000_000,
        RotatesByLayerKind = true,
        TiedByDefault = true,
        Window = DecoderFamily.WindowRule.InLayers,
        DefaultWindowLayers = static (fields, _, layer) =>
            (layer + 1) % (fields.OptionalPositiveInt("sliding_window_pattern") ?? LayersBetween) != 0,
        Fixed = static config => Common(config) with { QueryKeyNorm = QueryKeyNorm.EachHead },
        Fields =
        [
            FamilyField.QueryScalar(absent: 256),
            FamilyField.Bound("attn_logit_softcapping", static c => c.ScoreCap, static (c, value) => c with { ScoreCap = value }, absent: null),
            FamilyField.Bound("final_logit_softcapping", static c => c.LogitCap, static (c, value) => c with { LogitCap = value }, absent: null),
            FamilyField.MustBe("use_bidirectional_attention", value: false),
            new FamilyField(ReadRotary, static (json, config) => json.WriteFloat("rope_local_base_freq", (config.WindowRotary ?? config.Rotary).Theta)),
        ],
    };

    private static DecoderConfig Common(DecoderConfig config) => config with
    {
        Norm = NormKind.RootMeanSquareOfOnePlus, NormPlacement = NormPlacement.BeforeAndBehind, EmbeddingScale = Math.Sqrt(config.HiddenSize),
    };

    // transformers 4 has a base for each kind of layer, and scales in the full ones; transformers 5 has an object for each kind.
    private static DecoderConfig ReadRotary(ConfigFields fields, DecoderConfig config)
    {
        double localTheta = fields.OptionalPositiveNumber("rope_local_base_freq") ?? 10_000;
        if (fields.OptionalObject("rope_parameters") is not { } parameters) return config with { WindowRotary = new RotaryEmbedding(localTheta) };
        return config with
        {
            Rotary = Read("full_attention", config.Rotary.Theta), WindowRotary = Read("sliding_attention", localTheta),
        };

        RotaryEmbedding Read(string kind, double theta) => parameters.OptionalObject(kind) is { } own
            ? new RotaryEmbedding(own.OptionalPositiveNumber("rope_theta") ?? theta, RotaryFields.ReadScaling(own, fields, config.ContextLength, config.HeadSize))
            : throw ModelErrors.FieldMissing(fields.Path, parameters.NameOf(kind), "an object with rope_type and rope_theta, one for each kind of layer");
    }
}
