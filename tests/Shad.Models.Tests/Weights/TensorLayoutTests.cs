using Shad.Core.Errors;
using Shad.Models.Configuration;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Weights;

public sealed class TensorLayoutTests
{
    [Test]
    public void Names_are_those_of_Hugging_Face()
    {
        LayerTensorNames layer = TensorNames.Layer(12);
        Assert.Multiple(() =>
        {
            Assert.That(layer.InputNorm, Is.EqualTo("model.layers.12.input_layernorm.weight"));
            Assert.That(layer.Query.Weight, Is.EqualTo("model.layers.12.self_attn.q_proj.weight"));
            Assert.That(layer.Key.Bias, Is.EqualTo("model.layers.12.self_attn.k_proj.bias"));
            Assert.That(layer.Value.ToString(), Is.EqualTo("model.layers.12.self_attn.v_proj"));
            Assert.That(layer.Output.Weight, Is.EqualTo("model.layers.12.self_attn.o_proj.weight"));
            Assert.That(layer.QueryNorm, Is.EqualTo("model.layers.12.self_attn.q_norm.weight"));
            Assert.That(layer.KeyNorm, Is.EqualTo("model.layers.12.self_attn.k_norm.weight"));
            Assert.That(layer.PostAttentionNorm, Is.EqualTo("model.layers.12.post_attention_layernorm.weight"));
            Assert.That(layer.Gate.Weight, Is.EqualTo("model.layers.12.mlp.gate_proj.weight"));
            Assert.That(layer.Up.Weight, Is.EqualTo("model.layers.12.mlp.up_proj.weight"));
            Assert.That(layer.Down.Weight, Is.EqualTo("model.layers.12.mlp.down_proj.weight"));
        });
    }

    [Test]
    public void A_layout_has_the_shapes_of_its_config()
    {
        DecoderConfig config = Configs.Llama with { QueryKeyValueBias = true, OutputBias = true, MlpBias = true, TiedHead = false };
        Dictionary<string, long[]> shapes = TensorLayout.Expected(config).ToDictionary(static t => t.Name, static t => t.Shape);
        LayerTensorNames layer = TensorNames.Layer(1);

        Assert.Multiple(() =>
        {
            Assert.That(shapes, Has.Count.EqualTo(3 + 2 * (2 + 7 + 7)));
            Assert.That(shapes[TensorNames.Embedding], Is.EqualTo(new long[] { 50, 24 }));
            Assert.That(shapes[TensorNames.Head], Is.EqualTo(new long[] { 50, 24 }));
            Assert.That(shapes[layer.Query.Weight], Is.EqualTo(new long[] { 24, 24 }));
            Assert.That(shapes[layer.Key.Weight], Is.EqualTo(new long[] { 12, 24 }));
            Assert.That(shapes[layer.Value.Bias], Is.EqualTo(new long[] { 12 }));
            Assert.That(shapes[layer.Output.Bias], Is.EqualTo(new long[] { 24 }));
            Assert.That(shapes[layer.Gate.Weight], Is.EqualTo(new long[] { 36, 24 }));
            Assert.That(shapes[layer.Down.Weight], Is.EqualTo(new long[] { 24, 36 }));
            Assert.That(shapes[layer.Up.Bias], Is.EqualTo(new long[] { 36 }));
        });
    }

    [Test]
    public void A_head_size_of_its_own_widens_queries_keys_and_values()
    {
        Dictionary<string, long[]> shapes = TensorLayout.Expected(Configs.Qwen3).ToDictionary(static t => t.Name, static t => t.Shape);
        LayerTensorNames layer = TensorNames.Layer(0);

        Assert.Multiple(() =>
        {
            Assert.That(shapes[layer.Query.Weight], Is.EqualTo(new long[] { 60, 24 }));
            Assert.That(shapes[layer.Key.Weight], Is.EqualTo(new long[] { 30, 24 }));
            Assert.That(shapes[layer.Output.Weight], Is.EqualTo(new long[] { 24, 60 }));
            Assert.That(shapes[layer.QueryNorm], Is.EqualTo(new long[] { 10 }));
            Assert.That(shapes[layer.KeyNorm], Is.EqualTo(new long[] { 10 }));
        });
    }

    [Test]
    public void All_differences_are_told_at_once()
    {
        Dictionary<string, TensorEntry> tensors = Entries(Configs.Llama);
        tensors.Remove(TensorNames.FinalNorm);
        tensors.Remove(TensorNames.Layer(0).Gate.Weight);
        tensors[TensorNames.Layer(1).Key.Weight] = Entry(TensorNames.Layer(1).Key.Weight, [24, 24]);
        tensors.Add("model.layers.0.self_attn.q_proj.bias", Entry("model.layers.0.self_attn.q_proj.bias", [24]));

        Refusal.Of(
            () => TensorLayout.Check(Configs.Llama, tensors, "the model"), "model.layout_mismatch", "the model: ",
            "2 tensors missing: model.layers.0.mlp.gate_proj.weight, model.norm.weight",
            "1 tensor of wrong shape: model.layers.1.self_attn.k_proj.weight [24, 24] instead of [12, 24]",
            "1 tensor not known to this architecture: model.layers.0.self_attn.q_proj.bias");
    }

    [Test]
    public void A_long_list_of_differences_is_cut_and_counted()
    {
        ShadException error = Refusal.Of(
            () => TensorLayout.Check(Configs.Llama, new Dictionary<string, TensorEntry>(), "the model"), "model.layout_mismatch",
            "20 tensors missing: ", ", and 10 more");
        Assert.That(error.Message.Split("model.").Length - 1, Is.EqualTo(10));
    }

    [Test]
    public void Computed_buffers_of_old_checkpoints_are_passed_over()
    {
        Dictionary<string, TensorEntry> tensors = Entries(Configs.Llama);
        const string Buffer = "model.layers.0.self_attn.rotary_emb.inv_freq";
        tensors.Add(Buffer, Entry(Buffer, [2]));
        Assert.DoesNotThrow(() => TensorLayout.Check(Configs.Llama, tensors, "the model"));
    }

    private static Dictionary<string, TensorEntry> Entries(DecoderConfig config) =>
        TensorLayout.Expected(config).ToDictionary(static spec => spec.Name, static spec => Entry(spec.Name, spec.Shape));

    private static TensorEntry Entry(string name, long[] shape) => new(name, TensorDtype.Float32, shape, "file", 0, 0);
}
