using Shad.Core.Samples;
using Shad.Data.Chat;
using Shad.Data.Corpora;
using Shad.Data.Demo;
using Shad.Data.Tokenization;
using Shad.Models;

namespace ExperimentRft;

/// <summary>Demo samples as tokens.</summary>
internal sealed class Corpora
{
    // Test samples lie behind every training set of the same seed.
    private const int FirstTestSample = 1_000_000;

    private static readonly string[] Introductions = ["You can call these functions.", "Functions at hand:", "Help the user with one of the following functions.", "You act for the user. What you can run:"];

    private readonly ITextTokenizer _tokenizer;
    private readonly SampleEncoder _encoder;

    public Corpora(ModelFolder model)
    {
        _tokenizer = TokenizerLoader.Load(model.Path);
        _encoder = new SampleEncoder(
            _tokenizer, ChatLayout.Plain, new EncoderOptions { ContextLength = model.Config.ContextLength }, new CorpusReport());
    }

    /// <summary>The training samples of a seed; those of a small set are among those of a larger one.</summary>
    public List<EncodedSample> Train(Split split, ulong seed, int count) =>
        [.. DemoCorpus.Generate(new DemoOptions { Samples = count, Seed = seed, Formats = split.Train }).Select(Encode)];

    /// <summary>The test samples of a seed.</summary>
    public List<EncodedSample> Test(Split split, ulong seed, int count) => [.. TestSamples(split, seed, count).Select(Encode)];

    /// <summary>The same test samples with prompts put into words that no training sample has.</summary>
    public List<EncodedSample> Reworded(Split split, ulong seed, int count) => [.. TestSamples(split, seed, count).Select(sample =>
    {
        string system = sample.System;
        foreach (string introduction in Introductions) system = system.Replace(introduction, "Night desk. The machine room accepts what is named below and nothing besides.", StringComparison.Ordinal);
        return Encode(sample with { System = system, User = $"Ticket opened. Caller says: {sample.User} End of ticket." });
    })];

    /// <summary>True for the tokens of a demo sample that are specific to it and belong to its call: the function, its arguments and their
    /// values, not the thought before them.</summary>
    public static bool[] IsOfCall(EncodedSample sample)
    {
        // The last seven runs of reasoning tokens, as the generator writes a function and three arguments after the thought; a value of
        // several words is one run, since a blank belongs to the word behind it.
        TokenRole?[] roles = sample.KnownRoles!;
        var of = new bool[roles.Length];
        int runs = 0;
        for (int i = roles.Length - 1; i >= 0 && runs <= 7; i--)
        {
            if (roles[i] != TokenRole.Reasoning) continue;
            if (i + 1 == roles.Length || roles[i + 1] != TokenRole.Reasoning) runs++;
            of[i] = runs <= 7;
        }

        return of;
    }

    /// <summary>A sample whose prompt goes on to the first token of its response.</summary>
    public static EncodedSample WithFirstTokenGiven(EncodedSample sample)
    {
        int[] labels = [.. sample.Tokens.Labels];
        labels[FirstTarget(sample)] = TokenizedSample.IgnoredLabel;
        return sample with { Tokens = new TokenizedSample(sample.Tokens.Id, sample.Tokens.InputIds, labels) };
    }

    /// <summary>The text of the first token of the response.</summary>
    public static string FirstTokenOf(EncodedSample sample)
    {
        int first = FirstTarget(sample);
        return sample.Text![sample.OffsetStart![first]..sample.OffsetEnd![first]];
    }

    /// <summary>Index of the first token of the response.</summary>
    public static int FirstTarget(EncodedSample sample) => Array.FindIndex(sample.Tokens.Labels, static label => label != TokenizedSample.IgnoredLabel);

    private static IEnumerable<DemoSample> TestSamples(Split split, ulong seed, int count) =>
        DemoCorpus.Generate(new DemoOptions { Samples = count, First = FirstTestSample, Seed = seed, Formats = split.Test });

    private EncodedSample Encode(DemoSample sample) => _encoder.Encode(new ConversationRow(
        sample.Id, new RowSource("demo", 1),
        [new(ChatRole.System, sample.System), new(ChatRole.User, sample.User), new(ChatRole.Assistant, sample.Response)], [])
    {
        KnownReasoning = [.. sample.ReasoningSpans.Select(static span => new ReasoningSpan(2, span.Start, span.End))],
    }) ?? throw new InvalidOperationException($"{sample.Id} does not fit the context.");
}
