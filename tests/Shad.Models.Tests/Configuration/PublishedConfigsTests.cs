using System.Text;
using Shad.Models.Configuration;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Configuration;

/// <summary>
/// Configs of published models. Their parameter counts, published too, are an independent check of what was read and of the
/// tensor layout: any size, bias, norm or head read wrongly changes the count.
/// </summary>
public sealed class PublishedConfigsTests
{
    private const string Llama32 = """
        {
          "architectures": ["LlamaForCausalLM"],
          "attention_bias": false,
          "attention_dropout": 0.0,
          "bos_token_id": 128000,
          "eos_token_id": [128001, 128008, 128009],
          "head_dim": 64,
          "hidden_act": "silu",
          "hidden_size": 2048,
          "initializer_range": 0.02,
          "intermediate_size": 8192,
          "max_position_embeddings": 131072,
          "mlp_bias": false,
          "model_type": "llama",
          "num_attention_heads": 32,
          "num_hidden_layers": 16,
          "num_key_value_heads": 8,
          "pretraining_tp": 1,
          "rms_norm_eps": 1e-05,
          "rope_scaling": {
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3"
          },
          "rope_theta": 500000.0,
          "tie_word_embeddings": true,
          "torch_dtype": "bfloat16",
          "use_cache": true,
          "vocab_size": 128256
        }
        """;

    private const string Qwen25 = """
        {
          "architectures": ["Qwen2ForCausalLM"],
          "bos_token_id": 151643,
          "eos_token_id": 151645,
          "hidden_act": "silu",
          "hidden_size": 896,
          "intermediate_size": 4864,
          "max_position_embeddings": 32768,
          "max_window_layers": 21,
          "model_type": "qwen2",
          "num_attention_heads": 14,
          "num_hidden_layers": 24,
          "num_key_value_heads": 2,
          "rms_norm_eps": 1e-06,
          "rope_theta": 1000000.0,
          "sliding_window": 32768,
          "tie_word_embeddings": true,
          "torch_dtype": "bfloat16",
          "use_sliding_window": false,
          "vocab_size": 151936
        }
        """;

    private const string Qwen3 = """
        {
          "architectures": ["Qwen3ForCausalLM"],
          "attention_bias": false,
          "bos_token_id": 151643,
          "eos_token_id": 151645,
          "head_dim": 128,
          "hidden_act": "silu",
          "hidden_size": 1024,
          "intermediate_size": 3072,
          "max_position_embeddings": 40960,
          "max_window_layers": 28,
          "model_type": "qwen3",
          "num_attention_heads": 16,
          "num_hidden_layers": 28,
          "num_key_value_heads": 8,
          "rms_norm_eps": 1e-06,
          "rope_scaling": null,
          "rope_theta": 1000000,
          "sliding_window": null,
          "tie_word_embeddings": true,
          "use_sliding_window": false,
          "vocab_size": 151936
        }
        """;

    private const string Mistral7B = """
        {
          "architectures": ["MistralForCausalLM"],
          "bos_token_id": 1,
          "eos_token_id": 2,
          "hidden_act": "silu",
          "hidden_size": 4096,
          "intermediate_size": 14336,
          "max_position_embeddings": 32768,
          "model_type": "mistral",
          "num_attention_heads": 32,
          "num_hidden_layers": 32,
          "num_key_value_heads": 8,
          "rms_norm_eps": 1e-05,
          "rope_theta": 10000.0,
          "sliding_window": 4096,
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16",
          "vocab_size": 32000
        }
        """;

    private const string Llama2 = """
        {
          "architectures": ["LlamaForCausalLM"],
          "bos_token_id": 1,
          "eos_token_id": 2,
          "hidden_act": "silu",
          "hidden_size": 4096,
          "intermediate_size": 11008,
          "max_position_embeddings": 4096,
          "model_type": "llama",
          "num_attention_heads": 32,
          "num_hidden_layers": 32,
          "num_key_value_heads": 32,
          "pretraining_tp": 1,
          "rms_norm_eps": 1e-05,
          "rope_scaling": null,
          "tie_word_embeddings": false,
          "vocab_size": 32000
        }
        """;

