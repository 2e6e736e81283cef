using System.CommandLine;
using System.Globalization;
using System.Numerics;
using Shad.Cli.Generation;
using Shad.Cli.Recipes;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Onnx.Sessions;

namespace Shad.Cli.Commands;

/// <summary>Options with bounds, made in one line each.</summary>
internal static class BoundedOption
{
    /// <summary>An option for a number; without it the value is null.</summary>
    public static Option<T?> Of<T>(string name, string description, T minimum, T maximum, bool minimumExcluded = false)
        where T : struct, INumber<T>
    {
        var option = new Option<T?>(name) { Description = description, HelpName = "N" };
        option.CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (!T.TryParse(text, CultureInfo.InvariantCulture, out T value))
                result.AddError($"{name} is '{text}'; expected a number");
            else if (value < minimum || value > maximum || (minimumExcluded && value == minimum))
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; expected {Bounds()}"));
            else
                return value;
            return null;
        };
        return option;

        string Bounds()
        {
            string lower = string.Create(CultureInfo.InvariantCulture, $"{(minimumExcluded ? "more than " : "")}{minimum}");
            return maximum == T.CreateSaturating(ulong.MaxValue)
                ? (minimumExcluded ? lower : $"at least {lower}")
                : string.Create(CultureInfo.InvariantCulture, $"{lower} to {maximum}");
        }
    }
}

/// <summary>Options whose value has a notation of its own.</summary>
internal static class ParsedOption
{
    /// <summary>An option for such a value; without it the value is null.</summary>
    /// <param name="name">Name of the option.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="helpName">What stands for its value in the help.</param>
    /// <param name="parse">Reads the value; null where it is none.</param>
    /// <param name="expected">How it may be written, for the message.</param>
    public static Option<T?> Of<T>(string name, string description, string helpName, Func<string, T?> parse, string expected)
        where T : struct => new(name)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                T? value = parse(text);
                if (value is null) result.AddError($"{name} is '{text}'; expected {expected}");
                return value;
            },
        };
}

/// <summary>The options that say which corpus is read and how.</summary>
internal sealed class CorpusOptionGroup
{
    private readonly Option<string[]> _files;
    private readonly Option<string> _layout = new("--layout")
    {
        Description = "What turns conversations into text: auto takes the model's own chat template, or plain where it has none.",
        HelpName = "NAME",
        DefaultValueFactory = _ => RecipeDefaults.Layout,
    };

    private readonly Option<int?> _limit = BoundedOption.Of("--limit", "Read at most so many samples. Default: all.", 1, int.MaxValue);
    private readonly Option<int?> _sample = BoundedOption.Of(
        "--sample", "Draw so many rows at random from the whole corpus, before --limit. Default: all.", 1, int.MaxValue);

    private readonly Option<ulong?> _sampleSeed = BoundedOption.Of("--sample-seed", "Seed of --sample. Default: 1.", 0UL, ulong.MaxValue);
    private readonly Option<int?> _maxLength = BoundedOption.Of(
        "--max-length", "Longest sequence in tokens. Default: the model's context.", 2, int.MaxValue);

    public CorpusOptionGroup(Command command, string name = "--corpus", string? description = null)
    {
        _files = new Option<string[]>(name)
        {
            Description = description ?? "Corpus file (.jsonl, .json or .parquet, also .gz and .zst), folder or glob. May be given several times.",
            HelpName = "FILE",
            Required = true,
            AllowMultipleArgumentsPerToken = true,
        };
        _layout.AcceptOnlyFromAmong([.. RecipeDefaults.Layouts]);
        command.Options.Add(_files);
        command.Options.Add(_layout);
        command.Options.Add(_limit);
        command.Options.Add(_sample);
        command.Options.Add(_sampleSeed);
        command.Options.Add(_maxLength);
    }

    public CorpusRecipe Read(ParseResult parse) => new()
    {
        Files = [.. parse.GetRequiredValue(_files).SelectMany(CorpusFiles.Of)],
        Layout = parse.GetRequiredValue(_layout),
        Limit = parse.GetValue(_limit),
        Sample = parse.GetValue(_sample),
        SampleSeed = parse.GetValue(_sampleSeed) ?? 1,
        MaxLength = parse.GetValue(_maxLength),
    };
}

