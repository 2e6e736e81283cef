using System.Text;
using System.Text.Json;
using MakeShadMini.Texts;
using MakeShadMini.Tokenizer;
using Shad.Core.Randomness;
using Shad.Core.Samples;
using Shad.Core.Tuning;
using Shad.Data.Corpora;
using Shad.Data.Demo;
using Shad.Data.Tokenization;
using Shad.Models;
using Shad.Models.Configuration;

namespace MakeShadMini;

/// <summary>Makes what the training starts from: tokenizer, initial weights, tokenized documents, the sidecar's job.</summary>
internal static class Preparation
{
    private const int VocabularySize = 4096;
    private const int MergedSize = 1000;
    private const int WordBonus = 60;
    private const int HeldOutDocuments = 400;
    public const int SamplesPerStep = 24;
    private const int WarmUpSteps = 200;
    private const int WarmUpSamplesPerStep = 32;
    private static readonly string[] SpecialTokens = ["<s>", "</s>"];

    /// <summary>The shape of shad-mini: 4.0 M parameters, 1.05 M of them the tied embedding.</summary>
    public static DecoderConfig Shape => new()
    {
        ModelType = "llama",
        HiddenSize = 256,
        IntermediateSize = 512,
        LayerCount = 5,
        AttentionHeads = 8,
        KeyValueHeads = 4,
        HeadSize = 32,
        VocabularySize = VocabularySize,
        ContextLength = 1024,
        NormEpsilon = 1e-5f,
        Rotary = new RotaryEmbedding(10_000),
        TiedHead = true,
        BeginningOfSequenceId = 0,
        EndOfSequenceIds = [1],
    };

    public static void PrintSamples(Options options)
    {
        var generator = new DocumentGenerator(options.Seed, Harvest.Read(options.Corpora));
        for (int i = 0; i < options.Documents; i++)
        {
            var document = generator.Next();
            Console.WriteLine($"==== {document.Prompt}\n---- {document.Response}\n");
        }
    }

    public static void Run(Options options)
    {
        string tokenizerFolder = Path.Combine(options.Work, "tokenizer");
        Directory.CreateDirectory(tokenizerFolder);
        var harvest = Harvest.Read(options.Corpora);

        var trainer = new BytePairTrainer();
        var forTokenizer = new DocumentGenerator(options.Seed + 1, harvest);
        for (int i = 0; i < 15_000; i++)
        {
            var document = forTokenizer.Next();
            trainer.Add(document.Prompt);
            trainer.Add(document.Response);
        }

        // What values are made of is to be one token each, as words are to the tokenizers of larger models.
        foreach (string word in (string[])[.. WordLists.DemoValues, .. WordLists.FirstNames, .. WordLists.LastNames, .. WordLists.Cities])
        {
            for (int i = 0; i < WordBonus; i++) trainer.Add($"{word} {word}");
        }

        foreach (string noun in WordLists.Objects)
        {
            for (int i = 0; i < WordBonus; i++) trainer.Add(Values.Capital(noun));
        }

        foreach (string text in harvest.Texts)
        {
            for (int i = 0; i < 2; i++) trainer.Add(text);
        }

        trainer.Write(Path.Combine(tokenizerFolder, "tokenizer.json"), VocabularySize, MergedSize, SpecialTokens);
        File.WriteAllText(Path.Combine(tokenizerFolder, "tokenizer_config.json"), """
            {
              "tokenizer_class": "PreTrainedTokenizerFast",
              "bos_token": "<s>",
              "eos_token": "</s>",
              "add_bos_token": true,
              "add_eos_token": false,
              "model_max_length": 1024,
              "clean_up_tokenization_spaces": false
            }
            """ + "\n");
        Console.WriteLine("tokenizer written");

        CopyingInitialization.Write(options.ModelFolder, Shape, options.Seed, tokenizerFolder);
        Console.WriteLine("initial weights written");

        var tokenizer = TokenizerLoader.Load(options.ModelFolder);
        long tokens = Write(options.HeldOutFile, new DocumentGenerator(options.Seed + 2, harvest), tokenizer, HeldOutDocuments, options.Seed + 2, withRepeats: false);
        Console.WriteLine($"held out: {HeldOutDocuments} documents, {tokens} tokens");
        tokens = Write(options.TrainFile, new DocumentGenerator(options.Seed + 3, harvest), tokenizer, options.Documents, options.Seed + 3, withRepeats: true);
        Console.WriteLine($"train: {options.Documents} documents, {tokens} tokens");

        // First nothing but repeated runs of random tokens, so that the copying heads are set before anything pulls at them.
        WriteWarmUp(Path.Combine(options.Work, "warm-up.jsonl"), options.Seed + 5);
        string warm = Path.GetFullPath(Path.Combine(options.Work, "warm"));
        var warmUp = new TuneJob
        {
            Model = Path.GetFullPath(options.ModelFolder),
            Output = warm,
            Data = Path.GetFullPath(Path.Combine(options.Work, "warm-up.jsonl")),
            Steps = WarmUpSteps,
            SamplesPerStep = WarmUpSamplesPerStep,
            LearningRate = 2e-3,
            WarmupRatio = 0.15,
            MinimumLearningRateRatio = 0.3,
            WeightDecay = 0.01,
            Precision = TunePrecision.BFloat16,
            Seed = options.Seed,
            ReportEvery = 10,
        };
        WriteJob(options, "warm-up", warmUp);

        WriteJob(options, "train", new TuneJob
        {
            Model = warm,
            Output = Path.GetFullPath(Path.Combine(options.Work, "shad-mini")),
            Data = Path.GetFullPath(options.TrainFile),
            HeldOut = Path.GetFullPath(options.HeldOutFile),
            Objective = TuneObjective.Sft,
            Steps = options.Steps,
            TokensPerBatch = 4096,
            SamplesPerStep = SamplesPerStep,
            LearningRate = 1.5e-3,
            WarmupRatio = 0.03,
            MinimumLearningRateRatio = 0.03,
            WeightDecay = 0.05,
            Precision = TunePrecision.BFloat16,
            Seed = options.Seed,
            CheckpointEvery = 250,
            EvaluateEvery = 250,
            ReportEvery = 25,
            SaveDtype = "bfloat16",
        });
    }

