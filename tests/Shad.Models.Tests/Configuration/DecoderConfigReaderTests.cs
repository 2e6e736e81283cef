using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Tests.Support;

namespace Shad.Models.Tests.Configuration;

public sealed class DecoderConfigReaderTests
{
    private static JsonObject Base => JsonNode.Parse("""
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama",
          "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
          "vocab_size": 512, "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "tie_word_embeddings": true,
          "bos_token_id": 1, "eos_token_id": 2
        }
        """)!.AsObject();

    // Heads

    [TestCase("true", false, true, TestName = "Stated tied and no head present: tied")]
    [TestCase("true", true, false, TestName = "Stated tied but a head present: untied")]
    [TestCase("false", true, false, TestName = "Stated untied and a head present: untied")]
    [TestCase(null, true, false, TestName = "Nothing stated and a head present: untied")]
    public void The_weights_decide_whether_the_head_is_tied(string? stated, bool headPresent, bool tied) =>
        Assert.That(Read(With("tie_word_embeddings", stated), headPresent).TiedHead, Is.EqualTo(tied));

    [TestCase("false")]
    [TestCase(null)]
    public void A_head_neither_present_nor_tied_is_refused(string? stated) =>
        Refusal.Of(() => Read(With("tie_word_embeddings", stated)), "model.head_missing", "lm_head.weight", "tie_word_embeddings", "config.json");

    [Test]
    public void Absent_key_value_heads_are_as_many_as_the_heads() =>
        Assert.That(Read(With("num_key_value_heads", null)).KeyValueHeads, Is.EqualTo(8));

    [Test]
    public void An_absent_head_size_is_the_hidden_size_by_the_heads() =>
        Assert.That(Read(Base).HeadSize, Is.EqualTo(8));

    [Test]
    public void A_head_size_of_null_counts_as_absent() =>
        Assert.That(Read(With("head_dim", "null")).HeadSize, Is.EqualTo(8));

    [Test]
    public void A_stated_head_size_need_not_divide_the_hidden_size() =>
        Assert.That(Read(With("head_dim", "22")).HeadSize, Is.EqualTo(22));

    // Families

    [Test]
    public void The_architecture_alone_names_the_family()
    {
        JsonObject config = With("architectures", """["Qwen3ForCausalLM"]""");
        config.Remove("model_type");
        Assert.That(Read(config).ModelType, Is.EqualTo("qwen3"));
        Assert.That(Read(config).HeadSize, Is.EqualTo(128), "Qwen3's own default");
    }

    [Test]
    public void The_model_type_alone_names_the_family() =>
        Assert.That(Read(With("architectures", null)).ModelType, Is.EqualTo("llama"));

    [TestCase("model_type", "\"gpt_neox\"", "gpt_neox")]
    [TestCase("architectures", """["LlamaForSequenceClassification"]""", "LlamaForSequenceClassification")]
    public void An_unknown_architecture_is_named_and_the_supported_ones_listed(string field, string value, string named) =>
        Refusal.Of(
            () => Read(With(field, value)), "model.architecture_unsupported", $"'{named}'", field, "LlamaForCausalLM (llama)",
            "MistralForCausalLM (mistral)", "Qwen2ForCausalLM (qwen2)", "Qwen3ForCausalLM (qwen3)");

    [Test]
    public void A_model_type_and_an_architecture_that_disagree_are_refused() =>
        Refusal.Of(() => Read(With("architectures", """["Qwen2ForCausalLM"]""")), "model.config_field_invalid", "LlamaForCausalLM", "Qwen2ForCausalLM");

    [Test]
    public void Neither_model_type_nor_architecture_is_refused()
    {
        JsonObject config = With("architectures", null);
        config.Remove("model_type");
        Refusal.Of(() => Read(config), "model.config_field_missing", "model_type", "qwen3");
    }

    // Biases

    [Test]
    public void Attention_bias_of_llama_is_on_all_four_projections()
    {
        DecoderConfig config = Read(With("attention_bias", "true"));
        Assert.That((config.QueryKeyValueBias, config.OutputBias, config.MlpBias), Is.EqualTo((true, true, false)));
    }

    [Test]
    public void Mlp_bias_of_llama_is_read() =>
        Assert.That(Read(With("mlp_bias", "true")).MlpBias, Is.True);

    // Rotary embedding

