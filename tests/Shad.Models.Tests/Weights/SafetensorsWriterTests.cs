using System.Text;
using System.Text.Json;
using CsCheck;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Weights;

public sealed class SafetensorsWriterTests
{
    private static readonly Gen<(TensorDtype Dtype, long[] Shape)> AnyTensor = Gen.Select(
        Any.Of(TensorDtype.Float32, TensorDtype.Float16, TensorDtype.BFloat16), Gen.Long[0, 9].Array[0, 3]);

    private TemporaryFolder _folder = null!;

    private string Target => _folder.File("model.safetensors");

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void Bytes_written_are_read_back_for_all_dtypes_and_shapes() =>
        Gen.Select(AnyTensor.Array[0, 12], Gen.Int).Sample(
            (tensors, seed) =>
            {
                var random = new Random(seed);
                var contents = new Dictionary<string, byte[]>();
                var written = new List<TensorToWrite>();
                for (int i = 0; i < tensors.Length; i++)
                {
                    (TensorDtype dtype, long[] shape) = tensors[i];
                    byte[] content = new byte[shape.Aggregate((long)dtype.ByteSize(), static (a, b) => a * b)];
                    random.NextBytes(content);
                    contents.Add($"t.{i}", content);
                    written.Add(new TensorToWrite($"t.{i}", dtype, shape, stream => stream.Write(content)));
                }

                string path = _folder.File($"{seed}-{tensors.Length}.safetensors");
                SafetensorsWriter.Write(path, written, new Dictionary<string, string> { ["made by"] = "ein Prüfer \"\\" });
                using SafetensorsFile file = SafetensorsFile.Open(path);
                Assert.That(file.Tensors, Has.Count.EqualTo(tensors.Length));
                Assert.That(file.Metadata["made by"], Is.EqualTo("ein Prüfer \"\\"));
                Assert.That(file.Metadata["format"], Is.EqualTo("pt"));
                for (int i = 0; i < tensors.Length; i++)
                {
                    TensorEntry entry = file.Tensors[$"t.{i}"];
                    Assert.That(entry.Dtype, Is.EqualTo(tensors[i].Dtype));
                    Assert.That(entry.Shape, Is.EqualTo(tensors[i].Shape));
                    Assert.That(file.AsSpan(entry.Name).SequenceEqual(contents[entry.Name]));
                    long granule = entry.ByteLength == 0 ? 1 : Math.Min(64, entry.ByteLength & -entry.ByteLength);
                    Assert.That(entry.Offset % granule, Is.Zero, $"{entry.Name} of {entry.ByteLength} bytes lies at {entry.Offset}.");
                }

                File.Delete(path);
            },
            iter: 300, threads: 1);

    [Test]
    public void A_tensor_of_a_multiple_of_64_bytes_starts_at_a_multiple_of_64_whatever_is_before_it()
    {
        SafetensorsWriter.Write(Target,
        [
            Zeros("odd", TensorDtype.BFloat16, 3), Zeros("even", TensorDtype.Float32, 2), Zeros("matrix", TensorDtype.Float32, 16, 5),
            Zeros("half", TensorDtype.Float16, 32),
        ]);

        using SafetensorsFile file = SafetensorsFile.Open(Target);
        Assert.Multiple(() =>
        {
            Assert.That(file.Tensors["matrix"].Offset % 64, Is.Zero);
            Assert.That(file.Tensors["half"].Offset % 64, Is.Zero);
            Assert.That(file.Tensors["even"].Offset % 8, Is.Zero);
            Assert.That(file.Tensors["odd"].Offset % 2, Is.Zero);
        });
    }

    [Test]
    public void The_header_is_plain_JSON_padded_with_spaces()
    {
        SafetensorsWriter.Write(Target, [Zeros("w", TensorDtype.Float16, 2, 3)]);

        byte[] bytes = File.ReadAllBytes(Target);
        int headerLength = (int)BitConverter.ToUInt64(bytes);
        string header = Encoding.UTF8.GetString(bytes, 8, headerLength);
        Assert.That((8 + headerLength) % 64, Is.Zero);
        Assert.That(bytes, Has.Length.EqualTo(8 + headerLength + 12));
        using JsonDocument json = JsonDocument.Parse(header);
        JsonElement entry = json.RootElement.GetProperty("w");
        Assert.That(entry.GetProperty("dtype").GetString(), Is.EqualTo("F16"));
        Assert.That(entry.GetProperty("shape").ToString(), Is.EqualTo("[2,3]"));
        Assert.That(entry.GetProperty("data_offsets").ToString(), Is.EqualTo("[0,12]"));
    }