/// <summary>The option for a device, checked as it is read.</summary>
internal static class DeviceOption
{
    public static Option<string?> Of(string description, Func<string, bool> isDevice, string expected) => new("--device")
    {
        Description = description,
        HelpName = "DEVICE",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (!isDevice(text)) result.AddError($"--device is '{text}'; expected {expected}");
            return text;
        },
    };
}

/// <summary>The options that say how losses are measured.</summary>
internal sealed class ScoreOptionGroup
{
    private readonly Option<int?> _tokensPerBatch = BoundedOption.Of(
        "--tokens-per-batch",
        $"Most tokens in one forward pass; bounds memory, changes no loss. Default: {ScoreRecipe.DefaultTokensPerBatch}, on CUDA by the free memory.",
        1, int.MaxValue);

    private readonly Option<int?> _memory = BoundedOption.Of(
        "--memory",
        "Memory in MB that a forward pass may take beside the weights; batches are cut to keep to it. Default: 384, on CUDA by the free memory.",
        RecipeDefaults.LeastMemoryMb, int.MaxValue);

    private readonly Option<string?> _device = DeviceOption.Of(
        "Where ONNX Runtime computes: cpu, cuda, cuda:1, several as cuda:0,1, or auto, which takes CUDA where there is one. Default: auto.",
        static text => DeviceChoice.Parse(text) is not null, DeviceChoice.Expected);

    private readonly Option<string?> _precision = new("--precision")
    {
        Description = "Number format: float32 (CPU), float16, bfloat16 (CUDA), int8 (CPU: faster, for roles rather than losses), or auto by device and model. Logits and losses are float32. Default: auto.",
        HelpName = "FORMAT",
    };

    private readonly Option<string?> _providerLibrary = new("--provider-library")
    {
        Description = "A plug-in execution provider of ONNX Runtime to compute with.", HelpName = "FILE",
    };

    public ScoreOptionGroup(Command command)
    {
        _precision.AcceptOnlyFromAmong([.. RecipeDefaults.ScorePrecisions]);
        foreach (Option option in (Option[])[_tokensPerBatch, _memory, _device, _precision, _providerLibrary]) command.Options.Add(option);
    }

    public ScoreRecipe Read(ParseResult parse)
    {
        var defaults = new ScoreRecipe();
        return defaults with
        {
            TokensPerBatch = parse.GetValue(_tokensPerBatch) ?? defaults.TokensPerBatch,
            MemoryMb = parse.GetValue(_memory),
            Device = parse.GetValue(_device) ?? defaults.Device,
            Precision = parse.GetValue(_precision) ?? defaults.Precision,
            ProviderLibrary = parse.GetValue(_providerLibrary) is { } library ? Path.GetFullPath(library) : null,
        };
    }
}

/// <summary>What <c>--generate</c> is to do.</summary>
/// <param name="Generator">What generates: a name of <see cref="TokenGenerators"/>.</param>
/// <param name="MaximumNewTokens">Most tokens of a response; null is half as many again as the corpus's longest.</param>
/// <param name="Output">File for every response; null for none.</param>
internal sealed record GenerationChoice(string Generator, int? MaximumNewTokens, string? Output);

/// <summary>The options that let models answer the prompts of a corpus.</summary>
internal sealed class GenerationOptionGroup
{
    private readonly Option<bool> _generate = new("--generate")
    {
        Description = "Let every model answer the prompts, greedily on the CPU, and compare with the corpus's responses.",
    };

    private readonly Option<int?> _maximumNewTokens = BoundedOption.Of(
        "--max-new-tokens", "Most tokens of an answer. Default: half as many again as the corpus's longest response.", 1, int.MaxValue);

    private readonly Option<string?> _output = new("--out", "-o")
    {
        Description = "JSON file for every answer and how it compares.", HelpName = "FILE",
    };