    [TestCase(Llama32, false, 1_235_814_400, TestName = "Llama-3.2-1B has 1,235,814,400 parameters")]
    [TestCase(Qwen25, false, 494_032_768, TestName = "Qwen2.5-0.5B has 494,032,768 parameters")]
    [TestCase(Qwen3, false, 596_049_920, TestName = "Qwen3-0.6B has 596,049,920 parameters")]
    [TestCase(Mistral7B, true, 7_241_732_096, TestName = "Mistral-7B has 7,241,732,096 parameters")]
    [TestCase(Llama2, true, 6_738_415_616, TestName = "Llama-2-7B has 6,738,415,616 parameters")]
    public void A_published_model_has_its_published_parameter_count(string json, bool headPresent, long parameters)
    {
        DecoderConfig config = Parse(json, headPresent);
        long counted = TensorLayout.Expected(config).Sum(static tensor => tensor.Shape.Aggregate(1L, static (a, b) => a * b));
        Assert.That(counted, Is.EqualTo(parameters));
    }

    [Test]
    public void Llama_3_2_is_read()
    {
        DecoderConfig config = Parse(Llama32, headPresent: false);
        Assert.Multiple(() =>
        {
            Assert.That(config.ModelType, Is.EqualTo("llama"));
            Assert.That(config.TiedHead, Is.True);
            Assert.That(config.Rotary, Is.EqualTo(new RotaryEmbedding(500_000, new Llama3RotaryScaling(32, 1, 4, 8192))));
            Assert.That(config.ContextLength, Is.EqualTo(131_072));
            Assert.That(config.NormEpsilon, Is.EqualTo(1e-5f));
            Assert.That(config.BeginningOfSequenceId, Is.EqualTo(128_000));
            Assert.That(config.EndOfSequenceIds, Is.EqualTo(new[] { 128_001, 128_008, 128_009 }));
            Assert.That(config.QueryKeyValueBias || config.OutputBias || config.MlpBias, Is.False);
            Assert.That(config.QueryKeyNorm, Is.EqualTo(QueryKeyNorm.None));
        });
    }

    [Test]
    public void Qwen2_5_has_biases_on_query_key_and_value_and_its_window_switched_off()
    {
        DecoderConfig config = Parse(Qwen25, headPresent: false);
        Assert.Multiple(() =>
        {
            Assert.That(config.QueryKeyValueBias, Is.True);
            Assert.That(config.OutputBias, Is.False);
            Assert.That(config.HeadSize, Is.EqualTo(64));
            Assert.That(config.SlidingWindow, Is.Null);
            Assert.That(config.Rotary, Is.EqualTo(new RotaryEmbedding(1_000_000)));
        });
    }

    [Test]
    public void Qwen3_has_head_norms_and_a_head_size_of_its_own()
    {
        DecoderConfig config = Parse(Qwen3, headPresent: false);
        Assert.Multiple(() =>
        {
            Assert.That(config.QueryKeyNorm, Is.EqualTo(QueryKeyNorm.EachHead));
            Assert.That(config.QueryKeyValueBias, Is.False);
            Assert.That(config.HeadSize, Is.EqualTo(128));
            Assert.That(config.SlidingWindow, Is.Null);
            Assert.That(config.EndOfSequenceIds, Is.EqualTo(new[] { 151_645 }));
        });
    }

    [Test]
    public void Mistral_attends_through_its_window_in_every_layer()
    {
        DecoderConfig config = Parse(Mistral7B, headPresent: true);
        Assert.Multiple(() =>
        {
            Assert.That(config.TiedHead, Is.False);
            Assert.That(config.SlidingWindow, Is.EqualTo(4096));
            Assert.That(config.SlidingWindowLayers, Is.Null);
            Assert.That(config.WindowOf(0), Is.EqualTo(4096));
            Assert.That(config.WindowOf(31), Is.EqualTo(4096));
        });
    }

    [Test]
    public void Llama_2_without_rope_theta_takes_ten_thousand() =>
        Assert.That(Parse(Llama2, headPresent: true).Rotary, Is.EqualTo(new RotaryEmbedding(10_000)));

    private static DecoderConfig Parse(string json, bool headPresent) =>
        DecoderConfigReader.Parse(Encoding.UTF8.GetBytes(json), "config.json", headPresent);
}
