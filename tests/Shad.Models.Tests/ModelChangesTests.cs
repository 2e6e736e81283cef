using System.Text.Json.Nodes;
using Shad.Models.Tests.Support;
using Shad.Models.Weights;

namespace Shad.Models.Tests;

/// <summary>Models stored as what they change in a base model.</summary>
public sealed class ModelChangesTests
{
    private const string NormName = TensorNames.FinalNorm;

    private TemporaryFolder _folder = null!;

    private string Base => _folder.File("base");

    private string Probe => _folder.File("runs", "probe");

    private string ReferenceFile => Path.Combine(Probe, BaseReference.FileName);

    private static string DownName => TensorNames.Layer(1).Down.Weight;

    [SetUp]
    public void WriteModels()
    {
        _folder = new TemporaryFolder();
        ModelInitializer.Write(Base, Configs.Llama, new InitializationOptions { Seed = 1, Dtype = TensorDtype.BFloat16 });
        File.WriteAllText(Path.Combine(Base, "tokenizer.json"), "{}");
        Directory.CreateDirectory(_folder.File("runs"));
        using ModelFolder model = ModelFolder.Open(Base);
        ModelFolderWriter.WriteChanges(Probe, model, [Constant(NormName, 1.5f), Constant(DownName, 0.25f)]);
    }

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void It_opens_as_the_base_model_with_the_changed_tensors_in_it()
    {
        using ModelFolder whole = ModelFolder.Open(Base), probe = ModelFolder.Open(Probe);
        Assert.That(probe.Config, Is.EqualTo(whole.Config).UsingPropertiesComparer());
        Assert.That(probe.Weights.Tensors.Keys, Is.EquivalentTo(whole.Weights.Tensors.Keys));
        Assert.That(probe.Weights.Base!.Folder, Is.EqualTo(Base));
        foreach (string name in whole.Weights.Tensors.Keys)
        {
            if (name is NormName || name == DownName)
            {
                Assert.That(probe.Weights.ReadFloat32(name), Is.All.EqualTo(name is NormName ? 1.5f : 0.25f), name);
                Assert.That(probe.Weights.Tensors[name].Dtype, Is.EqualTo(TensorDtype.Float32), name);
            }
            else
            {
                Assert.That(probe.Weights.AsSpan(name).SequenceEqual(whole.Weights.AsSpan(name)), name);
                Assert.That(probe.Weights.HasSameValues(name, whole.Weights, name), name);
            }
        }
    }

