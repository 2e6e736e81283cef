using System.Buffers.Binary;
using System.Text;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;
using static Shad.Models.Tests.Support.RawSafetensors;

namespace Shad.Models.Tests.Weights;

public sealed class SafetensorsFileTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void CreateFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void A_sound_file_is_read_byte_by_byte()
    {
        byte[] bytes = Bytes(
            $$"""{"__metadata__":{"format":"pt"},{{Entry("b", "BF16", "[3]", 8, 14)}},{{Entry("a", "F32", "[1,2]", 0, 8)}},{{Entry("none", "F16", "[0,7]", 14, 14)}},{{Entry("scalar", "F16", "[]", 14, 16)}}}   """, 16);
        using SafetensorsFile file = Open(bytes);

        int data = bytes.Length - 16;
        Assert.Multiple(() =>
        {
            Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[] { "a", "b", "none", "scalar" }));
            Assert.That(file.Metadata["format"], Is.EqualTo("pt"));
            Assert.That(file.Tensors["a"].Offset, Is.EqualTo(data));
            Assert.That(file.Tensors["b"].Offset, Is.EqualTo(data + 8));
            Assert.That(file.Tensors["b"].Dtype, Is.EqualTo(TensorDtype.BFloat16));
            Assert.That(file.Tensors["b"].ElementCount, Is.EqualTo(3));
            Assert.That(file.Tensors["a"].Shape, Is.EqualTo(new[] { 1L, 2L }));
            Assert.That(file.Tensors["a"].File, Is.EqualTo(file.Path));
            Assert.That(file.AsSpan("a").ToArray(), Is.EqualTo(bytes[data..(data + 8)]));
            Assert.That(file.AsSpan("b").ToArray(), Is.EqualTo(bytes[(data + 8)..(data + 14)]));
            Assert.That(file.AsSpan("none").Length, Is.Zero);
            Assert.That(file.ReadFloat32("scalar"), Has.Length.EqualTo(1));
        });
    }

    [Test]
    public void Parts_of_a_tensor_are_copied_within_its_bounds_only()
    {
        byte[] bytes = Bytes($$"""{{{Entry("a", "F32", "[2]", 0, 8)}},{{Entry("b", "F32", "[2]", 8, 16)}}}""", 16);
        using SafetensorsFile file = Open(bytes);
        byte[] part = new byte[3];

        file.CopyBytes("a", 5, part);

        Assert.That(part, Is.EqualTo(bytes[^11..^8]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.CopyBytes("a", 6, part));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.CopyBytes("a", -1, part));
    }

    [Test]
    public void A_disposed_file_is_not_read()
    {
        SafetensorsFile file = Open(Bytes($$"""{{{Entry("a", "F32", "[2]", 0, 8)}}}""", 8));
        file.Dispose();
        file.Dispose();

        Assert.Throws<ObjectDisposedException>(() => file.AsSpan("a"));
        Assert.Throws<ObjectDisposedException>(() => file.ReadFloat32("a"));
    }

    [Test]
    public void A_missing_file_is_named() =>
        Refusal.Of(() => SafetensorsFile.Open(_folder.File("absent.safetensors")), "model.missing_file", "absent.safetensors");

    [Test]
    public void An_unknown_tensor_is_named()
    {
        using SafetensorsFile file = Open(Bytes("{}", 0));
        Refusal.Of(() => file.AsSpan("ghost"), "model.tensor_missing", "ghost");
    }

    [TestCase(0)]
    [TestCase(7)]
    public void A_file_shorter_than_its_length_field_is_refused(int length) =>
        Refuses(new byte[length], "model.safetensors_cut", $"{length} bytes");

    [Test]
    public void A_header_longer_than_the_file_is_refused()
    {
        byte[] bytes = Bytes("{}", 0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 3);
        Refuses(bytes, "model.safetensors_cut", "3 bytes", "10 bytes");
    }

    [TestCase(100_000_001UL)]
    [TestCase(ulong.MaxValue)]
    public void A_header_beyond_the_limit_is_refused_without_reading_it(ulong length)
    {
        byte[] bytes = Bytes("{}", 0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        Refuses(bytes, "model.safetensors_header_too_long", $"{length} bytes", "100000000 bytes");
    }

    [TestCase("")]
    [TestCase("{")]
    [TestCase("{} {}")]
    [TestCase("[]")]
    [TestCase("null")]
    [TestCase("""{"\ud800":{}}""")]
    [TestCase("""{"a":{"dtype":"\ud800","shape":[],"data_offsets":[0,4]}}""")]
    public void A_header_that_is_no_JSON_object_is_refused(string header) =>
        Refuses(Bytes(header, 4), "model.safetensors_header_not_json");

    [Test]
    public void A_header_that_is_not_UTF8_is_refused() =>
        Refuses(Bytes([(byte)'{', (byte)'"', 0xFF, 0xFE, (byte)'"', (byte)':', (byte)'1', (byte)'}'], 0), "model.safetensors_header_not_json", "UTF-8");

    [Test]
    public void A_name_given_twice_is_refused() =>
        Refuses(
            Bytes($$"""{{{Entry("a", "F32", "[1]", 0, 4)}},{{Entry("a", "F32", "[1]", 4, 8)}}}""", 8),
            "model.safetensors_header_not_json", "a");

    [Test]
    public void A_name_given_twice_through_an_escape_is_refused() =>
        Refuses(
            Bytes($$"""{{{Entry("a", "F32", "[1]", 0, 4)}},{{Entry("\\u0061", "F32", "[1]", 4, 8)}}}""", 8),
            "model.safetensors_header_not_json");

    [TestCase("I64", 8)]
    [TestCase("F8_E4M3", 1)]
    [TestCase("F64", 8)]
    [TestCase("f32", 4)]
    public void An_unsupported_dtype_is_named_with_its_tensor(string dtype, int size) =>
        Refuses(Bytes($$"""{{{Entry("w", dtype, "[1]", 0, size)}}}""", size), "model.dtype_unsupported", $"'{dtype}'", "tensor 'w'", "F32, F16 or BF16");

    [TestCase("""{"w":3}""")]
    [TestCase("""{"w":{}}""")]
    [TestCase("""{"w":{"dtype":3,"shape":[1],"data_offsets":[0,4]}}""")]
    [TestCase("""{"w":{"dtype":"F32","data_offsets":[0,4]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":{},"data_offsets":[0,4]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":[1]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""")]
    [TestCase("""{"w":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""")]
    public void A_malformed_entry_is_refused_naming_the_tensor(string header) =>
        Refuses(Bytes(header, 4), "model.safetensors_header_invalid", "tensor 'w'");

    [TestCase("""{"__metadata__":[]}""")]
    [TestCase("""{"__metadata__":{"format":1}}""")]
    public void Metadata_that_are_no_strings_are_refused(string header) =>
        Refuses(Bytes(header, 0), "model.safetensors_header_invalid", "__metadata__");

    [TestCase("[4611686018427387904,4]")]
    [TestCase("[9223372036854775807]")]
    [TestCase("[4294967296,4294967296,0]")]
    public void A_shape_whose_size_overflows_is_refused(string shape) =>
        Refuses(Bytes($$"""{{{Entry("w", "F32", shape, 0, 0)}}}""", 0), "model.safetensors_shape_overflow", "tensor 'w'");

    [TestCase(0, 12, 16)]
    [TestCase(0, 4, 16)]
    public void Offsets_that_do_not_span_the_shape_are_refused(int begin, int end, int dataLength) =>
        Refuses(Bytes($$"""{{{Entry("w", "F32", "[2]", begin, end)}}}""", dataLength), "model.safetensors_length_mismatch", $"{end - begin} bytes", "8 bytes");

    [TestCase(0, 8, 7)]
    [TestCase(8, 0, 16)]
    [TestCase(9223372036854775800, 9223372036854775807, 8)]
    public void Offsets_outside_the_data_are_refused(long begin, long end, int dataLength) =>
        Refuses(Bytes($$"""{{{Entry("w", "F32", "[2]", begin, end)}}}""", dataLength), "model.safetensors_out_of_range", "tensor 'w'");

    [Test]
    public void Overlapping_tensors_are_refused_naming_both() =>
        Refuses(
            Bytes($$"""{{{Entry("first", "F32", "[2]", 0, 8)}},{{Entry("second", "F32", "[2]", 4, 12)}}}""", 12),
            "model.safetensors_overlap", "'first'", "'second'");

    [Test]
    public void Two_tensors_of_the_same_bytes_are_refused() =>
        Refuses(
            Bytes($$"""{{{Entry("first", "F32", "[2]", 0, 8)}},{{Entry("second", "F32", "[2]", 0, 8)}}}""", 8), "model.safetensors_overlap");

    [Test]
    public void A_gap_between_tensors_is_refused() =>
        Refuses(
            Bytes($$"""{{{Entry("first", "F32", "[1]", 0, 4)}},{{Entry("second", "F32", "[1]", 8, 12)}}}""", 12),
            "model.safetensors_gap", "tensor 'second'");

    [Test]
    public void Bytes_after_the_last_tensor_are_refused() =>
        Refuses(Bytes($$"""{{{Entry("w", "F32", "[1]", 0, 4)}}}""", 5), "model.safetensors_trailing_bytes", "5 bytes");

    [Test]
    public void A_file_cut_in_its_data_is_refused_at_every_length()
    {
        byte[] whole = Bytes($$"""{{{Entry("a", "F32", "[2]", 0, 8)}},{{Entry("b", "BF16", "[2]", 8, 12)}}}""", 12);
        for (int length = 0; length < whole.Length; length++)
            Assert.Throws<Core.Errors.ShadException>(() => Open(whole[..length]).Dispose(), $"cut to {length} bytes");
    }

    [Test]
    public void A_text_file_under_the_name_is_refused() =>
        Refuses(Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:abc\n"), "model.safetensors_header_too_long");

    private void Refuses(byte[] bytes, string code, params string[] parts) =>
        Refusal.Of(() => Open(bytes).Dispose(), code, ["model.safetensors", .. parts]);

    private SafetensorsFile Open(byte[] bytes)
    {
        string path = _folder.File("model.safetensors");
        File.WriteAllBytes(path, bytes);
        return SafetensorsFile.Open(path);
    }
}
