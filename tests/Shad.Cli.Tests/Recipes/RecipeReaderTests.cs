using Shad.Cli.Recipes;
using Shad.Core.Classification;
using Shad.Core.Errors;
using Shad.Core.Tuning;

namespace Shad.Cli.Tests.Recipes;

public sealed class RecipeReaderTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _folder.Write("model/config.json", "{}");
        _folder.Write("data.jsonl", "{}");
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void A_short_recipe_gets_every_default_and_absolute_paths()
    {
        Recipe recipe = Read("model: {path: model}\ncorpus: {files: data.jsonl}\n");

        Assert.Multiple(() =>
        {
            Assert.That(recipe.Name, Is.EqualTo("recipe"));
            Assert.That(recipe.Model.Path, Is.EqualTo(_folder.PathOf("model")));
            Assert.That(recipe.Corpus.Files, Is.EqualTo(new[] { _folder.PathOf("data.jsonl") }));
            Assert.That(recipe.Corpus.HeldOut, Is.EqualTo(0.1));
            Assert.That(recipe.Probe.Fraction, Is.EqualTo(0.01));
            Assert.That(recipe.Probe.MinimumSamples, Is.EqualTo(100));
            Assert.That(recipe.Rule.Kind, Is.EqualTo(RuleKind.Control));
            Assert.That(recipe.Rule.Margin, Is.EqualTo(0.1));
            Assert.That(recipe.Tune.Arms, Is.EqualTo(new[] { TuneArm.Sft, TuneArm.Rft }));
        });
    }

    [Test]
    public void Every_value_of_a_recipe_is_read()
    {
        Recipe recipe = Read(
            """
            name: my-run
            seed: 18446744073709551615
            model:
              path: model
            corpus:
              files: [data.jsonl, data.jsonl]
              layout: chatml
              limit: 1_000
              held_out: 0.25
              max_bad_rows: 0
              max_length: 512
            probe:
              fraction: 0.05
              minimum_samples: 20
              last_layers: 2
              steps: 30
              learning_rate: 1e-3
              samples_per_step: 4
              tokens_per_batch: 1000
              device: cuda:1
              precision: bfloat16
              save_dtype: null
              checkpoint_every: 0
            score: {tokens_per_batch: 100, memory_mb: 64, device: 'cuda:0,2', precision: bfloat16, provider_library: lib/p.so, samples_per_shard: 10}
            rule: {kind: paper, margin: 0.2, false_share: 0.05, surprise: 3, unit: token}
            tune: {arms: [rft], temperature: 0.5, weight_by_size: true, boilerplate_floor: 0.25, anneal_from: 0.5, epochs: 2, evaluate_every: 10, save_dtype: float16}
            """);

        Assert.Multiple(() =>
        {
            Assert.That(recipe.Name, Is.EqualTo("my-run"));
            Assert.That(recipe.Seed, Is.EqualTo(ulong.MaxValue));
            Assert.That(recipe.Corpus.Files, Has.Count.EqualTo(2));
            Assert.That(recipe.Corpus, Is.EqualTo(new CorpusRecipe
            {
                Files = recipe.Corpus.Files, Layout = "chatml", Limit = 1000, HeldOut = 0.25, MaxBadRows = 0, MaxLength = 512,
            }));
            Assert.That(recipe.Probe, Is.EqualTo(new ProbeRecipe
            {
                Fraction = 0.05, MinimumSamples = 20, LastLayers = TunedLayers.Last(2), Steps = 30, Epochs = 3, LearningRate = 1e-3, SamplesPerStep = 4,
                TokensPerBatch = 1000, Device = "cuda:1", Precision = TunePrecision.BFloat16, SaveDtype = null, CheckpointEvery = 0,
            }));
            Assert.That(recipe.Score, Is.EqualTo(new ScoreRecipe { TokensPerBatch = 100, MemoryMb = 64, Device = "cuda:0,2", Precision = "bfloat16", ProviderLibrary = recipe.Score.ProviderLibrary, SamplesPerShard = 10 }));
            Assert.That(recipe.Score.ProviderLibrary, Is.EqualTo(Path.GetFullPath(recipe.Score.ProviderLibrary!)).And.EndsWith(Path.Combine("lib", "p.so")));
            Assert.That(recipe.Rule, Is.EqualTo(new RuleRecipe { Kind = RuleKind.Paper, Margin = 0.2, FalseShare = 0.05, Surprise = 3, Unit = EvidenceUnit.Token }));
            Assert.That(recipe.Tune, Is.EqualTo(new TuneRecipe
            {
                Arms = recipe.Tune.Arms, Temperature = 0.5, WeightBySize = true, BoilerplateFloor = 0.25, AnnealFrom = 0.5, Epochs = 2, EvaluateEvery = 10, SaveDtype = "float16",
            }));
            Assert.That(recipe.Tune.Arms, Is.EqualTo(new[] { TuneArm.Rft }));
        });
    }

    [Test]
    public void All_mistakes_are_reported_together_each_with_its_line()
    {
        ShadException error = Assert.Throws<ShadException>(() => Read(
            """
            model:
              path: nowhere
            corpus:
              files: [data.jsonl, missing.jsonl]
              layuot: chatml
            probe:
              fraction: 1.5
              steps: many
            rule:
              kind: contrl
            tune:
              arms: [sft, sft]
              temperature: 0
            tuen: {}
            score: 7
            """))!;

        string file = _folder.PathOf("recipe.yaml");
        string[] mistakes = Mistakes(error);
        Assert.That(error.Code, Is.EqualTo("recipe.invalid"));
        Assert.That(mistakes, Is.EqualTo(new[]
        {
            $"{file}:2: the model folder '{_folder.PathOf("nowhere")}' does not exist",
            $"{file}:4: the file '{_folder.PathOf("missing.jsonl")}' does not exist",
            $"{file}:5: unknown key 'layuot' in 'corpus'; did you mean 'layout'?",
            $"{file}:7: 'probe.fraction' is 1.5; expected 0 to 1",
            $"{file}:8: 'probe.steps' is 'many'; expected a whole number",
            $"{file}:10: 'rule.kind' is 'contrl'; expected one of control, paper (did you mean 'control'?)",
            $"{file}:12: 'tune.arms' names 'sft' twice",
            $"{file}:13: 'tune.temperature' is 0; expected more than 0",
            $"{file}:14: unknown key 'tuen' in the recipe; did you mean 'tune'?",
            $"{file}:15: 'score' is '7'; expected a section of keys",
        }));
        foreach (string mistake in mistakes) Assert.That(error.Message, Does.Contain(mistake));
    }

    [Test]
    public void What_is_missing_is_named() => Assert.That(
        Mistakes(Assert.Throws<ShadException>(() => Read("seed: 1\ncorpus:\n  limit: 5\n"))!),
        Is.EqualTo(new[]
        {
            $"{_folder.PathOf("recipe.yaml")}:1: 'model.path' is missing",
            $"{_folder.PathOf("recipe.yaml")}:3: 'corpus.files' is missing",
        }));

    [TestCase("model: [", "not valid YAML")]
    [TestCase("", "empty")]
    [TestCase("- a\n", "no recipe")]
    [TestCase("a: 1\n---\nb: 2\n", "second document")]
    [TestCase("seed: 1\nseed: 2\n", "not valid YAML")]
    public void Text_that_is_no_recipe_is_refused(string yaml, string expected) => Assert.That(
        Assert.Throws<ShadException>(() => Read(yaml))!.Message, Does.Contain(expected));

    [TestCase("seed: -1", "'seed' is '-1'; expected a whole number of at least 0")]
    [TestCase("name: ../up", "'name' is '../up'")]
    [TestCase("name: [a]", "'name' is a list; expected a text")]
    [TestCase("corpus: {files: [], limit: 0}", "'corpus.files' is an empty list; expected at least one item")]
    [TestCase("corpus: {files: data.jsonl, limit: 0}", "'corpus.limit' is 0; expected at least 1")]
    [TestCase("corpus: {files: data.jsonl, held_out: 0.6}", "'corpus.held_out' is 0.6; expected 0 to 0.5")]
    [TestCase("corpus: {files: data.jsonl, layout: chat}", "'corpus.layout' is 'chat'; expected one of auto, template, plain")]
    [TestCase("corpus: {files: model}", "No corpus file is there; expected files that end in .jsonl")]
    [TestCase("model: {path: .}", "it holds no config.json")]
    [TestCase("probe: {last_layers: 0}", "'probe.last_layers' is '0'; expected a whole number of at least 1, 'quarter' or 'all'")]
    [TestCase("tune: {last_layers: half}", "'tune.last_layers' is 'half'; expected a whole number")]
    [TestCase("tune: {precision: fp8}", "'tune.precision' is 'fp8'; expected one of float32, bfloat16, auto")]
    [TestCase("tune: {save_dtype: int4}", "'tune.save_dtype' is 'int4'; expected one of float32, bfloat16, float16")]
    [TestCase("tune: {learning_rate: .nan}", "'tune.learning_rate' is '.nan'; expected a number")]
    [TestCase("rule: {surprise: 0}", "'rule.surprise' is '0'; expected a loss in nats, more than 0, or off")]
    [TestCase("rule: {surprise: never}", "'rule.surprise' is 'never'; expected a loss in nats, more than 0, or off")]
    [TestCase("rule: {surprise: .inf}", "'rule.surprise' is '.inf'; expected a loss in nats")]
    [TestCase("score: {memory_mb: 15}", "'score.memory_mb' is 15; expected at least 16")]
    [TestCase("score: {device: tpu}", "'score.device' is 'tpu'; expected auto, cpu, cuda, cuda:N or cuda:N,M,… with different device numbers")]
    [TestCase("score: {device: 'cuda:1,1'}", "'score.device' is 'cuda:1,1'; expected auto, cpu, cuda, cuda:N or cuda:N,M,… with different device numbers")]
    [TestCase("score: {precision: half}", "'score.precision' is 'half'; expected one of auto, float32, float16, bfloat16")]
    [TestCase("tune: {device: 'cuda:0,1'}", "'tune.device' is 'cuda:0,1'; expected auto, cpu, cuda or cuda:N")]
    public void A_wrong_value_is_named_with_what_was_expected(string line, string expected) => Assert.That(
        Assert.Throws<ShadException>(() => Read("model: {path: model}\ncorpus: {files: data.jsonl}\n", line))!.Message,
        Does.Contain(expected));

    [Test]
    public void Set_replaces_values_before_they_are_checked()
    {
        Recipe recipe = Read(
            "model: {path: model}\ncorpus: {files: data.jsonl}\ntune: {steps: wrong}\n", "",
            "tune.steps=7", "tune.arms=[rft]", "rule.kind=paper", "corpus.limit=");

        Assert.Multiple(() =>
        {
            Assert.That(recipe.Tune.Steps, Is.EqualTo(7));
            Assert.That(recipe.Tune.Arms, Is.EqualTo(new[] { TuneArm.Rft }));
            Assert.That(recipe.Rule.Kind, Is.EqualTo(RuleKind.Paper));
            Assert.That(recipe.Corpus.Limit, Is.Null);
        });
    }

    [Test]
    public void A_mistake_of_set_names_the_option() => Assert.That(
        Mistakes(Assert.Throws<ShadException>(() => Read(
            "model: {path: model}\ncorpus: {files: data.jsonl}\n", "", "tune.step=7", "probe.fraction=2", "nonsense", "=1", "a.b=[", "score.device=gpu"))!),
        Is.EqualTo(new[]
        {
            "--set nonsense: expected KEY.PATH=VALUE, for example tune.steps=100",
            "--set =1: expected KEY.PATH=VALUE, for example tune.steps=100",
            "--set a.b=[: the value is not valid YAML: While parsing a node, did not find expected node content.",
            "--set probe.fraction=2: 'probe.fraction' is 2; expected 0 to 1",
            "--set score.device=gpu: 'score.device' is 'gpu'; expected auto, cpu, cuda, cuda:N or cuda:N,M,… with different device numbers",
            "--set tune.step=7: unknown key 'step' in 'tune'; did you mean 'steps'?",
        }));

    [Test]
    public void A_missing_file_is_an_error_of_its_own() => Assert.That(
        Assert.Throws<ShadException>(() => RecipeReader.Read(_folder.PathOf("none.yaml")))!.Code, Is.EqualTo("recipe.not_found"));

    [Test]
    public void Surprise_is_a_loss_or_off()
    {
        const string start = "model: {path: model}\ncorpus: {files: data.jsonl}\n";
        Recipe recipe = Read(start + "rule: {surprise: off}\n");
        Assert.That(Read(start).Rule.Surprise, Is.EqualTo(2));
        Assert.That(Read(start + "rule: {surprise: 1_0.5e1}\n").Rule.Surprise, Is.EqualTo(105));
        Assert.That(recipe.Rule.Surprise, Is.EqualTo(double.PositiveInfinity));
        string path = _folder.Write("resolved.yaml", RecipeWriter.ToYaml(recipe));
        Assert.That(RecipeReader.Read(path).Rule, Is.EqualTo(recipe.Rule));
    }

    [Test]
    public void Adapters_are_asked_for_by_a_section()
    {
        const string start = "model: {path: model}\ncorpus: {files: data.jsonl}\n";
        Recipe recipe = Read(start + "probe: {lora: {}}\ntune: {lora: {rank: 4, alpha: 12, dropout: 0.1, targets: [q_proj, v_proj], rank_stabilized: true}, gradient_checkpointing: true}\n");
        Assert.Multiple(() =>
        {
            Assert.That(Read(start).Tune.Lora, Is.Null);
            Assert.That(recipe.Probe.Lora, Is.EqualTo(new LoraSettings()));
            Assert.That(recipe.Tune.Lora, Is.EqualTo(new LoraSettings
            {
                Rank = 4, Alpha = 12, Dropout = 0.1, Targets = recipe.Tune.Lora!.Targets, RankStabilized = true,
            }));
            Assert.That(recipe.Tune.Lora.Targets, Is.EqualTo(new[] { "q_proj", "v_proj" }));
            Assert.That(recipe.Tune.GradientCheckpointing, Is.True);
        });
        string path = _folder.Write("resolved.yaml", RecipeWriter.ToYaml(recipe));
        Assert.That(RecipeWriter.ToYaml(RecipeReader.Read(path)), Is.EqualTo(RecipeWriter.ToYaml(recipe)));
    }

    [TestCase("tune: {lora: {rank: 0}}", "'tune.lora.rank' is 0; expected at least 1")]
    [TestCase("tune: {lora: {alpha: 0}}", "'tune.lora.alpha' is 0; expected more than 0")]
    [TestCase("tune: {lora: {dropout: 1}}", "'tune.lora.dropout' is 1; expected 0 to 0.99")]
    [TestCase("tune: {lora: {targets: [q_prj]}}", "did you mean 'q_proj'?")]
    [TestCase("tune: {lora: {rnk: 3}}", "did you mean 'rank'?")]
    [TestCase("tune: {lora: 8}", "'tune.lora' is '8'; expected a section of keys")]
    [TestCase("tune: {evaluate_every: 5, early_stopping: {patience: 0}}", "'tune.early_stopping.patience' is 0; expected at least 1")]
    [TestCase("tune: {evaluate_every: 5, early_stopping: {min: 1}}", "unknown key 'min' in 'tune.early_stopping'")]
    [TestCase("tune: {early_stopping: {patience: 2}}", "expected 'tune.evaluate_every' of at least 1")]
    [TestCase("tune: {gradient_checkpointing: maybe}", "'tune.gradient_checkpointing' is 'maybe'; expected one of true, false")]
    public void A_wrong_adapter_setting_is_a_mistake(string line, string expected)
    {
        ShadException error = Assert.Throws<ShadException>(() => Read("model: {path: model}\ncorpus: {files: data.jsonl}\n" + line + "\n"))!;
        Assert.That(error.Message, Does.Contain(expected));
    }

    [Test]
    public void Early_stopping_is_asked_for_by_a_section()
    {
        Recipe recipe = Read(
            "model: {path: model}\ncorpus: {files: data.jsonl}\ntune: {evaluate_every: 5, early_stopping: {patience: 2, minimum_improvement: 0.01}}\n");
        Assert.That(recipe.Tune.EarlyStopping, Is.EqualTo(new EarlyStoppingSettings { Patience = 2, MinimumImprovement = 0.01 }));
        Assert.That(recipe.Tune.Precision, Is.EqualTo(TunePrecision.Auto));
        string path = _folder.Write("resolved.yaml", RecipeWriter.ToYaml(recipe));
        Assert.That(RecipeReader.Read(path).Tune, Is.EqualTo(recipe.Tune with { Arms = RecipeReader.Read(path).Tune.Arms }).Using<TuneRecipe>(
            static (a, b) => a with { Arms = b.Arms } == b));
    }

    [Test]
    public void A_resolved_recipe_reads_back_as_it_was()
    {
        Recipe recipe = Read(
            """
            name: "2024"
            model: {path: model}
            corpus: {files: [data.jsonl], limit: 3, max_bad_rows: 0}
            probe: {last_layers: quarter, steps: 5, learning_rate: 0.00012345678901234, save_dtype: null, precision: bfloat16}
            rule: {kind: paper}
            tune: {arms: [], last_layers: 3, save_dtype: bfloat16}
            """);

        string path = _folder.Write("resolved.yaml", RecipeWriter.ToYaml(recipe));

        Assert.That(RecipeWriter.ToYaml(RecipeReader.Read(path)), Is.EqualTo(RecipeWriter.ToYaml(recipe)));
        Assert.That(RecipeReader.Read(path).Probe, Is.EqualTo(recipe.Probe));
        Assert.That(RecipeReader.Read(path).Tune.LastLayers, Is.EqualTo(TunedLayers.Last(3)));
        Assert.That(RecipeReader.Read(path).Name, Is.EqualTo("2024"));
    }

    [Test]
    public void A_resolved_recipe_is_read_without_its_files_where_these_are_not_needed()
    {
        string path = _folder.Write("resolved.yaml", RecipeWriter.ToYaml(Read("model: {path: model}\ncorpus: {files: data.jsonl}\n")));
        File.Delete(_folder.PathOf("data.jsonl"));

        Assert.That(() => RecipeReader.Read(path), Throws.TypeOf<ShadException>());
        Assert.That(RecipeReader.Read(path, filesMustExist: false).Corpus.Files, Has.Count.EqualTo(1));
    }

    [TestCase("", 12, null)]
    [TestCase("probe: {last_layers: null}", 12, null)]
    [TestCase("probe: {last_layers: all}", 12, null)]
    [TestCase("probe: {last_layers: quarter}", 12, 3)]
    [TestCase("probe: {last_layers: quarter}", 30, 7)]
    [TestCase("probe: {last_layers: quarter}", 3, 1)]
    [TestCase("probe: {last_layers: 5}", 12, 5)]
    public void The_layers_of_a_tune_are_all_a_quarter_or_a_number(string line, int layers, int? expected)
    {
        Recipe recipe = Read("model: {path: model}\ncorpus: {files: data.jsonl}\n", line);
        Assert.That(recipe.Probe.LastLayers.CountOf(() => layers), Is.EqualTo(expected));
        Assert.That(recipe.Tune.LastLayers, Is.EqualTo(TunedLayers.All));
    }

    private Recipe Read(string yaml, string more = "", params string[] overrides)
    {
        // A test's own line replaces the line of the same section.
        string key = more.Split(':')[0];
        IEnumerable<string> lines = yaml.Split('\n').Where(line => key.Length == 0 || !line.StartsWith(key + ":", StringComparison.Ordinal));
        return RecipeReader.Read(_folder.Write("recipe.yaml", string.Join('\n', lines) + more), overrides);
    }

    private static string[] Mistakes(ShadException error) => (string[])error.Data["mistakes"]!;
}