    [Test]
    public void Values_from_float32_span_many_blocks()
    {
        float[] values = [.. Enumerable.Range(0, 200_001).Select(static i => i / 1024f)];
        int next = 0;
        SafetensorsWriter.Write(Target,
        [
            TensorToWrite.FromFloat32("memory", TensorDtype.Float32, [values.Length], () => values),
            TensorToWrite.FromBlocks("blocks", TensorDtype.Float32, [values.Length], block =>
            {
                values.AsSpan(next, block.Length).CopyTo(block);
                next += block.Length;
            }),
        ]);

        using SafetensorsFile file = SafetensorsFile.Open(Target);
        Assert.That(file.ReadFloat32("memory"), Is.EqualTo(values));
        Assert.That(file.ReadFloat32("blocks"), Is.EqualTo(values));
    }

    [Test]
    public void A_copied_tensor_is_the_same_to_the_bit()
    {
        byte[] content = new byte[3_000_002];
        new Random(4).NextBytes(content);
        string source = _folder.File("source");
        SafetensorsWriter.Write(Path.Combine(source, ModelWeights.FileName),
            [new TensorToWrite("w", TensorDtype.BFloat16, [content.Length / 2], stream => stream.Write(content))]);
        using ModelWeights weights = ModelWeights.Open(source);

        SafetensorsWriter.Write(Target, [TensorToWrite.CopyOf(weights, "w")]);

        using SafetensorsFile file = SafetensorsFile.Open(Target);
        Assert.That(file.AsSpan("w").SequenceEqual(content));
    }

    [Test]
    public void An_existing_file_is_replaced()
    {
        File.WriteAllText(Target, "old");
        SafetensorsWriter.Write(Target, [Zeros("w", TensorDtype.Float32, 1)]);

        using SafetensorsFile file = SafetensorsFile.Open(Target);
        Assert.That(file.Tensors, Contains.Key("w"));
    }

    [TestCase(3)]
    [TestCase(5)]
    public void A_tensor_of_wrong_length_writes_nothing(int bytes)
    {
        File.WriteAllText(Target, "old");

        Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(
            Target, [new TensorToWrite("w", TensorDtype.Float32, [1], stream => stream.Write(new byte[bytes]))]));
        OnlyTheOldFileIsThere();
    }

    [Test]
    public void An_interrupted_write_leaves_the_old_file()
    {
        File.WriteAllText(Target, "old");

        Assert.Throws<OperationCanceledException>(() => SafetensorsWriter.Write(
            Target, [Zeros("a", TensorDtype.Float32, 4), new TensorToWrite("b", TensorDtype.Float32, [4], static _ => throw new OperationCanceledException())]));
        OnlyTheOldFileIsThere();
    }

    [Test]
    public void A_disk_that_fails_is_told_and_leaves_the_old_file()
    {
        File.WriteAllText(Target, "old");

        Refusal.Of(
            () => SafetensorsWriter.Write(Target, [new TensorToWrite("b", TensorDtype.Float32, [4], static _ => throw new IOException("No space left on device"))]),
            "model.cannot_write", "No space left on device", "model.safetensors", "disk space");
        OnlyTheOldFileIsThere();
    }

    [Test]
    public void A_file_larger_than_the_disk_is_refused_and_leaves_the_old_file()
    {
        File.WriteAllText(Target, "old");

        // 2^52 bytes. Where the file system reserves nothing ahead, the first write fails in its place.
        Refusal.Of(
            () => SafetensorsWriter.Write(Target, [new TensorToWrite("b", TensorDtype.Float32, [1L << 50], static _ => throw new IOException("full"))]),
            "model.cannot_write");
        OnlyTheOldFileIsThere();
    }

    [Test]
    public void A_folder_that_cannot_be_is_told()
    {
        File.WriteAllText(Target, "a file, not a folder");
        Refusal.Of(() => SafetensorsWriter.Write(Path.Combine(Target, "inner", "model.safetensors"), []), "model.cannot_write", "inner");
    }

    [Test]
    public void A_name_given_twice_is_refused() =>
        Refusal.Of(
            () => SafetensorsWriter.Write(Target, [Zeros("w", TensorDtype.Float32, 1), Zeros("w", TensorDtype.Float32, 1)]),
            "model.tensor_name_invalid", "'w'");

    [Test]
    public void The_reserved_name_is_refused() =>
        Refusal.Of(
            () => SafetensorsWriter.Write(Target, [Zeros("__metadata__", TensorDtype.Float32, 1)]), "model.tensor_name_invalid", "__metadata__");

    [Test]
    public void A_value_too_large_for_float16_is_refused_naming_the_tensor()
    {
        Refusal.Of(
            () => SafetensorsWriter.Write(Target, [TensorToWrite.FromFloat32("w", TensorDtype.Float16, [2], static () => new float[] { 1, 70_000 })]),
            "model.value_out_of_range", "w:", "70000", "float16");
        Assert.That(Directory.GetFiles(_folder.Path), Is.Empty);
    }

    private static TensorToWrite Zeros(string name, TensorDtype dtype, params long[] shape) =>
        TensorToWrite.FromBlocks(name, dtype, shape, static block => block.Clear());

    private void OnlyTheOldFileIsThere()
    {
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { Target }));
        Assert.That(File.ReadAllText(Target), Is.EqualTo("old"));
    }
}
