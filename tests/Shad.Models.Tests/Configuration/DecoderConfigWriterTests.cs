using System.Text;
using System.Text.Json;
using CsCheck;
using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Configuration;

public sealed class DecoderConfigWriterTests
{
    private static readonly Gen<RotaryEmbedding> AnyRotary = Gen.Select(
        Gen.Double[100, 1e7],
        Gen.OneOf(
            Gen.Const(static RotaryScaling? () => null),
            Gen.Double[1, 64].Select(static RotaryScaling? (factor) => new LinearRotaryScaling(factor)),
            Gen.Select(Gen.Double[1, 64], Gen.Double[0.1, 2], Gen.Double[2.1, 8], Gen.Int[1, 100_000])
                .Select(static RotaryScaling? (t) => new Llama3RotaryScaling(t.Item1, t.Item2, t.Item3, t.Item4))),
        static (theta, scaling) => new RotaryEmbedding(theta, scaling));

    [Test]
    public void A_config_written_is_read_back_the_same_for_every_family() =>
        Gen.Select(
            Any.Of<DecoderConfig>([.. Configs.OneOfEachFamily]), AnyRotary, Gen.Bool, Gen.Bool.Array[5], Gen.Int[1, 99].Nullable(),
            Gen.Int[0, 49].HashSet[0, 3], Gen.Int[0, 49].Nullable(), Gen.Float[1e-8f, 0.1f])
        .Sample(
            (family, rotary, bias, sliding, window, ends, beginning, epsilon) =>
            {
                bool mayWindow = family.ModelType != "llama";
                bool someLayersOnly = family.ModelType.StartsWith("qwen", StringComparison.Ordinal) && sliding.Contains(true) && sliding.Contains(false);
                DecoderConfig config = family with
                {
                    LayerCount = sliding.Length,
                    Rotary = rotary,
                    NormEpsilon = epsilon,
                    QueryKeyValueBias = family.ModelType == "qwen2" || (bias && family.ModelType != "mistral"),
                    OutputBias = bias && family.ModelType is "llama" or "qwen3" && bias,
                    MlpBias = bias && family.ModelType == "llama",
                    SlidingWindow = mayWindow ? window : null,
                    SlidingWindowLayers = mayWindow && window is not null && someLayersOnly ? sliding : null,
                    BeginningOfSequenceId = beginning,
                    EndOfSequenceIds = [.. ends],
                };

                DecoderConfig read = DecoderConfigReader.Parse(DecoderConfigWriter.ToJson(config, TensorDtype.Float32), "config.json", !config.TiedHead);

                Assert.That(read, Is.EqualTo(config).UsingPropertiesComparer());
            },
            iter: 2_000);

    [Test]
    public void Numbers_that_are_floats_are_written_as_floats()
    {
        DecoderConfig config = Configs.Llama with { Rotary = new RotaryEmbedding(500_000, new Llama3RotaryScaling(8, 1, 4, 32)) };
        string json = Encoding.UTF8.GetString(DecoderConfigWriter.ToJson(config, TensorDtype.BFloat16));
        Assert.Multiple(() =>
        {
            Assert.That(json, Does.Contain("\"rope_theta\": 500000.0"));
            Assert.That(json, Does.Contain("\"factor\": 8.0"));
            Assert.That(json, Does.Contain("\"torch_dtype\": \"bfloat16\""));
            Assert.That(json, Does.Contain("\"LlamaForCausalLM\""));
            Assert.That(json, Does.EndWith("}\n"));
        });
    }

    [Test]
    public void A_window_from_a_layer_on_is_said_in_both_ways()
    {
        DecoderConfig config = Configs.Qwen2 with { LayerCount = 3, SlidingWindowLayers = [false, true, true] };
        using JsonDocument json = JsonDocument.Parse(DecoderConfigWriter.ToJson(config, TensorDtype.Float32));
        Assert.That(json.RootElement.GetProperty("max_window_layers").GetInt32(), Is.EqualTo(1));
        Assert.That(json.RootElement.GetProperty("use_sliding_window").GetBoolean(), Is.True);
        Assert.That(
            json.RootElement.GetProperty("layer_types").EnumerateArray().Select(static type => type.GetString()),
            Is.EqualTo(new[] { "full_attention", "sliding_attention", "sliding_attention" }));
    }

    private static IEnumerable<TestCaseData> Inexpressible()
    {
        yield return new TestCaseData(Configs.Llama with { QueryKeyValueBias = true }).SetArgDisplayNames("llama, bias without output bias");
        yield return new TestCaseData(Configs.Llama with { QueryKeyNorm = QueryKeyNorm.EachHead }).SetArgDisplayNames("llama, head norms");
        yield return new TestCaseData(Configs.Llama with { SlidingWindow = 4 }).SetArgDisplayNames("llama, window");
        yield return new TestCaseData(Configs.Mistral with { MlpBias = true }).SetArgDisplayNames("mistral, MLP bias");
        yield return new TestCaseData(Configs.Mistral with { QueryKeyValueBias = true, OutputBias = true }).SetArgDisplayNames("mistral, bias");
        yield return new TestCaseData(Configs.Mistral with { SlidingWindowLayers = [true, false] }).SetArgDisplayNames("mistral, window in some layers");
        yield return new TestCaseData(Configs.Qwen2 with { QueryKeyValueBias = false }).SetArgDisplayNames("qwen2, no bias");
        yield return new TestCaseData(Configs.Qwen3 with { QueryKeyNorm = QueryKeyNorm.None }).SetArgDisplayNames("qwen3, no head norms");
        yield return new TestCaseData(Configs.Llama with { ModelType = "gpt2" }).SetArgDisplayNames("gpt2");
    }

    [TestCaseSource(nameof(Inexpressible))]
    public void A_config_that_its_model_type_cannot_say_is_refused(DecoderConfig config) =>
        Refusal.Of(() => DecoderConfigWriter.ToJson(config, TensorDtype.Float32), "model.config_inexpressible", config.ModelType);
}
