using System.Text.Json;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Export;
using Shad.Onnx.Quantization;
using Shad.Onnx.Sessions;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Export;

[TestFixture]
internal sealed class VariantExportTests
{
    private static readonly SessionSettings Cpu = new() { Device = ComputeDevice.Cpu };

    private static IEnumerable<TestCaseData> Variants() =>
        from kind in TestModels.Kinds
        from format in Enum.GetValues<WeightFormat>()
        select new TestCaseData(kind.Value, format).SetArgDisplayNames(kind.Key, format.ToString());

    [TestCaseSource(nameof(Variants))]
    public void Losses_are_those_of_the_weights_in_double_precision(DecoderConfig config, WeightFormat format)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, config, TensorDtype.BFloat16);
        string output = Path.Combine(folder.Path, "variant");
        var options = new VariantOptions { Format = format, BlockSize = 16, RoundActivations = false };
        var exported = VariantExport.Write(model, output, options);
        using var reference = Rounded(folder, model, options);
        var decoder = new ReferenceDecoder(reference);
        var sample = TestSamples.Random(new SeededRandom(5), "sample", 40, config.VocabularySize);
        double[] expected = decoder.Losses(
            new TokenizedSample(sample.Id, sample.InputIds, [TokenizedSample.IgnoredLabel, .. sample.InputIds[1..]]));
        using var session = DecoderSession.LoadFile(Path.Combine(output, "model.onnx"), Cpu);
        double[] losses = VariantExport.Losses(session, config, sample.InputIds);

        // In float32 what float32 does with logits of magnitude 30 and a few layers. In float16 the activations are rounded too, to 2⁻¹¹ of
        // themselves after every operation: of logits of magnitude 30 that is 0.015, and some of it for each of the three layers.
        double tolerance = format == WeightFormat.Float16 ? 0.2 : 5e-4;
        for (int i = 0; i < losses.Length; i++) Assert.That(losses[i], Is.EqualTo(expected[i + 1]).Within(tolerance), $"token {i + 1}");
        Assert.That(exported.LargestDifference, format == WeightFormat.Float32 ? Is.LessThan(1e-3) : Is.GreaterThan(0));
    }

    [TestCase(WeightFormat.Int8, 0.05)]
    [TestCase(WeightFormat.Int4, 0.05)]
    public void Activations_of_8_bits_change_little(WeightFormat format, double most)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["llama with heads of 32"], TensorDtype.BFloat16);
        var ids = TestSamples.Random(new SeededRandom(5), "sample", 100, model.Config.VocabularySize).InputIds;
        double[][] losses = [.. new[] { true, false }.Select(rounded =>
        {
            string output = Path.Combine(folder.Path, $"variant-{rounded}");
            VariantExport.Write(model, output, new VariantOptions { Format = format, RoundActivations = rounded });
            using var session = DecoderSession.LoadFile(Path.Combine(output, "model.onnx"), Cpu);
            return VariantExport.Losses(session, model.Config, ids);
        })];
        double[] differences = [.. losses[0].Zip(losses[1], static (one, other) => one - other)];
        Assert.That(Math.Abs(differences.Average()), Is.LessThan(most));
        Assert.That(differences.Max(Math.Abs), Is.GreaterThan(0));
    }

    [Test]
    public void A_variant_is_a_folder_of_its_own_and_small()
    {
        using var folder = new TemporaryFolder();
        var config = TestModels.Kinds["qwen2"] with { VocabularySize = 2000, HiddenSize = 64, IntermediateSize = 256, HeadSize = 32, AttentionHeads = 2 };
        using var model = TestModels.Create(folder, config);
        File.WriteAllText(Path.Combine(model.Path, "tokenizer.json"), "{}");
        var before = Directory.GetFiles(model.Path);
        string output = Path.Combine(folder.Path, "variant");
        var sizes = new Dictionary<WeightFormat, long>();
        foreach (var format in Enum.GetValues<WeightFormat>())
        {
            var exported = VariantExport.Write(model, output, new VariantOptions { Format = format });
            sizes[format] = exported.WeightBytes;
            Assert.That(exported.ModelBytes, Is.EqualTo(model.Weights.Tensors.Values.Sum(static tensor => tensor.ByteLength)));
        }

        Assert.That(Directory.GetFiles(model.Path), Is.EquivalentTo(before));
        Assert.That(
            Directory.GetFiles(output).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "config.json", "genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json" }));
        using var settings = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(output, "genai_config.json")));
        Assert.That(settings.RootElement.GetProperty("model").GetProperty("decoder").GetProperty("filename").GetString(), Is.EqualTo("model.onnx"));

        // The embedding's rows in 16 bits, and of every matrix, the tied head among them, 1 or ½ byte a weight and 4 bytes a block of 32.
        long embedding = 2000 * 64, matrices = embedding;
        foreach (var tensor in model.Weights.Tensors.Values)
            if (tensor.Shape.Length == 2 && tensor.Name != TensorNames.Embedding) matrices += tensor.ElementCount;
        long all = model.Weights.Tensors.Values.Sum(static tensor => tensor.ElementCount);
        Assert.Multiple(() =>
        {
            Assert.That(sizes[WeightFormat.Float32], Is.EqualTo(4 * all).Within(1).Percent);
            Assert.That(sizes[WeightFormat.Float16], Is.EqualTo(2 * all).Within(1).Percent);
            Assert.That(sizes[WeightFormat.Int8], Is.EqualTo(2 * embedding + matrices * 9 / 8).Within(2).Percent);
            Assert.That(sizes[WeightFormat.Int4], Is.EqualTo(2 * embedding + matrices * 5 / 8).Within(2).Percent);
        });
    }

    [Test]
    public void What_cannot_be_written_is_refused_and_nothing_is_left()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        string output = Path.Combine(folder.Path, "variant");
        Refused("onnx.bad_option", output, new VariantOptions { Format = WeightFormat.Int4, BlockSize = 48 });
        Refused("export.variant_in_model", model.Path + "/", new VariantOptions { Format = WeightFormat.Int4 });
        File.WriteAllText(output, "a file");
        Refused("export.not_written", output, new VariantOptions { Format = WeightFormat.Int4 });
        File.Delete(output);
        Directory.CreateDirectory(Path.Combine(output, "genai_config.json"));
        Refused("export.not_written", output, new VariantOptions { Format = WeightFormat.Int4 });
        Assert.That(Directory.GetFiles(output), Is.Empty);

        void Refused(string code, string where, VariantOptions options) =>
            Assert.That(Assert.Throws<ShadException>(() => VariantExport.Write(model, where, options))!.Code, Is.EqualTo(code));
    }

    [Test]
    public void A_weight_beyond_float16_is_told_by_name()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        string changed = Path.Combine(folder.Path, "changed");
        ModelFolderWriter.Write(
            changed, model.Config,
            TensorLayout.Expected(model.Config).Select(tensor => TensorToWrite.FromFloat32(tensor.Name, TensorDtype.Float32, tensor.Shape, () =>
            {
                float[] values = model.Weights.ReadFloat32(tensor.Name);
                if (tensor.Name == "model.layers.1.mlp.up_proj.weight") values[3] = 70_000;
                return values;
            })),
            TensorDtype.Float32);
        using var large = ModelFolder.Open(changed);
        string output = Path.Combine(folder.Path, "variant");
        var error = Assert.Throws<ShadException>(() => VariantExport.Write(large, output, new VariantOptions { Format = WeightFormat.Float16 }))!;
        Assert.That(error.Message, Does.Contain("model.layers.1.mlp.up_proj.weight"));
        Assert.That(Directory.GetFiles(output), Is.Empty);
    }

    /// <summary>The model with the weights that the variant computes with, untied, since rows and head are rounded otherwise.</summary>
    private static ModelFolder Rounded(TemporaryFolder folder, ModelFolder model, VariantOptions options)
    {
        var config = model.Config with { TiedHead = false };
        string path = Path.Combine(folder.Path, "rounded");
        ModelFolderWriter.Write(
            path, config,
            TensorLayout.Expected(config).Select(tensor => TensorToWrite.FromFloat32(tensor.Name, TensorDtype.Float32, tensor.Shape, () =>
            {
                float[] values = model.Weights.ReadFloat32(tensor.Name == TensorNames.Head && model.Config.TiedHead ? TensorNames.Embedding : tensor.Name);
                if (options.Format == WeightFormat.Float16) return Array.ConvertAll(values, static value => (float)(Half)value);
                return options.Bits is { } bits && tensor.Shape.Length == 2 && tensor.Name != TensorNames.Embedding
                    ? BlockQuantizedMatrix.Of(values, (int)tensor.Shape[0], (int)tensor.Shape[1], bits, options.BlockSize).Dequantize()
                    : values;
            })),
            TensorDtype.Float32);
        return ModelFolder.Open(path);
    }
}
