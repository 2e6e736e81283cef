using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Shad.Core.Errors;
using Shad.Models.Adapters;
using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;
using Shad.Tests.Architectures;

namespace Shad.Models.Tests.Families;

/// <summary>The fields of each family, as transformers documents them, and what is wrong with them.</summary>
public sealed class FamilyTests
{
    private static IEnumerable<TestCaseData> Models() => ArchitectureModels.Names.Select(static name => new TestCaseData(name).SetArgDisplayNames(name));

    [TestCaseSource(nameof(Models))]
    public void A_config_written_is_read_back_the_same(string name)
    {
        DecoderConfig config = ArchitectureModels.Read(name);
        DecoderConfig read = DecoderConfigReader.Parse(DecoderConfigWriter.ToJson(config, TensorDtype.Float32), "config.json", !config.TiedHead);
        Assert.That(read, Is.EqualTo(config).UsingPropertiesComparer());
    }

    [Test]
    public void Multipliers_of_granite_are_1_where_absent()
    {
        DecoderConfig config = Read("granite", "embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling");
        Assert.That((config.EmbeddingScale, config.AttentionScale, config.ResidualScale, config.LogitDivisor), Is.EqualTo((1.0, 1.0, 1.0, 1.0)));
        config = Read("granite");
        Assert.That((config.EmbeddingScale, config.AttentionScale, config.ResidualScale, config.LogitDivisor), Is.EqualTo((3.5, 0.21, 0.37, 1.75)));
    }

    [Test]
    public void Every_fourth_layer_of_smollm3_does_not_rotate_where_nothing_is_said()
    {
        DecoderConfig config = Read("smollm3", "no_rope_layer_interval");
        Assert.That(Enumerable.Range(0, 4).Select(layer => config.RotaryOf(layer) == RotaryEmbedding.None), Is.EqualTo(new[] { false, false, false, true }));
        Assert.That(config.TiedHead, Is.True);
        Assert.That(Read("smollm3", "rope_theta").Rotary.Theta, Is.EqualTo(2e6));
    }

    [Test]
    public void Every_other_layer_of_gemma2_has_a_window_and_its_bounds_have_defaults()
    {
        DecoderConfig config = Read("gemma2", "attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar", "sliding_window", "head_dim");
        Assert.That(Enumerable.Range(0, 4).Select(config.WindowOf), Is.EqualTo(new int?[] { 4096, null, 4096, null }));
        Assert.That((config.ScoreCap, config.LogitCap, config.AttentionScale, config.HeadSize), Is.EqualTo((50.0, 30.0, 1 / 16.0, 256)));
        Assert.That((config.EmbeddingScale, config.Norm, config.TiedHead), Is.EqualTo((Math.Sqrt(48), NormKind.RootMeanSquareOfOnePlus, true)));
    }

    [Test]
    public void Gemma3_turns_its_windowed_layers_by_a_base_of_their_own_whichever_transformers_wrote_it()
    {
        DecoderConfig config = Read("gemma3");
        JsonObject five = Json("gemma3");
        five.Remove("rope_theta");
        five.Remove("rope_local_base_freq");
        five.Remove("rope_scaling");
        five["rope_parameters"] = JsonNode.Parse("""
            {"full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":1000000.0},"sliding_attention":{"rope_type":"default","rope_theta":10000.0}}
            """);
        Assert.That(Parse(five), Is.EqualTo(config).UsingPropertiesComparer());
        Assert.That(config.RotaryOf(0), Is.EqualTo(new RotaryEmbedding(10_000)));
        Assert.That(config.RotaryOf(5), Is.EqualTo(new RotaryEmbedding(1e6, new LinearRotaryScaling(8))));
        Assert.That(Enumerable.Range(0, 6).Select(layer => config.WindowOf(layer) is not null), Is.EqualTo(new[] { true, true, true, true, true, false }));
    }

    [Test]
    public void The_inner_width_of_gpt2_is_four_times_the_hidden_size_where_absent()
    {
        DecoderConfig config = Read("gpt2");
        Assert.That((config.HiddenSize, config.IntermediateSize, config.ContextLength, config.TiedHead), Is.EqualTo((48, 192, 128, true)));
        Assert.That((config.Norm, config.GatedMlp, config.LearnedPositions), Is.EqualTo((NormKind.LayerNorm, false, true)));
    }