    [Test]
    public void It_stores_the_changed_tensors_only_and_what_makes_a_model_usable()
    {
        Assert.That(
            Directory.GetFiles(Probe).Select(Path.GetFileName),
            Is.EquivalentTo(new[] { "config.json", "tokenizer.json", BaseReference.FileName, BaseReference.ChangesFileName }));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Probe, BaseReference.ChangesFileName));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(new[] { NormName, DownName }));
    }

    [Test]
    public void The_base_may_be_named_relative_to_the_folder()
    {
        Edit(json => json["base"] = "../../base");
        using ModelFolder probe = ModelFolder.Open(Probe);
        Assert.That(probe.Weights.Base!.Folder, Is.EqualTo(Base));
    }

    [Test]
    public void A_base_model_that_was_copied_is_known_by_its_content()
    {
        string copy = _folder.File("copy");
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Base)) File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        File.SetLastWriteTimeUtc(Path.Combine(copy, ModelWeights.FileName), DateTime.UnixEpoch);
        Edit(json => json["base"] = copy);
        ModelFolder.Open(Probe).Dispose();
    }

    [Test]
    public void A_base_model_that_is_gone_is_told()
    {
        Directory.Delete(Base, recursive: true);
        Refusal.Of(() => ModelFolder.Open(Probe), "model.base_missing", Base, ReferenceFile);
    }

    [Test]
    public void A_base_model_whose_weights_are_gone_is_told()
    {
        File.Delete(Path.Combine(Base, ModelWeights.FileName));
        Refusal.Of(() => ModelFolder.Open(Probe), "model.missing_file", Path.Combine(Base, ModelWeights.FileName));
    }

    [TestCase(2UL, TensorDtype.BFloat16, Description = "as long, other content")]
    [TestCase(1UL, TensorDtype.Float32, Description = "longer")]
    public void A_base_model_of_other_weights_is_told(ulong seed, TensorDtype dtype)
    {
        Directory.Delete(Base, recursive: true);
        ModelInitializer.Write(Base, Configs.Llama, new InitializationOptions { Seed = seed, Dtype = dtype });
        Refusal.Of(() => ModelFolder.Open(Probe), "model.base_changed", Base, ReferenceFile);
    }

    [Test]
    public void A_changed_tensor_of_a_wrong_shape_or_an_unknown_name_is_told()
    {
        SafetensorsWriter.Write(
            Path.Combine(Probe, BaseReference.ChangesFileName),
            [
                TensorToWrite.FromFloat32(NormName, TensorDtype.Float32, [3], static () => new float[3]),
                TensorToWrite.FromFloat32("model.layers.7.stray", TensorDtype.Float32, [1], static () => new float[1]),
            ]);
        Refusal.Of(() => ModelFolder.Open(Probe), "model.layout_mismatch", $"{NormName} [3] instead of [24]", "model.layers.7.stray", Probe);
    }

    [Test]
    public void Changes_that_do_not_fit_the_model_are_not_written()
    {
        using ModelFolder model = ModelFolder.Open(Base);
        string other = _folder.File("other");
        Refusal.Of(
            () => ModelFolderWriter.WriteChanges(
                other, model, [TensorToWrite.FromFloat32(NormName, TensorDtype.Float32, [3], static () => new float[3])]),
            "model.layout_mismatch", $"{NormName} [3] instead of [24]");
        Assert.That(Directory.Exists(other), Is.False);
        Refusal.Of(() => ModelFolderWriter.WriteChanges(Probe, model, []), "model.folder_exists", Probe);
    }

    [Test]
    public void Missing_changes_are_told()
    {
        File.Delete(Path.Combine(Probe, BaseReference.ChangesFileName));
        Refusal.Of(() => ModelFolder.Open(Probe), "model.missing_file", BaseReference.ChangesFileName);
    }

    [Test]
    public void A_base_model_that_is_itself_changes_is_told()
    {
        string second = _folder.File("second");
        Directory.CreateDirectory(second);
        foreach (string file in Directory.GetFiles(Probe)) File.Copy(file, Path.Combine(second, Path.GetFileName(file)));
        Edit(json => json["base"] = second);
        Refusal.Of(() => ModelFolder.Open(Probe), "model.base_not_whole", second);
    }

    [Test]
    public void Changes_to_a_model_stored_as_changes_refer_to_its_base_and_keep_its_changes()
    {
        string second = _folder.File("second");
        using (ModelFolder probe = ModelFolder.Open(Probe))
            ModelFolderWriter.WriteChanges(second, probe, [Constant(NormName, 2f)]);
        using ModelFolder again = ModelFolder.Open(second);
        Assert.That(again.Weights.Base!.Folder, Is.EqualTo(Base));
        Assert.That(again.Weights.ReadFloat32(NormName), Is.All.EqualTo(2f));
        Assert.That(again.Weights.ReadFloat32(DownName), Is.All.EqualTo(0.25f));
    }

    [TestCase("base", null, "model.config_field_missing")]
    [TestCase("base", "7", "model.config_field_invalid")]
    [TestCase("base", "\"\"", "model.config_field_invalid")]
    [TestCase("sha256", null, "model.config_field_missing")]
    [TestCase("sha256", "\"12\"", "model.config_field_invalid")]
    [TestCase("bytes", "1.5", "model.config_field_invalid")]
    [TestCase("bytes", "\"1\"", "model.config_field_invalid")]
    [TestCase("modified", "\"yesterday\"", "model.config_field_invalid")]
    public void A_damaged_reference_is_told_with_its_field(string field, string? value, string code)
    {
        Edit(json =>
        {
            if (value is null) json.Remove(field);
            else json[field] = JsonNode.Parse(value);
        });
        Refusal.Of(() => ModelFolder.Open(Probe), code, ReferenceFile, $"'{field}'");
    }

    [Test]
    public void The_hash_of_a_model_is_that_of_its_content_wherever_it_lies()
    {
        string copy = _folder.File("copy");
        Directory.CreateDirectory(copy);
        File.Copy(Path.Combine(Base, ModelWeights.FileName), Path.Combine(copy, ModelWeights.FileName));
        using ModelWeights one = ModelWeights.Open(Base), other = ModelWeights.Open(copy);
        Assert.That(other.ContentHash(), Is.EqualTo(one.ContentHash()).And.Length.EqualTo(64));
        using ModelWeights probe = ModelWeights.Open(Probe);
        Assert.That(probe.ContentHash(), Is.Not.EqualTo(one.ContentHash()));
    }

    private static TensorToWrite Constant(string name, float value)
    {
        TensorSpec spec = TensorLayout.Expected(Configs.Llama).Single(tensor => tensor.Name == name);
        float[] values = new float[spec.Shape.Aggregate(1L, static (product, dimension) => product * dimension)];
        Array.Fill(values, value);
        return TensorToWrite.FromFloat32(name, TensorDtype.Float32, spec.Shape, () => values);
    }

    private void Edit(Action<JsonObject> change)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(ReferenceFile))!.AsObject();
        change(json);
        File.WriteAllText(ReferenceFile, json.ToJsonString());
    }
}
