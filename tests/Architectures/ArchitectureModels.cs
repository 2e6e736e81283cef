using System.Text;
using Shad.Core.Errors;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Tests.Architectures;

/// <summary>Small models of every architecture, as configs that transformers would write, with random weights large enough that norms,
/// biases, windows and bounds decide the losses.</summary>
internal static class ArchitectureModels
{
    /// <summary>Vocabulary of each.</summary>
    public const int Vocabulary = 97;

    /// <summary>Configs by name.</summary>
    public static IReadOnlyDictionary<string, string> Configs { get; } = new Dictionary<string, string>
    {
        ["granite"] = Config("granite", "GraniteForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,"rms_norm_eps":1e-5,
            "rope_theta":10000.0,"embedding_multiplier":3.5,"attention_multiplier":0.21,"residual_multiplier":0.37,"logits_scaling":1.75,
            "attention_bias":false,"mlp_bias":false,"tie_word_embeddings":true
            """),
        ["granite, biases, untied"] = Config("granite", "GraniteForCausalLM", """
            "hidden_size":40,"intermediate_size":72,"num_hidden_layers":2,"num_attention_heads":5,"num_key_value_heads":1,"rms_norm_eps":1e-6,
            "rope_theta":10000.0,"embedding_multiplier":2.0,"attention_multiplier":0.5,"residual_multiplier":0.6,"logits_scaling":0.8,
            "attention_bias":true,"mlp_bias":true,"tie_word_embeddings":false
            """),
        ["smollm3"] = Config("smollm3", "SmolLM3ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":4,"num_attention_heads":6,"num_key_value_heads":3,"rms_norm_eps":1e-6,
            "rope_theta":2000000.0,"no_rope_layer_interval":2
            """),
        ["smollm3, listed layers, windows"] = Config("smollm3", "SmolLM3ForCausalLM", """
            "hidden_size":36,"intermediate_size":72,"num_hidden_layers":3,"num_attention_heads":3,"num_key_value_heads":1,"rms_norm_eps":1e-6,
            "rope_theta":50000.0,"no_rope_layers":[0,1,1],"use_sliding_window":true,"sliding_window":6,
            "layer_types":["sliding_attention","full_attention","sliding_attention"],"tie_word_embeddings":false
            """),
        ["olmo2"] = Config("olmo2", "Olmo2ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,"rms_norm_eps":1e-6,
            "rope_theta":500000.0,"attention_bias":false,"tie_word_embeddings":false
            """),
        ["olmo2, odd heads"] = Config("olmo2", "Olmo2ForCausalLM", """
            "hidden_size":60,"intermediate_size":64,"num_hidden_layers":2,"num_attention_heads":5,"num_key_value_heads":5,"rms_norm_eps":1e-6,
            "rope_theta":10000.0
            """),
        ["phi3"] = Config("phi3", "Phi3ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,"rms_norm_eps":1e-5,
            "rope_theta":10000.0,"sliding_window":9,"tie_word_embeddings":false
            """),
        ["phi3, longrope"] = Config("phi3", "Phi3ForCausalLM", """
            "hidden_size":40,"intermediate_size":72,"num_hidden_layers":2,"num_attention_heads":5,"num_key_value_heads":5,"rms_norm_eps":1e-5,
            "rope_theta":10000.0,"original_max_position_embeddings":64,"max_position_embeddings":512,"sliding_window":null,
            "rope_scaling":{"type":"longrope","short_factor":[1.0,1.1,1.3,2.0],"long_factor":[2.0,3.0,5.0,9.0]}
            """),
        ["phi3, part rotated"] = Config("phi3", "Phi3ForCausalLM", """
            "hidden_size":48,"intermediate_size":64,"num_hidden_layers":2,"num_attention_heads":3,"num_key_value_heads":1,"rms_norm_eps":1e-5,
            "rope_theta":10000.0,"partial_rotary_factor":0.75,"tie_word_embeddings":true
            """),
        ["gemma2"] = Config("gemma2", "Gemma2ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":4,"num_attention_heads":6,"num_key_value_heads":2,"head_dim":16,
            "rms_norm_eps":1e-6,"rope_theta":10000.0,"sliding_window":7,"query_pre_attn_scalar":24,"attn_logit_softcapping":4.0,
            "final_logit_softcapping":6.0,"hidden_activation":"gelu_pytorch_tanh","hidden_act":"gelu_pytorch_tanh"
            """),
        ["gemma2, odd heads"] = Config("gemma2", "Gemma2ForCausalLM", """
            "hidden_size":40,"intermediate_size":72,"num_hidden_layers":3,"num_attention_heads":3,"num_key_value_heads":1,"head_dim":20,
            "rms_norm_eps":1e-6,"sliding_window":5,"query_pre_attn_scalar":20,"attn_logit_softcapping":null,"tie_word_embeddings":false,
            "final_logit_softcapping":3.0,"layer_types":["full_attention","sliding_attention","full_attention"]
            """),
        ["gemma3"] = Config("gemma3_text", "Gemma3ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":6,"num_attention_heads":6,"num_key_value_heads":2,"head_dim":16,
            "rms_norm_eps":1e-6,"rope_theta":1000000.0,"rope_local_base_freq":10000.0,"rope_scaling":{"rope_type":"linear","factor":8.0},
            "sliding_window":6,"query_pre_attn_scalar":16,"hidden_activation":"gelu_pytorch_tanh"
            """),
        ["gemma3, pattern of 2"] = Config("gemma3_text", "Gemma3ForCausalLM", """
            "hidden_size":36,"intermediate_size":64,"num_hidden_layers":3,"num_attention_heads":3,"num_key_value_heads":1,"head_dim":14,
            "rms_norm_eps":1e-6,"sliding_window":5,"sliding_window_pattern":2,"query_pre_attn_scalar":9
            """),
        ["gpt2"] = Config("gpt2", "GPT2LMHeadModel", """
            "n_embd":48,"n_layer":3,"n_head":6,"n_positions":128,"layer_norm_epsilon":1e-5,"activation_function":"gelu_new"
            """),
        ["gpt2, odd heads, untied"] = Config("gpt2", "GPT2LMHeadModel", """
            "n_embd":30,"n_inner":70,"n_layer":2,"n_head":5,"n_positions":96,"layer_norm_epsilon":1e-6,"tie_word_embeddings":false
            """),
        ["llama, yarn"] = Config("llama", "LlamaForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,"head_dim":16,
            "rms_norm_eps":1e-5,"rope_theta":100.0,
            "rope_scaling":{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32,"beta_fast":4,"beta_slow":1}
            """),
        ["qwen3, yarn with attention factor"] = Config("qwen3", "Qwen3ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":2,"num_attention_heads":3,"num_key_value_heads":1,"head_dim":24,
            "rms_norm_eps":1e-6,"rope_theta":1000.0,
            "rope_scaling":{"type":"yarn","factor":2.0,"original_max_position_embeddings":64,"attention_factor":1.3}
            """),
        ["llama, dynamic"] = Config("llama", "LlamaForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,"rms_norm_eps":1e-5,
            "rope_theta":10000.0,"rope_scaling":{"type":"dynamic","factor":2.0}
            """),
        ["llama, linear"] = Config("llama", "LlamaForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,"rms_norm_eps":1e-5,
            "rope_theta":10000.0,"rope_scaling":{"type":"linear","factor":4.0}
            """),
        ["llama 3, scaled"] = Config("llama", "LlamaForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":2,"num_attention_heads":9,"num_key_value_heads":3,"head_dim":16,
            "rms_norm_eps":1e-5,"rope_theta":500000.0,"rope_scaling":
            {"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":32}
            """),
        ["mistral"] = Config("mistral", "MistralForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,"rms_norm_eps":1e-5,
            "sliding_window":8,"tie_word_embeddings":false
            """),
        ["qwen2"] = Config("qwen2", "Qwen2ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,"rms_norm_eps":1e-6,
            "rope_theta":1000000.0
            """),
        ["qwen3"] = Config("qwen3", "Qwen3ForCausalLM", """
            "hidden_size":48,"intermediate_size":80,"num_hidden_layers":3,"num_attention_heads":6,"num_key_value_heads":2,"head_dim":16,
            "rms_norm_eps":1e-6,"rope_theta":1000000.0
            """),
    };

    /// <summary>Names of the configs.</summary>
    public static IEnumerable<string> Names => Configs.Keys;

    /// <summary>What a config is to us.</summary>
    public static DecoderConfig Read(string name) => Parse(Configs[name]);

    /// <summary>What the content of a <c>config.json</c> is to us; the head is tied where the family or the file says so.</summary>
    public static DecoderConfig Parse(string config)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(config);
        try
        {
            return DecoderConfigReader.Parse(bytes, "config.json", headPresent: false);
        }
        catch (ShadException error) when (error.Code == "model.head_missing")
        {
            return DecoderConfigReader.Parse(bytes, "config.json", headPresent: true);
        }
    }

    /// <summary>Writes a model of random weights.</summary>
    /// <param name="name">Name of its config.</param>
    /// <param name="path">The folder.</param>
    /// <param name="dtype">dtype of the weights.</param>
    public static void Write(string name, string path, TensorDtype dtype = TensorDtype.Float32) => Write(Read(name), path, dtype);

    /// <summary>Writes a model of random weights.</summary>
    public static void Write(DecoderConfig config, string path, TensorDtype dtype) => ModelInitializer.Write(
        path, config, new InitializationOptions
        {
            Seed = 11, Dtype = dtype, StandardDeviation = 0.25, NormDeviation = 0.2, BiasDeviation = 0.3,
        });

    /// <summary>The second implementation of a model that <see cref="Write"/> wrote: the config as it was given, not as it was written.</summary>
    public static ArchitectureReference Reference(string name, ModelFolder model) => ReferenceOf(Configs[name], model);

    /// <summary>The second implementation of a model of a config.</summary>
    public static ArchitectureReference ReferenceOf(string config, ModelFolder model, bool tabulatedGelu = false) => new(
        config, model.Weights.Tensors.Keys,
        tensor => Array.ConvertAll(model.Weights.ReadFloat32(tensor), static value => (double)value)) { TabulatedGelu = tabulatedGelu };

    private static string Config(string type, string architecture, string fields)
    {
        string context = fields.Contains("max_position_embeddings", StringComparison.Ordinal) && fields.Contains("short_factor", StringComparison.Ordinal)
            || type == "gpt2" ? "" : "\"max_position_embeddings\":128,";
        return $$"""{"model_type":"{{type}}","architectures":["{{architecture}}"],"vocab_size":{{Vocabulary}},{{context}}{{fields}}}""";
    }
}
