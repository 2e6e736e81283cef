using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Shad.Core.Errors;
using Shad.Core.Randomness;
using Shad.Models;
using Shad.Models.Configuration;
using Shad.Models.Weights;
using Shad.Onnx.Export;
using Shad.Onnx.Graphs;
using Shad.Onnx.Protobuf;
using Shad.Onnx.Scoring;
using Shad.Onnx.Tests.Support;

namespace Shad.Onnx.Tests.Export;

[TestFixture]
internal sealed class OnnxExportTests
{
    private static readonly string[] Files = ["genai_config.json", "model.onnx", "scoring.onnx"];

    private static IEnumerable<TestCaseData> Models() =>
        from kind in TestModels.Kinds
        select new TestCaseData(kind.Value).SetArgDisplayNames(kind.Key);

    [TestCaseSource(nameof(Models))]
    public void An_export_of_every_kind_of_model_passes_its_check(DecoderConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, config, TensorDtype.BFloat16);
        OnnxExport.Write(model);
        OnnxExport.Check(model);
        Assert.That(Exported(model), Is.EquivalentTo(Files));
    }

    [Test]
    public void An_export_of_a_model_stored_as_changes_stands_by_itself()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"], TensorDtype.BFloat16);
        using var changed = TestModels.Changed(folder, model, firstTuned: 2);
        var written = OnnxExport.Write(changed);
        Assert.That(written.Select(Path.GetFileName), Is.EquivalentTo((string[])[.. Files, "onnx_base.weights"]));
        OnnxExport.Check(changed);

        var sample = TestSamples.Random(new SeededRandom(3), "sample", 30, model.Config.VocabularySize);
        float[] expected;
        using (var session = ScoringSession.Open(changed, new ScoringOptions { Pad = true })) expected = session.Score(sample);
        Directory.Move(model.Path, model.Path + ".away");
        using (var exported = ScoringSession.Wrap(
            Onnx.Sessions.DecoderSession.LoadFile(Path.Combine(changed.Path, "scoring.onnx"), new()), SharedTrunk.Of(changed)))
        {
            Assert.That(exported.Score(sample), Is.EqualTo(expected));
        }

        OnnxExport.Remove(changed);
        Assert.That(
            Directory.GetFiles(changed.Path).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "config.json", BaseReference.FileName, BaseReference.ChangesFileName }));
    }

    [Test]
    public void An_export_takes_kilobytes_and_copies_no_weights()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"] with { VocabularySize = 20_000 });
        var watch = Stopwatch.StartNew();
        OnnxExport.Write(model);
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(1)));
        long bytes = Files.Sum(file => new FileInfo(Path.Combine(model.Path, file)).Length);
        Assert.That(bytes, Is.LessThan(100_000));
        foreach (var tensor in Load(model, "scoring.onnx").Graph.Initializer.Where(static tensor => tensor.Name.StartsWith("model.", StringComparison.Ordinal)))
        {
            var entry = model.Weights.Tensors[tensor.Name];
            Assert.That(
                tensor.ExternalData.ToDictionary(static pair => pair.Key, static pair => pair.Value), Is.EquivalentTo(new Dictionary<string, string>
                {
                    ["location"] = "model.safetensors",
                    ["offset"] = entry.Offset.ToString(),
                    ["length"] = entry.ByteLength.ToString(),
                }), tensor.Name);
        }
    }

    [Test]
    public void A_written_scoring_graph_scores_as_the_session_that_needs_no_export()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["llama with grouped queries, tied"]);
        OnnxExport.Write(model);
        var sample = TestSamples.Random(new SeededRandom(3), "sample", 30, model.Config.VocabularySize);
        using var session = ScoringSession.Open(model, new ScoringOptions { Pad = true });
        using var written = ScoringSession.Wrap(
            Onnx.Sessions.DecoderSession.LoadFile(Path.Combine(model.Path, "scoring.onnx"), new()), SharedTrunk.Of(model));
        Assert.That(written.Score(sample), Is.EqualTo(session.Score(sample)));
    }

    [Test]
    public void The_settings_describe_the_model_to_onnxruntime_genai()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen3"] with { EndOfSequenceIds = [5, 2] });
        OnnxExport.Write(model);
        using var settings = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(model.Path, "genai_config.json")));
        var root = settings.RootElement.GetProperty("model");
        var decoder = root.GetProperty("decoder");
        Assert.Multiple(() =>
        {
            Assert.That(root.GetProperty("type").GetString(), Is.EqualTo("qwen3"));
            Assert.That(root.GetProperty("vocab_size").GetInt32(), Is.EqualTo(97));
            Assert.That(root.GetProperty("context_length").GetInt32(), Is.EqualTo(128));
            Assert.That(root.GetProperty("bos_token_id").GetInt32(), Is.EqualTo(1));
            Assert.That(root.GetProperty("eos_token_id").EnumerateArray().Select(static id => id.GetInt32()), Is.EqualTo(new[] { 5, 2 }));
            Assert.That(decoder.GetProperty("head_size").GetInt32(), Is.EqualTo(16));
            Assert.That(decoder.GetProperty("num_key_value_heads").GetInt32(), Is.EqualTo(2));
            Assert.That(decoder.GetProperty("filename").GetString(), Is.EqualTo("model.onnx"));
            Assert.That(decoder.GetProperty("inputs").GetProperty("past_key_names").GetString(), Is.EqualTo("past_key_values.%d.key"));
        });
    }

    // What the check is for: each of these changes loads and runs, and computes something else.
    [TestCase("scoring.onnx", "GroupQueryAttention", "scale")]
    [TestCase("scoring.onnx", "GroupQueryAttention", "local_window_size")]
    [TestCase("scoring.onnx", "SkipSimplifiedLayerNormalization", "epsilon")]
    [TestCase("model.onnx", "QuickGelu", "alpha")]
    public void A_graph_that_computes_something_else_is_found_and_the_export_removed(string file, string operation, string attribute)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["llama with heads of 32"]);
        OnnxExport.Write(model);
        var graph = Load(model, file);
        var changed = graph.Graph.Node.First(node => node.OpType == operation).Attribute.First(a => a.Name == attribute);
        if (changed.HasI) changed.I = 3;
        else changed.F = changed.F * 1.5f + 0.1f;
        Save(model, file, graph);

        var error = Assert.Throws<ShadException>(() => OnnxExport.Check(model))!;
        Assert.That(error.Code, Is.EqualTo("export.mismatch"));
        Assert.That(error.Message, Does.Contain("nats"));
        Assert.That(Exported(model), Is.Empty);
    }

    [Test]
    public void Swapped_weights_are_found()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["llama with as many KV heads"]);
        OnnxExport.Write(model);
        var graph = Load(model, "scoring.onnx");
        var gate = graph.Graph.Initializer.First(static tensor => tensor.Name.EndsWith("1.mlp.gate_proj.weight", StringComparison.Ordinal));
        var up = graph.Graph.Initializer.First(static tensor => tensor.Name.EndsWith("1.mlp.up_proj.weight", StringComparison.Ordinal));
        (gate.Name, up.Name) = (up.Name, gate.Name);
        Save(model, "scoring.onnx", graph);
        Assert.That(Assert.Throws<ShadException>(() => OnnxExport.Check(model))!.Code, Is.EqualTo("export.mismatch"));
    }

    [Test]
    public void Wrong_names_and_shapes_are_found_before_values()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        OnnxExport.Write(model);
        var graph = Load(model, "model.onnx");
        graph.Graph.Input[2].Type.TensorType.Shape.Dim[3].DimParam = "any";
        Save(model, "model.onnx", graph);
        var error = Assert.Throws<ShadException>(() => OnnxExport.Check(model))!;
        Assert.That(error.Message, Does.Contain("past_key_values.0.key"));

        OnnxExport.Write(model);
        graph = Load(model, "scoring.onnx");
        graph.Graph.Input.Add(new ValueInfoProto(graph.Graph.Input[1]) { Name = "another" });
        Save(model, "scoring.onnx", graph);
        error = Assert.Throws<ShadException>(() => OnnxExport.Check(model))!;
        Assert.That(error.Message, Does.Contain("another"));
    }

    [Test]
    public void Settings_of_another_model_are_found()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        OnnxExport.Write(model);
        string path = Path.Combine(model.Path, "genai_config.json");
        var settings = JsonNode.Parse(File.ReadAllBytes(path))!;
        settings["model"]!["decoder"]!["head_size"] = 64;
        File.WriteAllText(path, settings.ToJsonString());
        Assert.That(Assert.Throws<ShadException>(() => OnnxExport.Check(model))!.Message, Does.Contain("model.decoder"));
    }

    [Test]
    public void An_incomplete_export_is_told()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        OnnxExport.Write(model);
        File.Delete(Path.Combine(model.Path, "model.onnx"));
        Assert.That(Assert.Throws<ShadException>(() => OnnxExport.Check(model))!.Code, Is.EqualTo("export.missing_file"));
    }

    [Test]
    public void A_failed_write_leaves_nothing_behind()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Create(folder, TestModels.Kinds["qwen2"]);

        // A folder where the last file should go: the rename fails.
        Directory.CreateDirectory(Path.Combine(model.Path, "genai_config.json"));
        Assert.That(Assert.Throws<ShadException>(() => OnnxExport.Write(model))!.Code, Is.EqualTo("export.not_written"));
        Assert.That(Directory.GetFiles(model.Path).Select(Path.GetFileName), Is.EquivalentTo(new[] { "config.json", "model.safetensors" }));
    }

    [Test]
    public void A_model_of_links_is_scored_where_it_lies_and_not_exported()
    {
        // The cache of Hugging Face: a folder of links into another.
        using var folder = new TemporaryFolder();
        using var original = TestModels.Create(folder, TestModels.Kinds["qwen2"]);
        string linked = Path.Combine(folder.Path, "snapshot");
        Directory.CreateDirectory(linked);
        File.Copy(Path.Combine(original.Path, "config.json"), Path.Combine(linked, "config.json"));
        File.CreateSymbolicLink(Path.Combine(linked, "model.safetensors"), Path.Combine(original.Path, "model.safetensors"));

        using var model = ModelFolder.Open(linked);
        var sample = TestSamples.Random(new SeededRandom(3), "sample", 30, model.Config.VocabularySize);
        using var session = ScoringSession.Open(model);
        using var expected = ScoringSession.Open(original);
        Assert.That(session.Score(sample), Is.EqualTo(expected.Score(sample)));
        Assert.That(Assert.Throws<ShadException>(() => OnnxExport.Write(model))!.Code, Is.EqualTo("export.weights_elsewhere"));
        Assert.That(Directory.GetFiles(linked), Has.Length.EqualTo(2));
    }

    private static IEnumerable<string?> Exported(ModelFolder model) =>
        Directory.GetFiles(model.Path).Select(Path.GetFileName).Where(static file => Files.Contains(file));

    private static ModelProto Load(ModelFolder model, string file) =>
        ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(model.Path, file)));

    private static void Save(ModelFolder model, string file, ModelProto graph) =>
        File.WriteAllBytes(Path.Combine(model.Path, file), graph.ToByteArray());
}