    [Test]
    public void Rope_parameters_of_transformers_5_are_read()
    {
        JsonObject config = With("rope_parameters", """{"rope_theta": 500000.0, "rope_type": "default"}""");
        Assert.That(Read(config).Rotary, Is.EqualTo(new RotaryEmbedding(500_000)));
        config["rope_parameters"] = JsonNode.Parse("""{"rope_theta": 2e4, "rope_type": "linear", "factor": 4}""");
        Assert.That(Read(config).Rotary, Is.EqualTo(new RotaryEmbedding(20_000, new LinearRotaryScaling(4))));
    }

    [Test]
    public void Rope_parameters_win_over_a_theta_beside_them()
    {
        JsonObject config = With("rope_theta", "5.0");
        config["rope_parameters"] = JsonNode.Parse("""{"rope_theta": 700.0}""");
        Assert.That(Read(config).Rotary, Is.EqualTo(new RotaryEmbedding(700)));
    }

    [TestCase("null")]
    [TestCase("""{"rope_type":"default"}""")]
    [TestCase("""{"type":"default"}""")]
    public void No_scaling_is_read_as_none(string scaling) =>
        Assert.That(Read(With("rope_scaling", scaling)).Rotary, Is.EqualTo(new RotaryEmbedding(10_000)));

    [Test]
    public void The_old_name_of_the_scaling_type_is_read() =>
        Assert.That(Read(With("rope_scaling", """{"type":"linear","factor":2.5}""")).Rotary.Scaling, Is.EqualTo(new LinearRotaryScaling(2.5)));

    [Test]
    public void Llama3_scaling_takes_its_original_context_from_either_place()
    {
        JsonObject config = With("rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4}""");
        Refusal.Of(() => Read(config), "model.config_field_missing", "original_max_position_embeddings");
        config["original_max_position_embeddings"] = 128;
        Assert.That(Read(config).Rotary.Scaling, Is.EqualTo(new Llama3RotaryScaling(8, 1, 4, 128)));
    }

    [TestCase("ntk")]
    [TestCase("proportional")]
    public void An_unsupported_scaling_is_named_and_the_supported_ones_listed(string type) =>
        Refusal.Of(
            () => Read(With("rope_scaling", $$"""{"rope_type":"{{type}}","factor":2}""")), "model.rope_unsupported", $"'{type}'",
            "rope_scaling.rope_type", "default, linear, llama3, dynamic, yarn, longrope");

    [TestCase("""{"factor":2}""", "model.config_field_missing", "rope_scaling.rope_type")]
    [TestCase("""{"rope_type":"linear"}""", "model.config_field_missing", "rope_scaling.factor")]
    [TestCase("""{"rope_type":"linear","factor":0.5}""", "model.config_field_invalid", "rope_scaling.factor")]
    [TestCase("""{"rope_type":"linear","factor":"2"}""", "model.config_field_invalid", "rope_scaling.factor")]
    [TestCase("""{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,"original_max_position_embeddings":128}""", "model.config_field_invalid", "rope_scaling.high_freq_factor")]
    [TestCase("""{"rope_type":"llama3","factor":8,"high_freq_factor":4,"original_max_position_embeddings":128}""", "model.config_field_missing", "rope_scaling.low_freq_factor")]
    [TestCase("""{"rope_type":"default","partial_rotary_factor":0.5}""", "model.config_field_invalid", "rope_scaling.partial_rotary_factor")]
    [TestCase("[]", "model.config_field_invalid", "rope_scaling")]
    public void A_scaling_that_is_not_sound_is_refused_with_its_field(string scaling, string code, string field) =>
        Refusal.Of(() => Read(With("rope_scaling", scaling)), code, $"config.json, field '{field}'");

    [Test]
    public void Partly_rotated_heads_are_refused() =>
        Refusal.Of(() => Read(With("partial_rotary_factor", "0.5")), "model.config_field_invalid", "partial_rotary_factor");

    // Sliding window

    [TestCase("32", 32)]
    [TestCase("null", null)]
    [TestCase(null, 4096)]
    public void Mistral_has_the_stated_window_or_none_or_by_default_4096(string? window, int? expected)
    {
        JsonObject config = Of("mistral", "MistralForCausalLM");
        if (window is not null) config["sliding_window"] = JsonNode.Parse(window);
        Assert.That(Read(config).SlidingWindow, Is.EqualTo(expected));
        Assert.That(Read(config).SlidingWindowLayers, Is.Null);
    }