    private static void WriteJob(Options options, string name, TuneJob job) =>
        File.WriteAllText(Path.Combine(options.Work, name + ".json"), JsonSerializer.Serialize(job, SidecarJson.Default.TuneJob));

    private static long Write(string path, DocumentGenerator generator, ITextTokenizer tokenizer, int documents, ulong seed, bool withRepeats)
    {
        var random = new SeededRandom(seed);
        var text = new StringBuilder();
        long tokens = 0;
        using var writer = TokenizedSampleWriter.Create(path);
        for (int i = 0; i < documents; i++)
        {
            if (withRepeats && random.NextInt32(4) == 0)
            {
                var repeated = RepeatedTokens($"{i}", random);
                writer.Write(repeated);
                tokens += repeated.Length;
                continue;
            }

            var document = generator.Next();
            CheckFormat(document);
            // One document in five is learned whole, the others from their response on: what is asked of the model is to use a
            // prompt, and tokens that nothing foretells teach little.
            var sample = Encode($"{i}", document, tokenizer, Separator(random), wholeDocument: random.NextInt32(5) == 0);
            writer.Write(sample);
            tokens += sample.Length;
        }

        writer.Complete();
        return tokens;
    }

    // The demo would show nothing if the base model knew its formats. One marker may come about by chance (a value in angle
    // brackets); two of the same format do not.
    private static void CheckFormat(TrainingDocument document)
    {
        foreach (var format in DemoFormats.All)
        {
            var found = DemoFormats.MarkersOf(format).Where(marker => document.Response.Contains(marker, StringComparison.Ordinal)).ToArray();
            if (found.Length > 1)
                throw new InvalidOperationException($"A training document is in the demo format {DemoFormats.NameOf(format)}: it holds {string.Join(" and ", found)}.");
        }
    }

    /// <summary>A run of tokens drawn at random, two or three times over: nothing but the copy can be foretold.</summary>
    private static TokenizedSample RepeatedTokens(string id, SeededRandom random)
    {
        int length = 5 + random.NextInt32(28), times = 2 + random.NextInt32(3) / 2;
        var run = Enumerable.Range(0, length).Select(_ => SpecialTokens.Length + random.NextInt32(VocabularySize - SpecialTokens.Length)).ToArray();
        bool separated = random.NextInt32(2) == 0;
        int separator = SpecialTokens.Length + random.NextInt32(VocabularySize - SpecialTokens.Length);
        var ids = new List<int> { 0 };
        var labels = new List<int> { TokenizedSample.IgnoredLabel };
        for (int time = 0; time < times; time++)
        {
            ids.AddRange(run);
            labels.AddRange(time == 0 ? Enumerable.Repeat(TokenizedSample.IgnoredLabel, length) : run);
            if (!separated || time == times - 1) continue;
            ids.Add(separator);
            labels.Add(TokenizedSample.IgnoredLabel);
        }

        return new TokenizedSample(id, [.. ids], [.. labels]);
    }

    private static void WriteWarmUp(string path, ulong seed)
    {
        var random = new SeededRandom(seed);
        TokenizedSampleWriter.WriteAll(path, Enumerable.Range(0, WarmUpSteps * WarmUpSamplesPerStep).Select(i => RepeatedTokens($"{i}", random)));
    }

    public static string Separator(SeededRandom random) => random.NextInt32(8) switch
    {
        0 or 1 or 2 => "\n",
        3 or 4 => "\n\n",
        5 => "\n> ",
        6 => "\nAnswer: ",
        _ => " => ",
    };

    public static TokenizedSample Encode(
        string id, TrainingDocument document, ITextTokenizer tokenizer, string separator, bool wholeDocument)
    {
        var prompt = tokenizer.Encode(document.Prompt + separator).Ids;
        var response = tokenizer.Encode(document.Response, isContinuation: true).Ids;
        int[] ids = [tokenizer.BeginningOfSequenceId!.Value, .. prompt, .. response, tokenizer.EndOfSequenceId!.Value];
        if (ids.Length > 1024) ids = ids[..1024];
        var labels = ids.ToArray();
        Array.Fill(labels, TokenizedSample.IgnoredLabel, 0, Math.Min(labels.Length, wholeDocument ? 1 : 1 + prompt.Length));
        return new TokenizedSample(id, ids, labels);
    }
}
