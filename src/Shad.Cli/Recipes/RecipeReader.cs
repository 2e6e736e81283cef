using Shad.Core.Classification;
using Shad.Core.Errors;
using Shad.Core.Tuning;
using Shad.Onnx.Sessions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Shad.Cli.Recipes;

/// <summary>Reads a recipe file: defaults filled in, paths made absolute, every mistake reported at once with its line.</summary>
public static class RecipeReader
{
    private static readonly Dictionary<string, EvidenceUnit> Units = new() { ["word"] = EvidenceUnit.Word, ["token"] = EvidenceUnit.Token };

    private static readonly Dictionary<string, RuleKind> RuleKinds = new()
    {
        ["control"] = RuleKind.Control,
        ["paper"] = RuleKind.Paper,
    };

    private static readonly Dictionary<string, TuneArm> Arms = new() { ["sft"] = TuneArm.Sft, ["rft"] = TuneArm.Rft };

    private static readonly Dictionary<string, TunePrecision> Precisions = new()
    {
        ["float32"] = TunePrecision.Float32,
        ["bfloat16"] = TunePrecision.BFloat16,
        ["auto"] = TunePrecision.Auto,
    };

    /// <summary>Reads and checks a recipe.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="filesMustExist">False where the model and the corpus are not going to be read.</param>
    /// <param name="overrides"><c>key.path=value</c> each, replacing what the file says before it is checked.</param>
    /// <exception cref="ShadException">The file is not there (<c>recipe.not_found</c>), cannot be read, or has mistakes
    /// (<c>recipe.invalid</c>), all of which the message lists.</exception>
    public static Recipe Read(string path, IEnumerable<string>? overrides = null, bool filesMustExist = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path)) throw RecipeErrors.NotFound(path);
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RecipeErrors.NotReadable(path, e);
        }

        return Parse(text, path, overrides, filesMustExist);
    }

    /// <summary>Reads and checks the text of a recipe.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="path">The file's name: for messages, for relative paths, and for the run's name where none is given.</param>
    /// <param name="filesMustExist">As for <see cref="Read"/>.</param>
    /// <param name="overrides">As for <see cref="Read"/>.</param>
    /// <exception cref="ShadException">The recipe has mistakes (<c>recipe.invalid</c>).</exception>
    public static Recipe Parse(string text, string path, IEnumerable<string>? overrides = null, bool filesMustExist = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentException.ThrowIfNullOrEmpty(path);
        var mistakes = new RecipeMistakes(path, filesMustExist);
        YamlMappingNode root = Load(text, path, mistakes);
        foreach (string option in overrides ?? []) Override(root, option, mistakes);
        Recipe recipe = Recipe(new RecipeSection(mistakes, root, ""), path);
        return mistakes.All.Count == 0 ? recipe : throw RecipeErrors.Invalid(path, mistakes.All);
    }

    private static Recipe Recipe(RecipeSection root, string path)
    {
        string name = root.Text("name") ?? Path.GetFileNameWithoutExtension(path);
        if (!IsFolderName(name))
            root.Note("name", $"'name' is '{name}'; expected letters, digits, '.', '-' and '_' only, since a folder is named by it");
        var recipe = new Recipe
        {
            Name = name,
            Seed = root.Seed("seed", 1),
            Model = Model(root.Section("model")),
            Corpus = Corpus(root.Section("corpus")),
            Probe = Probe(root.Section("probe")),
            Score = Score(root.Section("score")),
            Rule = Rule(root.Section("rule")),
            Tune = Tune(root.Section("tune")),
        };
        root.End();
        return recipe;
    }

    private static ModelRecipe Model(RecipeSection section)
    {
        string? path = section.FilePath("path", required: true);
        if (path is not null && section.FilesMustExist && !Directory.Exists(path))
            section.Note("path", $"the model folder '{path}' does not exist");
        else if (path is not null && section.FilesMustExist && !File.Exists(Path.Combine(path, "config.json")))
            section.Note("path", $"'{path}' is no model folder: it holds no config.json");
        section.End();
        return new ModelRecipe { Path = path ?? "" };
    }

    private static CorpusRecipe Corpus(RecipeSection section)
    {
        var defaults = new CorpusRecipe { Files = [] };
        IReadOnlyList<string> files = section.CorpusPaths("files");
        string layout = section.Text("layout") ?? defaults.Layout;
        if (!RecipeDefaults.Layouts.Contains(layout))
        {
            section.Note("layout", $"'corpus.layout' is '{layout}'; expected one of {string.Join(", ", RecipeDefaults.Layouts)}"
                + (NearestName.Of(layout, RecipeDefaults.Layouts) is { } nearest ? $" (did you mean '{nearest}'?)" : ""));
        }

        var corpus = new CorpusRecipe
        {
            Files = files,
            Layout = layout,
            Limit = section.OptionalInteger("limit", 1),
            Sample = section.OptionalInteger("sample", 1),
            SampleSeed = section.Seed("sample_seed", defaults.SampleSeed),
            HeldOut = section.Real("held_out", defaults.HeldOut, 0, 0.5),
            MaxBadRows = section.OptionalInteger("max_bad_rows", 0),
            MaxLength = section.OptionalInteger("max_length", 2),
        };
        section.End();
        return corpus;
    }

    private static ProbeRecipe Probe(RecipeSection section)
    {
        var defaults = new ProbeRecipe();
        var probe = Tuning(section, defaults) with
        {
            Fraction = section.Real("fraction", defaults.Fraction, 0, 1, minimumExcluded: true),
            MinimumSamples = section.Integer("minimum_samples", defaults.MinimumSamples, 2),
        };
        section.End();
        return probe;
    }

    private static TuneRecipe Tune(RecipeSection section)
    {
        var defaults = new TuneRecipe();
        var tune = Tuning(section, defaults) with
        {
            Arms = section.Choices("arms", defaults.Arms, Arms),
            EvaluateEvery = section.Integer("evaluate_every", defaults.EvaluateEvery, 0),
            EarlyStopping = section.Has("early_stopping") ? EarlyStopping(section.Section("early_stopping")) : null,
            Temperature = section.Real("temperature", defaults.Temperature, 0, 1000, minimumExcluded: true),
            WeightBySize = section.Flag("weight_by_size", defaults.WeightBySize),
            BoilerplateFloor = section.Real("boilerplate_floor", defaults.BoilerplateFloor, 0, 1),
            AnnealFrom = section.Real("anneal_from", defaults.AnnealFrom, 0, 1),
        };
        if (tune.EarlyStopping is not null && tune.EvaluateEvery == 0)
            section.Note("early_stopping", "'tune.early_stopping' goes by measurements between steps; expected 'tune.evaluate_every' of at least 1 with it");
        section.End();
        return tune;
    }

    private static EarlyStoppingSettings EarlyStopping(RecipeSection section)
    {
        var defaults = new EarlyStoppingSettings();
        var stopping = new EarlyStoppingSettings
        {
            Patience = section.Integer("patience", defaults.Patience, 1),
            MinimumImprovement = section.Real("minimum_improvement", defaults.MinimumImprovement, 0, 1000),
        };
        section.End();
        return stopping;
    }

    private static T Tuning<T>(RecipeSection section, T defaults)
        where T : TuningRecipe => defaults with
        {
            LastLayers = section.Parsed("last_layers", defaults.LastLayers, TunedLayers.Parse, TunedLayers.Expected),
            Lora = section.Has("lora") ? Lora(section.Section("lora")) : null,
            Steps = section.OptionalInteger("steps", 1),
            Epochs = section.Real("epochs", defaults.Epochs, 0, 10_000, minimumExcluded: true),
            LearningRate = section.Real("learning_rate", defaults.LearningRate, 0, 1, minimumExcluded: true),
            SamplesPerStep = section.Integer("samples_per_step", defaults.SamplesPerStep, 1),
            TokensPerBatch = section.Integer("tokens_per_batch", defaults.TokensPerBatch, 1),
            Threads = section.OptionalInteger("threads", 1),
            Device = section.Written("device", defaults.Device, RecipeDefaults.IsTuneDevice, RecipeDefaults.TuneDeviceExpected),
            Precision = section.Choice("precision", defaults.Precision, Precisions),
            GradientCheckpointing = section.Flag("gradient_checkpointing", defaults.GradientCheckpointing),
            SaveDtype = section.OptionalChoice("save_dtype", defaults.SaveDtype, RecipeDefaults.Dtypes),
            CheckpointEvery = section.Integer("checkpoint_every", defaults.CheckpointEvery, 0),
        };

    private static LoraSettings Lora(RecipeSection section)
    {
        double alpha = section.Real("alpha", 0, 0, 1_000_000, minimumExcluded: true);
        IReadOnlyList<string> targets = section.Choices("targets", [], RecipeDefaults.LoraTargets.ToDictionary(target => target));
        bool stabilized = section.Flag("rank_stabilized", false);
        var lora = new LoraSettings
        {
            Rank = section.OptionalInteger("rank", 1),
            Alpha = alpha > 0 ? alpha : null,
            Dropout = section.Real("dropout", 0, 0, 0.99),
            Targets = targets.Count > 0 ? targets : null,
            RankStabilized = section.Has("rank_stabilized") ? stabilized : null,
            From = section.FilePath("from"),
        };
        section.End();
        return lora;
    }

    private static ScoreRecipe Score(RecipeSection section)
    {
        var defaults = new ScoreRecipe();
        var score = new ScoreRecipe
        {
            TokensPerBatch = section.OptionalInteger("tokens_per_batch", 1),
            MemoryMb = section.OptionalInteger("memory_mb", RecipeDefaults.LeastMemoryMb),
            Device = section.Written("device", defaults.Device, static text => DeviceChoice.Parse(text) is not null, DeviceChoice.Expected),
            Precision = section.Choice("precision", defaults.Precision, RecipeDefaults.ScorePrecisions.ToDictionary(precision => precision)),
            ProviderLibrary = section.FilePath("provider_library"),
            SamplesPerShard = section.Integer("samples_per_shard", defaults.SamplesPerShard, 1),
        };
        section.End();
        return score;
    }

    private static RuleRecipe Rule(RecipeSection section)
    {
        var defaults = new RuleRecipe();
        var rule = new RuleRecipe
        {
            Kind = section.Choice("kind", defaults.Kind, RuleKinds),
            Margin = section.Real("margin", defaults.Margin, 0, 100),
            FalseShare = section.OptionalReal("false_share", MarginEstimate.LeastFalseShare, MarginEstimate.MostFalseShare),
            Surprise = section.Parsed("surprise", defaults.Surprise, SurpriseNotation.Parse, SurpriseNotation.Expected),
            Unit = section.Choice("unit", defaults.Unit, Units),
        };
        section.End();
        return rule;
    }

    private static YamlMappingNode Load(string text, string path, RecipeMistakes mistakes)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents.Count == 0) mistakes.AddLine(1, "the recipe is empty; expected at least 'model' and 'corpus'");
            else if (stream.Documents.Count > 1)
                mistakes.AddLine(stream.Documents[1].RootNode.Start.Line, "a second document starts here; expected one recipe a file");
            else if (stream.Documents[0].RootNode is YamlMappingNode root) return root;
            else mistakes.AddLine(stream.Documents[0].RootNode.Start.Line, "this is no recipe; expected keys such as 'model:' and 'corpus:'");
        }
        catch (YamlException e)
        {
            mistakes.AddLine(e.Start.Line, $"this is not valid YAML (column {e.Start.Column}): {(e.InnerException ?? e).Message}");
        }

        throw RecipeErrors.Invalid(path, mistakes.All);
    }

    /// <summary>Puts the value of <c>key.path=value</c> in its place, making sections on the way.</summary>
    private static void Override(YamlMappingNode root, string option, RecipeMistakes mistakes)
    {
        int equals = option.IndexOf('=', StringComparison.Ordinal);
        string[] keys = (equals < 0 ? "" : option[..equals]).Split('.');
        if (keys.Any(key => key.Length == 0))
        {
            mistakes.AddOption(option, "expected KEY.PATH=VALUE, for example tune.steps=100");
            return;
        }

        YamlNode value;
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(option[(equals + 1)..]));
            value = stream.Documents.Count == 0 ? new YamlScalarNode("") : stream.Documents[0].RootNode;
        }
        catch (YamlException e)
        {
            mistakes.AddOption(option, $"the value is not valid YAML: {e.Message}");
            return;
        }

        mistakes.ComesFromOption(value, option);
        YamlMappingNode section = root;
        foreach (string key in keys[..^1])
        {
            var name = new YamlScalarNode(key);
            if (!section.Children.TryGetValue(name, out YamlNode? child) || child is not YamlMappingNode mapping)
            {
                mapping = [];
                mistakes.ComesFromOption(name, option);
                mistakes.ComesFromOption(mapping, option);
                section.Children[name] = mapping;
            }

            section = mapping;
        }

        var last = new YamlScalarNode(keys[^1]);
        // The key of the file would keep its line in messages, although the value is no longer the file's.
        section.Children.Remove(last);
        mistakes.ComesFromOption(last, option);
        section.Children.Add(last, value);
    }

    private static bool IsFolderName(string name) =>
        name.Length is > 0 and <= 100 && name[0] is not ('.' or '-')
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');
}
