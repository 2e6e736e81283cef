using CsCheck;
using Shad.Core.Errors;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Weights;

public sealed class ModelWeightsTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void Shards_are_read_as_one_model()
    {
        Shard("model-00001-of-00002.safetensors", ("a", 1), ("b", 2));
        Shard("model-00002-of-00002.safetensors", ("c", 3), ("unlisted", 4));
        Index("""{"metadata":{"total_size":12},"weight_map":{"a":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors","b":"model-00001-of-00002.safetensors"}}""");

        using ModelWeights weights = ModelWeights.Open(_folder.Path);

        Assert.Multiple(() =>
        {
            Assert.That(weights.Tensors.Keys, Is.EquivalentTo(new[] { "a", "b", "c" }));
            Assert.That(weights.ReadFloat32("a"), Is.EqualTo(new[] { 1f }));
            Assert.That(weights.ReadFloat32("b"), Is.EqualTo(new[] { 2f }));
            Assert.That(weights.ReadFloat32("c"), Is.EqualTo(new[] { 3f }));
            Assert.That(BitConverter.ToSingle(weights.AsSpan("c")), Is.EqualTo(3f));
            Assert.That(weights.Tensors["c"].File, Is.EqualTo(_folder.File("model-00002-of-00002.safetensors")));
            Assert.That(weights.Files, Has.Count.EqualTo(2));
        });
        Refusal.Of(() => weights.ReadFloat32("unlisted"), "model.tensor_missing", "unlisted");
    }

    [Test]
    public void The_main_dtype_is_the_one_of_most_bytes()
    {
        SafetensorsWriter.Write(_folder.File(ModelWeights.FileName),
        [
            TensorToWrite.FromFloat32("norm1", TensorDtype.Float32, [1], static () => new float[1]),
            TensorToWrite.FromFloat32("norm2", TensorDtype.Float32, [1], static () => new float[1]),
            TensorToWrite.FromFloat32("matrix", TensorDtype.BFloat16, [3, 3], static () => new float[9]),
        ]);
        using ModelWeights weights = ModelWeights.Open(_folder.Path);
        Assert.That(weights.MainDtype, Is.EqualTo(TensorDtype.BFloat16));
    }

    [Test]
    public void A_missing_shard_is_named_before_any_is_opened()
    {
        File.WriteAllText(_folder.File("one.safetensors"), "not even safetensors");
        Index("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}}""");
        Refusal.Of(Open, "model.shard_missing", "two.safetensors", "2 tensors");
    }

    [Test]
    public void A_tensor_missing_from_its_shard_is_named()
    {
        Shard("one.safetensors", ("a", 1));
        Index("""{"weight_map":{"a":"one.safetensors","b":"one.safetensors"}}""");
        Refusal.Of(Open, "model.tensor_not_in_shard", "one.safetensors", "'b'");
    }

    [TestCase("../x.safetensors")]
    [TestCase("/etc/x.safetensors")]
    [TestCase("sub/x.safetensors")]
    [TestCase("..\\\\x.safetensors")]
    [TestCase("C:x.safetensors")]
    [TestCase("..")]
    [TestCase("x.bin")]
    [TestCase("x\\u0000.safetensors")]
    public void A_shard_name_that_leaves_the_folder_is_refused(string name)
    {
        Index($$$"""{"weight_map":{"a":"{{{name}}}"}}""");
        Refusal.Of(Open, "model.shard_name_unsafe", "'a'");
    }

    [TestCase("""{}""")]
    [TestCase("""{"weight_map":[]}""")]
    [TestCase("""{"weight_map":{}}""")]
    [TestCase("""{"weight_map":{"a":1}}""")]
    public void An_index_without_a_sound_map_is_refused(string json)
    {
        Index(json);
        Refusal.Of(Open, "model.index_invalid", ModelWeights.IndexFileName, "weight_map");
    }

    [Test]
    public void An_index_that_is_not_JSON_is_refused_with_its_line()
    {
        Index("{\n\"weight_map\":\n{,}}");
        Refusal.Of(Open, "model.not_json", ModelWeights.IndexFileName + ":3");
    }

    [Test]
    public void A_mutated_index_is_read_or_refused()
    {
        Shard("one.safetensors", ("a", 1));
        byte[] index = "{\"metadata\":{\"total_size\":4},\"weight_map\":{\"a\":\"one.safetensors\"}}"u8.ToArray();
        Gen.Select(Gen.Int[0, index.Length - 1], Gen.OneOf(Gen.Byte, Any.Of((byte)'"', (byte)'{', (byte)'\\', (byte)'/', (byte)'.'))).Array[1, 3].Sample(
            edits =>
            {
                byte[] mutated = [.. index];
                foreach ((int at, byte value) in edits) mutated[at] = value;
                File.WriteAllBytes(_folder.File(ModelWeights.IndexFileName), mutated);
                try
                {
                    ModelWeights.Open(_folder.Path).Dispose();
                }
                catch (ShadException)
                {
                }
            },
            iter: 2_000, threads: 1);
    }

    [Test]
    public void A_folder_without_weights_is_refused() =>
        Refusal.Of(Open, "model.missing_file", ModelWeights.FileName);

    [TestCase("pytorch_model.bin")]
    [TestCase("model-q4.gguf")]
    [TestCase("adapter_model.safetensors")]
    public void Weights_of_another_format_are_named(string name)
    {
        File.WriteAllText(_folder.File(name), "");
        Refusal.Of(Open, "model.missing_file", ModelWeights.FileName, $"'{name}'");
    }

    [Test]
    public void A_tensor_has_the_same_values_as_its_widening_and_not_as_one_of_another_value_or_shape()
    {
        // Values that 16 bits hold exactly; more of them than are compared at a time.
        float[] values = [.. Enumerable.Range(0, 300_000).Select(static i => (i % 64 - 32) / 8f)];
        float[] last = [.. values[..^1], values[^1] + 0.125f];
        float[] nan = [.. values[..^1], float.NaN];
        void Write(string file, params (string Name, TensorDtype Dtype, float[] Values)[] tensors) => SafetensorsWriter.Write(
            _folder.File(file, ModelWeights.FileName),
            tensors.Select(tensor => TensorToWrite.FromFloat32(tensor.Name, tensor.Dtype, [tensor.Values.Length], () => tensor.Values)));
        Directory.CreateDirectory(_folder.File("one"));
        Directory.CreateDirectory(_folder.File("other"));
        Write("one", ("f32", TensorDtype.Float32, values), ("bf16", TensorDtype.BFloat16, values), ("nan", TensorDtype.BFloat16, nan));
        Write(
            "other", ("f32", TensorDtype.Float32, values), ("f16", TensorDtype.Float16, values), ("last", TensorDtype.Float32, last),
            ("cut", TensorDtype.Float32, values[..^1]), ("nan", TensorDtype.Float32, nan));
        using ModelWeights one = ModelWeights.Open(_folder.File("one")), other = ModelWeights.Open(_folder.File("other"));
        Assert.Multiple(() =>
        {
            foreach (string name in new[] { "f32", "bf16" })
            {
                Assert.That(one.HasSameValues(name, one, name), name);
                Assert.That(one.HasSameValues(name, other, "f32"), name);
                Assert.That(one.HasSameValues(name, other, "f16"), name);
                Assert.That(other.HasSameValues("f16", one, name), name);
                Assert.That(one.HasSameValues(name, other, "last"), Is.False, name);
                Assert.That(one.HasSameValues(name, other, "cut"), Is.False, name);
            }

            Assert.That(one.HasSameValues("nan", other, "nan"));
            Assert.That(one.HasSameValues("nan", other, "f32"), Is.False);
        });
        Refusal.Of(() => one.HasSameValues("f32", other, "absent"), "model.tensor_missing", "absent");
    }

    private void Open() => ModelWeights.Open(_folder.Path).Dispose();

    private void Index(string json) => File.WriteAllText(_folder.File(ModelWeights.IndexFileName), json);

    private void Shard(string name, params (string Name, float Value)[] tensors) => SafetensorsWriter.Write(
        _folder.File(name),
        tensors.Select(tensor => TensorToWrite.FromFloat32(tensor.Name, TensorDtype.Float32, [1], () => new[] { tensor.Value })));
}