    [Test]
    public void Buffers_of_causal_masks_are_no_tensors_of_gpt2()
    {
        DecoderConfig config = Read("gpt2");
        IEnumerable<(string, long[])> tensors = TensorLayout.Expected(config).Select(static spec => (spec.Name, spec.Shape));
        TensorLayout.Check(config, [.. tensors, ("transformer.h.0.attn.bias", [1, 1, 128, 128]), ("transformer.h.0.attn.masked_bias", [])], "here");
        Refusal.Of(() => TensorLayout.Check(config, [.. tensors, ("transformer.h.0.attn.c_other.bias", [3])], "here"), "model.layout_mismatch", "c_other");
    }

    [TestCase("h.3.attn.c_attn.weight", "base_model.model.transformer.h.3.attn.c_attn.lora_A.weight")]
    [TestCase("transformer.h.3.attn.c_attn.weight", "base_model.model.transformer.h.3.attn.c_attn.lora_A.weight")]
    [TestCase("layers.0.mlp.up_proj.weight", "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight")]
    [TestCase("model.layers.0.mlp.up_proj.weight", "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight")]
    public void Adapters_are_named_by_the_place_in_the_model_with_its_head(string weight, string down) =>
        Assert.That(AdapterModules.Down(weight), Is.EqualTo(down));

    [Test]
    public void Projections_of_phi3_lie_in_two_matrices()
    {
        DecoderConfig config = Read("phi3");
        LayerModules layer = LayerModules.Of(config, 1);
        Assert.That(layer.Linears.Select(static module => module.Weight), Is.EqualTo(new[]
        {
            "model.layers.1.self_attn.qkv_proj.weight", "model.layers.1.self_attn.o_proj.weight", "model.layers.1.mlp.gate_up_proj.weight",
            "model.layers.1.mlp.down_proj.weight",
        }));
        Assert.That((layer.Query.First, layer.Key.First, layer.Value.First, layer.Value.Width), Is.EqualTo((0L, 48L, 64L, 16L)));
        Assert.That((layer.Gate!.Value.First, layer.Up.First, layer.Up.Width), Is.EqualTo((0L, 80L, 80L)));
        Assert.That(AdapterModules.NamesOf(config), Is.EqualTo(new[] { "qkv_proj", "o_proj", "gate_up_proj", "down_proj" }));
        Assert.That(AdapterModules.NamesOf(config), Is.SubsetOf(AdapterModules.Names));
    }

    [Test]
    public void Long_rotation_has_other_frequencies_beyond_the_original_context()
    {
        DecoderConfig config = Read("phi3, longrope");
        Assert.That(config.ContextLength, Is.EqualTo(512));
        Assert.That(config.LengthBoundaries, Is.EqualTo([64]));
        Assert.That(config.Rotary.InverseFrequencies(8, beyond: true)[3], Is.EqualTo(Math.Pow(10_000, -0.75) / 9).Within(1e-15));
        Assert.That(config.Rotary.InverseFrequencies(8)[3], Is.EqualTo(Math.Pow(10_000, -0.75) / 2).Within(1e-15));
        Assert.That(config.Rotary.Amplitude, Is.EqualTo(Math.Sqrt(1 + Math.Log(8) / Math.Log(64))).Within(1e-15));
    }

    [TestCase("granite", "embedding_multiplier", "0")]
    [TestCase("granite", "logits_scaling", "-2")]
    [TestCase("granite", "residual_multiplier", "\"1\"")]
    [TestCase("granite", "attention_multiplier", "[]")]
    [TestCase("granite", "hidden_act", "\"relu\"")]
    [TestCase("granite", "partial_rotary_factor", "0.5")]
    [TestCase("smollm3", "no_rope_layers", "[1,0]")]
    [TestCase("smollm3", "no_rope_layers", "[1,0,2,1]")]
    [TestCase("smollm3", "no_rope_layers", "true")]
    [TestCase("smollm3", "no_rope_layer_interval", "0")]
    [TestCase("phi3", "partial_rotary_factor", "1.5")]
    [TestCase("phi3", "partial_rotary_factor", "0.13")]
    [TestCase("phi3", "partial_rotary_factor", "0.4")]
    [TestCase("gemma2", "attn_logit_softcapping", "0")]
    [TestCase("gemma2", "final_logit_softcapping", "true")]
    [TestCase("gemma2", "query_pre_attn_scalar", "null0")]
    [TestCase("gemma2", "hidden_activation", "\"gelu_fast\"")]
    [TestCase("gemma2", "layer_types", "[\"full_attention\"]")]
    [TestCase("gemma2", "layer_types", "[\"full_attention\",\"chunked_attention\",\"full_attention\",\"full_attention\"]")]
    [TestCase("gemma2", "use_bidirectional_attention", "true")]
    [TestCase("gemma3", "rope_local_base_freq", "0")]
    [TestCase("gemma3", "sliding_window_pattern", "0")]
    [TestCase("gpt2", "n_embd", "0")]
    [TestCase("gpt2", "n_head", "7")]
    [TestCase("gpt2", "scale_attn_weights", "false")]
    [TestCase("gpt2", "scale_attn_by_inverse_layer_idx", "true")]
    [TestCase("gpt2", "layer_norm_epsilon", "2")]
    [TestCase("gpt2", "activation_function", "\"relu\"")]
    public void A_bad_value_is_refused_with_its_field(string name, string field, string value)
    {
        JsonObject config = Json(name);
        config[field] = JsonNode.Parse(value == "null0" ? "0" : value);
        ShadException error = Refusal.Of(() => Parse(config), "model.config_field_invalid", $"field '{field}'");
        Assert.That(error.Expected, Is.Not.Null.And.Not.Empty);
    }