    private readonly Option<string> _generator = new("--generator")
    {
        Description = "What generates: own, or genai, which is onnxruntime-genai on the graphs of 'shad export'; a build with -p:ShadGenAI=true has it.",
        HelpName = "NAME", DefaultValueFactory = static _ => TokenGenerators.Own,
    };

    public GenerationOptionGroup(Command command)
    {
        _generator.AcceptOnlyFromAmong(TokenGenerators.Own, TokenGenerators.GenAI);
        command.Options.Add(_generate);
        command.Options.Add(_generator);
        command.Options.Add(_maximumNewTokens);
        command.Options.Add(_output);
        command.Validators.Add(result =>
        {
            if (result.GetValue(_generate)) return;
            foreach (Option option in (Option[])[_generator, _maximumNewTokens, _output])
                if (result.GetResult(option) is { Implicit: false }) result.AddError($"{option.Name} needs --generate");
        });
    }

    public GenerationChoice? Read(ParseResult parse) => parse.GetValue(_generate)
        ? new GenerationChoice(
            parse.GetRequiredValue(_generator), parse.GetValue(_maximumNewTokens), parse.GetValue(_output) is { } file ? Path.GetFullPath(file) : null)
        : null;
}

/// <summary>The options of a tune of any kind.</summary>
internal sealed class TuningOptionGroup
{
    private readonly Option<int?> _steps = BoundedOption.Of("--steps", "Optimizer steps. Default: from --epochs.", 1, int.MaxValue);
    private readonly Option<double?> _epochs;
    private readonly Option<double?> _learningRate;
    private readonly Option<int?> _samplesPerStep;
    private readonly Option<TunedLayers?> _layers;
    private readonly Option<int?> _tokensPerBatch;
    private readonly LoraOptionGroup _lora;
    private readonly Option<bool> _gradientCheckpointing = new("--gradient-checkpointing")
    {
        Description = "Keep only the layers' inputs for the backward pass: less memory, about a third more time, the same result.",
    };

    private readonly Option<string?> _device = DeviceOption.Of(
        "Where the tune computes: cpu, cuda, cuda:1, or auto, which takes CUDA where there is one. Default: auto.",
        RecipeDefaults.IsTuneDevice, RecipeDefaults.TuneDeviceExpected);

    private readonly Option<string?> _precision = new("--precision")
    {
        Description = "Number format of the matrix products: float32, bfloat16, or auto (bfloat16 where the processor has it).",
        HelpName = "FORMAT",
    };

    public TuningOptionGroup(Command command, TuningRecipe defaults)
    {
        _layers = ParsedOption.Of(
            "--layers",
            "Tune only the last K layers, with the last norm and an untied head; 'quarter' is a quarter of them, at least "
                + $"one, 'all' every parameter. Default: {defaults.LastLayers}.",
            "K", TunedLayers.Parse, TunedLayers.Expected);
        _epochs = BoundedOption.Of("--epochs", Text($"Passes over the data. Default: {defaults.Epochs}."), 0.0, 10_000, minimumExcluded: true);
        _learningRate = BoundedOption.Of(
            "--learning-rate", Text($"Peak learning rate of AdamW. Default: {defaults.LearningRate}."), 0.0, 1, minimumExcluded: true);
        _samplesPerStep = BoundedOption.Of(
            "--samples-per-step", Text($"Samples an optimizer step. Default: {defaults.SamplesPerStep}."), 1, int.MaxValue);
        _tokensPerBatch = BoundedOption.Of(
            "--tune-tokens-per-batch",
            Text($"Most padded tokens in one forward pass of the tune; bounds memory. Default: {defaults.TokensPerBatch}."), 1, int.MaxValue);
        _precision.AcceptOnlyFromAmong("float32", "bfloat16", "auto");
        foreach (Option option in (Option[])[_steps, _epochs, _learningRate, _samplesPerStep, _layers, _tokensPerBatch, _device, _precision, _gradientCheckpointing])
            command.Options.Add(option);
        _lora = new LoraOptionGroup(command);
    }

