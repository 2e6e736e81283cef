using Shad.Cli.Commands;
using Shad.Core.Errors;
using Shad.Core.Samples;
using Shad.Data.Corpora;
using Shad.Models;
using Shad.Models.Configuration;

namespace Shad.Cli.Tests.Commands;

/// <summary>What a user can get wrong: one message on stderr, exit code 1, with --json an error object on stdout, nothing left behind.</summary>
public sealed class CommandErrorTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        ModelInitializer.Write(_folder.PathOf("model"), TinyModel.Config);
        TinyModel.WriteCorpus(_folder.PathOf("corpus.jsonl"), 6);
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void A_demo_without_the_bundled_model_says_where_it_looked()
    {
        ShadException error = Assert.Throws<ShadException>(() => DemoCommand.BundledModel(_folder.Path));
        Assert.That(error.Code, Is.EqualTo("demo.model_missing"));
        Assert.That(error.Message, Does.Contain(_folder.Path));
    }

    [Test]
    public async Task Export_of_other_weights_without_a_folder_for_them_or_into_the_model()
    {
        await FailsAsync("export.needs_output", "export", "--model", _folder.PathOf("model"), "--weights", "int4");
        await FailsAsync(
            "export.variant_in_model", "export", "--model", _folder.PathOf("model"), "--weights", "int4", "--out", _folder.PathOf("model"));
        await FailsAsync(
            "onnx.bad_option", "export", "--model", _folder.PathOf("model"), "--weights", "int4", "--block-size", "33", "--out", _folder.PathOf("variant"));
        await FailsAsync("export.variant_is_checked", "export", "--model", _folder.PathOf("model"), "--out", _folder.PathOf("variant"), "--no-check");
        Assert.That(Directory.Exists(_folder.PathOf("variant")), Is.False);
    }

    [Test]
    public Task Eval_by_onnxruntime_genai_in_a_build_without_it() => FailsAsync(
        "eval.no_genai", "eval", "--model", _folder.PathOf("model"), "--corpus", _folder.PathOf("corpus.jsonl"), "--generate", "--generator", "genai");

    [Test]
    public Task Run_without_its_recipe() => FailsAsync("recipe.not_found", "run", "none.yaml");

    [Test]
    public async Task Run_with_a_wrong_recipe_lists_all_mistakes()
    {
        string recipe = _folder.Write("r.yaml", "model: {path: none}\ncorpus: {files: none.jsonl}\n");
        ShadOutput shad = await FailsAsync("recipe.invalid", "run", recipe);
        Assert.That(shad.Json()["error"]!["mistakes"]!.AsArray(), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Run_on_a_folder_that_another_process_has()
    {
        string recipe = _folder.Write("r.yaml", "model: {path: model}\ncorpus: {files: corpus.jsonl}\n");
        Environment.SetEnvironmentVariable("SHAD_SIDECAR", recipe);
        try
        {
            using (Cli.Runs.RunFolder.Open(_folder.PathOf("runs", "r")))
                await FailsAsync("run.in_use", "run", recipe, "--runs", _folder.PathOf("runs"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("SHAD_SIDECAR", null);
        }
    }

    [Test]
    public async Task A_corpus_of_one_sample_has_nothing_to_shuffle_with()
    {
        TinyModel.WriteCorpus(_folder.PathOf("one.jsonl"), 1);
        string sidecar = _folder.Write("sidecar", "");
        Environment.SetEnvironmentVariable("SHAD_SIDECAR", sidecar);
        try
        {
            await FailsAsync(
                "shuffle.too_few", "probe", "--model", _folder.PathOf("model"), "--corpus", _folder.PathOf("one.jsonl"), "--out",
                _folder.PathOf("out"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("SHAD_SIDECAR", null);
        }
    }

    [Test]
    public async Task A_sidecar_that_is_not_there()
    {
        Environment.SetEnvironmentVariable("SHAD_SIDECAR", "/no/such/sidecar");
        try
        {
            await FailsAsync(
                "sidecar.not_found", "probe", "--model", _folder.PathOf("model"), "--corpus", _folder.PathOf("corpus.jsonl"), "--out",
                _folder.PathOf("out"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("SHAD_SIDECAR", null);
        }
    }

    [Test]
    public Task Score_without_its_model() => ScoreFailsAsync("model.missing_folder", "--model", _folder.PathOf("none"));

    [Test]
    public Task Score_with_a_folder_that_is_no_model() => ScoreFailsAsync("model.missing_file", "--model", _folder.Path);

    [Test]
    public Task Score_without_its_corpus() => ScoreFailsAsync("file.missing", "--corpus", _folder.PathOf("none.jsonl"));

    [Test]
    public Task Score_of_an_empty_corpus() => ScoreFailsAsync("corpus.empty", "--corpus", _folder.Write("empty.jsonl", ""));

    [Test]
    public Task Score_of_text_with_a_model_without_a_tokenizer() => ScoreFailsAsync(
        "corpus.tokenizer_needed", "--corpus", _folder.Write("text.jsonl", """{"prompt": "a", "response": "b"}"""));

    [Test]
    public Task Score_of_samples_that_do_not_fit() => ScoreFailsAsync("corpus.nothing_fits", "--max-length", "2");

    [Test]
    public Task Score_to_an_unknown_format() => ScoreFailsAsync("annotation.unknown_ending", "--out", _folder.PathOf("out.csv"));

    [Test]
    public Task Score_over_its_own_input() => ScoreFailsAsync("output.is_input", "--out", _folder.PathOf("corpus.jsonl"));

    [Test]
    public Task Score_on_a_device_that_is_not_there() => ScoreFailsAsync("onnx.no_cuda", "--device", "cuda");

    [Test]
    public Task Score_on_several_devices_that_are_not_there() => ScoreFailsAsync("onnx.no_cuda", "--device", "cuda:0,1");

    [Test]
    public Task Score_in_a_format_that_the_device_lacks() => ScoreFailsAsync("onnx.no_precision", "--precision", "bfloat16");

    [Test]
    public Task Score_with_a_provider_library_that_is_not_there() => ScoreFailsAsync("onnx.no_provider_library", "--provider-library", "none.so");

    [Test]
    public async Task Score_with_a_probe_whose_base_model_is_gone()
    {
        using (ModelFolder model = ModelFolder.Open(_folder.PathOf("model")))
            ModelFolderWriter.WriteChanges(_folder.PathOf("probe"), model, []);
        Directory.Move(_folder.PathOf("model"), _folder.PathOf("moved"));
        await FailsAsync(
            "model.base_missing", "score", "--model", _folder.PathOf("moved"), "--probe", _folder.PathOf("probe"), "--corpus",
            _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("out.jsonl"));
    }

    [Test]
    public Task Score_with_three_probes()
    {
        string model = _folder.PathOf("model");
        return FailsAsync(
            "score.too_many_probes", "score", "--model", model, "--probe", model, "--probe", model, "--probe", model, "--corpus",
            _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("out.jsonl"));
    }

    [Test]
    public Task Annotate_without_its_input() =>
        FailsAsync("file.missing", "annotate", "--scored", _folder.PathOf("none.jsonl"), "--out", _folder.PathOf("out.jsonl"));

    [Test]
    public Task Annotate_of_samples_that_were_not_scored() => FailsAsync(
        "annotate.losses_missing", "annotate", "--scored", _folder.PathOf("corpus.jsonl"), "--out", _folder.PathOf("out.jsonl"));

    [Test]
    public Task Tune_with_rft_on_samples_without_roles()
    {
        string sidecar = _folder.Write("sidecar", "");
        Environment.SetEnvironmentVariable("SHAD_SIDECAR", sidecar);
        return Run();

        async Task Run()
        {
            try
            {
                await FailsAsync(
                    "tune.role_missing", "tune", "--model", _folder.PathOf("model"), "--data", _folder.PathOf("corpus.jsonl"), "--out",
                    _folder.PathOf("tuned"));
            }
            finally
            {
                Environment.SetEnvironmentVariable("SHAD_SIDECAR", null);
            }
        }
    }

    [Test]
    public Task Tune_over_its_own_input() => FailsAsync(
        "output.is_input", "tune", "--model", _folder.PathOf("model"), "--data", _folder.PathOf("corpus.jsonl"), "--out",
        _folder.PathOf("model"));

    [Test]
    public Task Export_without_its_model() => FailsAsync("model.missing_folder", "export", "--model", _folder.PathOf("none"));

    [Test]
    public Task Eval_without_its_corpus() => FailsAsync(
        "file.missing", "eval", "--model", _folder.PathOf("model"), "--corpus", _folder.PathOf("none.jsonl"));

    [Test]
    public Task Report_of_a_folder_that_is_no_run() => FailsAsync("run.not_a_run_folder", "report", _folder.Path);

    [Test]
    public async Task Verbose_shows_where_an_error_came_from()
    {
        ShadOutput shad = await ShadProgram.RunAsync("export", "--model", _folder.PathOf("none"), "--verbose");
        Assert.That(shad.Error, Does.Contain("   at Shad."));
    }

    private Task<ShadOutput> ScoreFailsAsync(string code, params string[] changed)
    {
        var options = new Dictionary<string, string>
        {
            ["--model"] = _folder.PathOf("model"),
            ["--corpus"] = _folder.PathOf("corpus.jsonl"),
            ["--out"] = _folder.PathOf("out.jsonl"),
        };
        options[changed[0]] = changed[1];
        return FailsAsync(code, ["score", .. options.SelectMany(option => new[] { option.Key, option.Value })]);
    }

    private async Task<ShadOutput> FailsAsync(string code, params string[] args)
    {
        string[] before = [.. Files()];
        ShadOutput shad = await ShadProgram.RunAsync(args);
        Assert.That(shad.ExitCode, Is.EqualTo(1), shad.Error);
        Assert.That(shad.Output, Is.Empty);
        Assert.That(shad.Error, Does.Contain("Error: ").And.Not.Contain("   at "));

        ShadOutput json = await ShadProgram.RunAsync([.. args, "--json"]);
        Assert.That(json.ExitCode, Is.EqualTo(1));
        Assert.That(json.Json()["error"]!["code"]!.ToString(), Is.EqualTo(code), json.Error);
        Assert.That(json.Json()["error"]!["message"]!.ToString(), Is.Not.Empty);
        Assert.That(Files().Except(before).Where(file => Path.GetExtension(file) is ".jsonl" or ".csv" or ".partial" && !file.EndsWith("events.jsonl", StringComparison.Ordinal)), Is.Empty);
        return json;
    }

    private IEnumerable<string> Files() => Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories);
}

/// <summary>A model and a corpus of tokens, for tests that need any.</summary>
internal static class TinyModel
{
    public static DecoderConfig Config { get; } = new()
    {
        ModelType = "llama", HiddenSize = 16, IntermediateSize = 32, LayerCount = 2, AttentionHeads = 2, KeyValueHeads = 1, HeadSize = 8,
        VocabularySize = 40, ContextLength = 64, NormEpsilon = 1e-5f, Rotary = new RotaryEmbedding(10_000), TiedHead = true,
    };

    /// <summary>Samples of already tokenized rows: a prompt of two values, a template around their copies.</summary>
    public static void WriteCorpus(string path, int samples, bool roles = false) =>
        TokenizedSampleWriter.WriteAll(path, Enumerable.Range(0, samples).Select(i => Sample(i, roles)));

    public static TokenizedSample Sample(int i, bool roles)
    {
        int a = 10 + i % 30, b = 10 + i * 7 % 30;
        int[] ids = [1, a, b, 2, 3, 4, a, 5, b, 6];
        int[] labels = [.. ids.Select((id, place) => place < 4 ? TokenizedSample.IgnoredLabel : id)];
        return new TokenizedSample($"s{i}", ids, labels)
        {
            Roles = roles ? [.. ids.Select((_, place) => place < 4 ? (TokenRole?)null : place is 6 or 8 ? TokenRole.Reasoning : TokenRole.Boilerplate)] : null,
        };
    }
}