    [TestCase("qwen2", "Qwen2ForCausalLM")]
    [TestCase("qwen3", "Qwen3ForCausalLM")]
    public void Qwen_uses_its_window_from_max_window_layers_on(string type, string architecture)
    {
        JsonObject config = Of(type, architecture);
        config["sliding_window"] = 16;
        config["max_window_layers"] = 3;
        Assert.That(Read(config).SlidingWindow, Is.Null, "not switched on");

        config["use_sliding_window"] = true;
        DecoderConfig read = Read(config);
        Assert.That(read.SlidingWindow, Is.EqualTo(16));
        Assert.That(read.SlidingWindowLayers, Is.EqualTo(new[] { false, false, false, true }));

        config["max_window_layers"] = 0;
        Assert.That(Read(config).SlidingWindowLayers, Is.Null, "all layers");
        config["max_window_layers"] = 4;
        Assert.That(Read(config).SlidingWindow, Is.Null, "no layer");
        config.Remove("max_window_layers");
        Assert.That(Read(config).SlidingWindow, Is.Null, "28 by default, more than there are");
    }

    [Test]
    public void Layer_types_win_over_max_window_layers()
    {
        JsonObject config = Of("qwen2", "Qwen2ForCausalLM");
        config["use_sliding_window"] = true;
        config["sliding_window"] = 16;
        config["max_window_layers"] = 0;
        config["layer_types"] = JsonNode.Parse("""["sliding_attention","full_attention","sliding_attention","full_attention"]""");
        Assert.That(Read(config).SlidingWindowLayers, Is.EqualTo(new[] { true, false, true, false }));

        config["layer_types"] = JsonNode.Parse("""["sliding_attention"]""");
        Refusal.Of(() => Read(config), "model.config_field_invalid", "layer_types", "4 layers");
        config["layer_types"] = JsonNode.Parse("""["sliding_attention","full_attention","sliding_attention","linear_attention"]""");
        Refusal.Of(() => Read(config), "model.config_field_invalid", "layer_types", "linear_attention");
    }

    // Token ids

    [TestCase("null", new int[0])]
    [TestCase("[]", new int[0])]
    [TestCase("7", new[] { 7 })]
    [TestCase("[7,9,7]", new[] { 7, 9 })]
    public void End_of_sequence_is_one_id_or_several_or_none(string value, int[] ids) =>
        Assert.That(Read(With("eos_token_id", value)).EndOfSequenceIds, Is.EqualTo(ids));

    [Test]
    public void An_absent_beginning_of_sequence_is_none()
    {
        Assert.That(Read(With("bos_token_id", null)).BeginningOfSequenceId, Is.Null);
        Assert.That(Read(With("bos_token_id", "null")).BeginningOfSequenceId, Is.Null);
    }

    // Bad fields

    [TestCase("hidden_size")]
    [TestCase("intermediate_size")]
    [TestCase("num_hidden_layers")]
    [TestCase("num_attention_heads")]
    [TestCase("vocab_size")]
    [TestCase("max_position_embeddings")]
    [TestCase("rms_norm_eps")]
    public void A_missing_size_is_named_with_its_file(string field) =>
        Refusal.Of(() => Read(With(field, null)), "model.config_field_missing", $"config.json, field '{field}'");

    [TestCase("hidden_size", "0")]
    [TestCase("hidden_size", "-64")]
    [TestCase("hidden_size", "64.5")]
    [TestCase("hidden_size", "\"64\"")]
    [TestCase("hidden_size", "2147483648")]
    [TestCase("intermediate_size", "0")]
    [TestCase("num_hidden_layers", "0")]
    [TestCase("num_hidden_layers", "1000000000")]
    [TestCase("num_attention_heads", "24")]
    [TestCase("num_attention_heads", "true")]
    [TestCase("num_key_value_heads", "3")]
    [TestCase("num_key_value_heads", "16")]
    [TestCase("num_key_value_heads", "0")]
    [TestCase("head_dim", "7")]
    [TestCase("head_dim", "100000000")]
    [TestCase("vocab_size", "[512]")]
    [TestCase("max_position_embeddings", "-1")]
    [TestCase("rms_norm_eps", "0")]
    [TestCase("rms_norm_eps", "-1e-5")]
    [TestCase("rms_norm_eps", "1e-60")]
    [TestCase("rms_norm_eps", "2")]
    [TestCase("rms_norm_eps", "1e999")]
    [TestCase("rope_theta", "0")]
    [TestCase("tie_word_embeddings", "1")]
    [TestCase("attention_bias", "\"no\"")]
    [TestCase("mlp_bias", "0")]
    [TestCase("bos_token_id", "512")]
    [TestCase("bos_token_id", "-1")]
    [TestCase("eos_token_id", "[2,512]")]
    [TestCase("eos_token_id", "\"</s>\"")]
    [TestCase("hidden_act", "\"relu\"")]
    [TestCase("hidden_act", "3")]
    [TestCase("model_type", "3")]
    [TestCase("architectures", "\"LlamaForCausalLM\"")]
    public void A_bad_value_is_refused_with_its_file_field_and_value(string field, string value)
    {
        ShadException error = Refusal.Of(() => Read(With(field, value)), "model.config_field_invalid", $"config.json, field '{field}'");
        Assert.That(error.Expected, Is.Not.Null.And.Not.Empty);
    }

