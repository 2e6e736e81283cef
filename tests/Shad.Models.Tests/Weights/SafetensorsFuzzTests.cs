using System.Text;
using CsCheck;
using Shad.Core.Errors;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests.Weights;

/// <summary>Whatever a file holds, it is read soundly or refused with a <see cref="ShadException"/>; never anything else.</summary>
public sealed class SafetensorsFuzzTests
{
    private static readonly string[] Fragments =
    [
        "\"", "{", "}", "[", "]", ",", ":", "\\", "\\u0000", "\\ud800", "null", "true", "-1", "1e9", "9223372036854775807",
        "18446744073709551616", "0.5", "\"F32\"", "\"BF16\"", "\"F64\"", "\"shape\"", "\"data_offsets\"", "\"dtype\"", "__metadata__",
        "4294967296", "[4294967296,4294967296]", "\u00e9", "\t", "//", " ",
    ];

    private static readonly string Header =
        $$"""{"__metadata__":{"format":"pt"},{{RawSafetensors.Entry("a", "F32", "[2,2]", 0, 16)}},{{RawSafetensors.Entry("b", "BF16", "[4]", 16, 24)}},{{RawSafetensors.Entry("c", "F16", "[1,4]", 24, 32)}}}""";

    private static readonly Gen<Func<List<byte>, List<byte>>> Mutation = Gen.OneOf(
        Gen.Select(Gen.Int[0, 400], Gen.Byte, static (at, value) => Edit(bytes => bytes[at % bytes.Count] = value)),
        Gen.Select(Gen.Int[0, 400], Gen.Int[0, 7], static (at, bit) => Edit(bytes => bytes[at % bytes.Count] ^= (byte)(1 << bit))),
        Gen.Select(Gen.Int[0, 400], Gen.Int[1, 12], static (at, count) =>
            Edit(bytes => bytes.RemoveRange(at % bytes.Count, Math.Min(count, bytes.Count - at % bytes.Count)))),
        Gen.Select(Gen.Int[0, 400], Any.Of(Fragments), static (at, text) =>
            Edit(bytes => bytes.InsertRange(at % bytes.Count, Encoding.UTF8.GetBytes(text)))),
        // Digits are where offsets and shapes live: change one for another, so that the JSON stays sound.
        Gen.Select(Gen.Int[0, 60], Gen.Int[0, 9], static (nth, digit) => Edit(bytes =>
        {
            List<int> digits = [.. Enumerable.Range(0, bytes.Count).Where(i => bytes[i] is >= (byte)'0' and <= (byte)'9')];
            if (digits.Count > 0) bytes[digits[nth % digits.Count]] = (byte)('0' + digit);
        })));

    [Test]
    public void A_mutated_header_is_sound_or_refused() =>
        Mutation.Array[1, 4].Sample(
            mutations =>
            {
                List<byte> header = [.. Encoding.UTF8.GetBytes(Header)];
                foreach (Func<List<byte>, List<byte>> mutation in mutations) header = mutation(header);
                ReadSoundlyOrRefuse(RawSafetensors.Bytes([.. header], 32));
            },
            iter: 20_000);

    [Test]
    public void A_mutated_file_is_sound_or_refused() =>
        Mutation.Array[1, 3].Sample(
            mutations =>
            {
                List<byte> file = [.. RawSafetensors.Bytes(Header, 32)];
                foreach (Func<List<byte>, List<byte>> mutation in mutations) file = mutation(file);
                ReadSoundlyOrRefuse([.. file]);
            },
            iter: 20_000);

    [Test]
    public void Random_bytes_are_refused() =>
        Gen.Byte.Array[0, 200].Sample(ReadSoundlyOrRefuse, iter: 5_000);

    [Test]
    public void Deeply_nested_JSON_is_refused() =>
        ReadSoundlyOrRefuse(RawSafetensors.Bytes("{\"a\":" + new string('[', 100_000), 0));

    private static Func<List<byte>, List<byte>> Edit(Action<List<byte>> edit) => bytes =>
    {
        var copy = new List<byte>(bytes);
        if (copy.Count > 0) edit(copy);
        return copy;
    };

    private static void ReadSoundlyOrRefuse(byte[] file)
    {
        SafetensorsHeader header;
        try
        {
            header = SafetensorsHeader.Read(new MemoryStream(file), file.Length, "fuzz.safetensors");
        }
        catch (ShadException)
        {
            return;
        }

        // What is accepted covers the end of the file exactly: that no entry reaches outside it follows.
        long covered = header.Tensors.Values.Sum(static tensor => tensor.ByteLength);
        foreach (TensorEntry tensor in header.Tensors.Values)
        {
            long elements = tensor.Shape.Aggregate(1L, static (product, dimension) => checked(product * dimension));
            if (tensor.Offset < file.Length - covered || tensor.Offset + tensor.ByteLength > file.Length
                || elements * tensor.Dtype.ByteSize() != tensor.ByteLength)
                throw new InvalidDataException($"Tensor '{tensor.Name}' was accepted at {tensor.Offset}+{tensor.ByteLength} of {file.Length}.");
        }
    }
}