    [TestCase("""{"type":"longrope","long_factor":[1,1,1,1]}""", "model.config_field_missing", "rope_scaling.short_factor")]
    [TestCase("""{"type":"longrope","short_factor":[1,1,1],"long_factor":[1,1,1,1]}""", "model.config_field_invalid", "rope_scaling.short_factor")]
    [TestCase("""{"type":"longrope","short_factor":[1,1,1,1],"long_factor":[1,1,0,1]}""", "model.config_field_invalid", "rope_scaling.long_factor")]
    [TestCase("""{"type":"longrope","short_factor":4,"long_factor":[1,1,0,1]}""", "model.config_field_invalid", "rope_scaling.short_factor")]
    [TestCase("""{"type":"yarn"}""", "model.config_field_missing", "rope_scaling.factor")]
    [TestCase("""{"type":"yarn","factor":0.5}""", "model.config_field_invalid", "rope_scaling.factor")]
    [TestCase("""{"type":"yarn","factor":4,"beta_fast":1,"beta_slow":2}""", "model.config_field_invalid", "rope_scaling.beta_fast")]
    [TestCase("""{"type":"yarn","factor":4,"attention_factor":-1}""", "model.config_field_invalid", "rope_scaling.attention_factor")]
    [TestCase("""{"type":"dynamic","factor":"two"}""", "model.config_field_invalid", "rope_scaling.factor")]
    public void A_scaling_that_is_not_sound_is_refused_with_its_field(string scaling, string code, string field)
    {
        JsonObject config = Json("phi3, longrope");
        config["rope_scaling"] = JsonNode.Parse(scaling);
        Refusal.Of(() => Parse(config), code, $"field '{field}'");
    }

    [Test]
    public void No_value_of_any_field_fails_otherwise_than_with_an_error_of_ours() =>
        Gen.Select(Any.Of([.. ArchitectureModels.Names]), Gen.Int[0, 60], Gen.Int[0, 13]).Sample(
            (name, field, value) =>
            {
                JsonObject config = Json(name);
                string[] fields = [.. config.Select(static member => member.Key), "rope_parameters", "layer_types", "no_rope_layers", "sliding_window"];
                string[] values = ["null", "true", "0", "1", "-1", "3", "1.5", "1e300", "2147483647", "\"\"", "[]", "{}", "[1]", "{\"full_attention\":{}}"];
                config[fields[field % fields.Length]] = JsonNode.Parse(values[value]);
                try
                {
                    Parse(config);
                }
                catch (ShadException)
                {
                }
            },
            iter: 3_000);

    private static JsonObject Json(string name) => JsonNode.Parse(ArchitectureModels.Configs[name])!.AsObject();

    private static DecoderConfig Parse(JsonObject config)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(config.ToJsonString());
        try
        {
            return DecoderConfigReader.Parse(bytes, "config.json", headPresent: false);
        }
        catch (ShadException error) when (error.Code == "model.head_missing")
        {
            return DecoderConfigReader.Parse(bytes, "config.json", headPresent: true);
        }
    }

    private static DecoderConfig Read(string name, params string[] without)
    {
        JsonObject config = Json(name);
        foreach (string field in without) config.Remove(field);
        return Parse(config);
    }
}