    [Test]
    public void Quantized_weights_are_refused() =>
        Refusal.Of(() => Read(With("quantization_config", """{"quant_method":"awq","bits":4}""")), "model.quantized", "'awq'");

    [Test]
    public void A_config_that_is_not_JSON_is_refused_with_its_line() =>
        Refusal.Of(() => Parse("{\n  \"hidden_size\": 64,\n  oops\n}"), "model.not_json", "config.json:3");

    [Test]
    public void A_field_given_twice_is_refused() =>
        Refusal.Of(() => Parse("""{"hidden_size": 64, "hidden_size": 128}"""), "model.not_json", "hidden_size");

    [TestCase("[]", "a list")]
    [TestCase("3", "a number")]
    public void A_config_that_is_no_object_is_refused(string json, string found) =>
        Refusal.Of(() => Parse(json), "model.not_an_object", found);

    [Test]
    public void A_config_that_is_not_UTF8_is_refused() =>
        Refusal.Of(() => DecoderConfigReader.Parse(new byte[] { (byte)'{', 0xC3, (byte)'}' }, "config.json", true), "model.not_json", "UTF-8");

    [Test]
    public void A_byte_order_mark_is_passed_over() =>
        Assert.That(DecoderConfigReader.Parse(Encoding.UTF8.GetBytes("\uFEFF" + Base.ToJsonString()), "config.json", false).LayerCount, Is.EqualTo(4));

    [Test]
    public void Any_value_in_any_field_is_read_or_refused()
    {
        string[] fields =
        [
            .. Base.Select(static member => member.Key), "head_dim", "rope_theta", "rope_scaling", "rope_parameters", "hidden_act",
            "sliding_window", "use_sliding_window", "max_window_layers", "layer_types", "attention_bias", "mlp_bias",
            "partial_rotary_factor", "quantization_config",
        ];
        string[] values =
        [
            "null", "true", "false", "0", "1", "-1", "3", "64", "1.5", "1e400", "-0.0", "2147483647", "9999999999999999999999", "\"\"",
            "\"x\"", "\"default\"", "\"\\ud83d\"", "[]", "{}", "[1,2]", "[\"full_attention\"]", "[null]", "{\"rope_type\":1}",
            "{\"rope_type\":\"llama3\"}", "{\"factor\":null}", "[\"Qwen3ForCausalLM\"]", "\"mistral\"",
        ];
        Gen.Select(Any.Of(fields), Any.Of(values)).Array[1, 4].Sample(
            edits =>
            {
                Dictionary<string, string> members = Base.ToDictionary(static member => member.Key, static member => member.Value!.ToJsonString());
                foreach ((string field, string value) in edits) members[field] = value;
                string json = "{" + string.Join(",", members.Select(static member => $"\"{member.Key}\":{member.Value}")) + "}";
                try
                {
                    Parse(json);
                }
                catch (ShadException)
                {
                }
            },
            iter: 20_000);
    }

    private static JsonObject Of(string modelType, string architecture)
    {
        JsonObject config = Base;
        config["model_type"] = modelType;
        config["architectures"] = new JsonArray(architecture);
        return config;
    }

    private static JsonObject With(string field, string? value)
    {
        JsonObject config = Base;
        if (value is null) config.Remove(field);
        else config[field] = JsonNode.Parse(value);
        return config;
    }

    private static DecoderConfig Read(JsonObject config, bool headPresent = false) =>
        DecoderConfigReader.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()), "config.json", headPresent);

    private static DecoderConfig Parse(string json) => DecoderConfigReader.Parse(Encoding.UTF8.GetBytes(json), "config.json", headPresent: false);
}