    public T Read<T>(ParseResult parse, T defaults)
        where T : TuningRecipe => defaults with
        {
            Steps = parse.GetValue(_steps) ?? defaults.Steps,
            Epochs = parse.GetValue(_epochs) ?? defaults.Epochs,
            LearningRate = parse.GetValue(_learningRate) ?? defaults.LearningRate,
            SamplesPerStep = parse.GetValue(_samplesPerStep) ?? defaults.SamplesPerStep,
            LastLayers = parse.GetValue(_layers) ?? defaults.LastLayers,
            Lora = _lora.Read(parse) ?? defaults.Lora,
            GradientCheckpointing = parse.GetValue(_gradientCheckpointing) || defaults.GradientCheckpointing,
            TokensPerBatch = parse.GetValue(_tokensPerBatch) ?? defaults.TokensPerBatch,
            Device = parse.GetValue(_device) ?? defaults.Device,
            Precision = parse.GetValue(_precision) switch
            {
                "bfloat16" => TunePrecision.BFloat16,
                "float32" => TunePrecision.Float32,
                "auto" => TunePrecision.Auto,
                _ => defaults.Precision,
            },
        };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The options of low-rank adapters; any of them turns them on.</summary>
internal sealed class LoraOptionGroup
{
    private readonly Option<int?> _rank = BoundedOption.Of(
        "--lora-rank", $"Tune low-rank adapters of this rank instead of the weights. Default with any --lora option: {LoraSettings.DefaultRank}.",
        1, int.MaxValue);

    private readonly Option<double?> _alpha = BoundedOption.Of(
        "--lora-alpha", "The adapters' scale is alpha / rank. Default: twice the rank.", 0.0, 1_000_000, minimumExcluded: true);

    private readonly Option<double?> _dropout = BoundedOption.Of("--lora-dropout", "Dropout before the adapters. Default: 0.", 0.0, 0.99);

    private readonly Option<string[]> _targets = new("--lora-targets")
    {
        Description = "Adapted projections by PEFT's names: " + string.Join(", ", RecipeDefaults.LoraTargets) + ". Default: all-linear.",
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<bool> _rankStabilized = new("--lora-rank-stabilized") { Description = "Scale by alpha / √rank (rsLoRA)." };
    private readonly Option<string?> _from = new("--lora-from")
    {
        Description = "Start with an adapter in PEFT's layout; rank, alpha and targets are its own.", HelpName = "DIR",
    };

    public LoraOptionGroup(Command command)
    {
        _targets.AcceptOnlyFromAmong([.. RecipeDefaults.LoraTargets]);
        foreach (Option option in (Option[])[_rank, _alpha, _dropout, _targets, _rankStabilized, _from]) command.Options.Add(option);
    }

    /// <summary>The settings, or null where no option is given.</summary>
    public LoraSettings? Read(ParseResult parse)
    {
        string[] targets = parse.GetValue(_targets) ?? [];
        var lora = new LoraSettings
        {
            Rank = parse.GetValue(_rank),
            Alpha = parse.GetValue(_alpha),
            Dropout = parse.GetValue(_dropout) ?? 0,
            Targets = targets.Length > 0 ? targets : null,
            RankStabilized = parse.GetValue(_rankStabilized) ? true : null,
            From = parse.GetValue(_from) is { } from ? Path.GetFullPath(from) : null,
        };
        return lora == new LoraSettings() && parse.GetResult(_dropout) is null ? null : lora;
    }
}

/// <summary>Options that several commands share, one instance a command.</summary>
internal static class CommonOptions
{
    public static Option<string> Model(string description = "Base model folder in Hugging Face layout.") => new("--model", "-m")
    {
        Description = description, HelpName = "DIR", Required = true,
    };

    public static Option<string> Output(string description, string helpName) => new("--out", "-o")
    {
        Description = description, HelpName = helpName, Required = true,
    };

    public static Option<ulong?> Seed() => BoundedOption.Of("--seed", "Seed of every random choice. Default: 1.", 0UL, ulong.MaxValue);
}
